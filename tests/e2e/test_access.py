"""The wall between clients, probed from inside real workspaces."""

import pytest

from tests.e2e.conftest import Started
from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e

BANK, HOSPITAL, FACTORY = "alder-bank", "lakeside-hospital", "norrland-works"
PROJECTS = {
    BANK: ["credit-risk", "language-tokens"],
    HOSPITAL: ["ct-imaging"],
    FACTORY: ["machine-health"],
}
ALL = {f"{client}/{project}" for client, projects in PROJECTS.items() for project in projects}
MATRIX = [
    ((BANK,), {"alder-bank/credit-risk", "alder-bank/language-tokens"}),
    ((HOSPITAL,), {"lakeside-hospital/ct-imaging"}),
    ((FACTORY,), {"norrland-works/machine-health"}),
    (("alder-bank/credit-risk",), {"alder-bank/credit-risk"}),
    (
        (BANK, FACTORY),
        {"alder-bank/credit-risk", "alder-bank/language-tokens", "norrland-works/machine-health"},
    ),
    ((), set()),
]


@pytest.mark.parametrize(("groups", "visible"), MATRIX, ids=lambda value: "+".join(sorted(value)))
def test_each_account_sees_the_kernels_and_examples_of_its_projects_and_no_other(
    started: Started, groups: tuple[str, ...], visible: set[str]
) -> None:
    client = started(*groups)
    kernels = client.kernels()
    stable = {
        f"{spec['spec']['metadata']['perijove']['client']}/"
        f"{spec['spec']['metadata']['perijove']['project']}"
        for spec in kernels.values()
    }
    assert {name.replace(".", "/", 1) for name in kernels if ".v" not in name} == visible
    assert stable == visible

    found = client.terminal("cd ~/examples && find . -name '*.ipynb' | cut -d/ -f2,3 | sort -u")
    assert set(found.split()) == visible
    store = client.terminal("find /opt/perijove -mindepth 3 -maxdepth 3 -name envs 2>/dev/null")
    assert {"/".join(path.split("/")[3:5]) for path in store.split()} == visible

    for other in ALL - visible:
        name = other.replace("/", ".")
        for tried in (name, f"{name}.v1", f"conda-env-{other.replace('/', '_')}_v1-py"):
            answer = client.server("POST", "api/kernels", json={"name": tried})
            assert answer.status_code >= 400, tried
        client_name, project = other.split("/")
        path = f"examples/{client_name}/{project}"
        assert client.server("GET", f"api/contents/{path}").status_code == 404
        probe = client.terminal(f"ls /opt/perijove/{other} 2>&1; ls ~/{path} 2>&1")
        assert probe.count("No such file or directory") == 2


def test_a_workspace_finds_nothing_of_others_by_path_process_or_symlink(
    platform: Platform, started: Started
) -> None:
    bank, hospital = started(BANK), started(HOSPITAL)
    secret = "the-banks-secret-4711"
    bank.terminal(f"echo {secret} > ~/secret.txt; export HIDDEN={secret}; (sleep 300 &)")
    kernel = bank.start_kernel("alder-bank.credit-risk")
    kernel.run(f"x = '{secret}'")

    homes = platform.home / "homes"
    probes = {
        "other homes": f"ls -la /home {homes} 2>&1; cat {homes}/{bank.user}/secret.txt 2>&1",
        "links": f"ln -sfn {homes} ~/link; ls ~/link/ 2>&1; ln -sfn / ~/root; ls ~/root/home",
        "processes": "cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'",
        "roots": "ls -d /proc/*/root/home/* 2>&1; ls /proc/1/cwd/ 2>&1",
        "files": f"grep -rsl {secret} / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr "
        "--exclude=.bash_history",
        "installation": f"ls -la {platform.home} {platform.home}/state 2>&1",
        "host": "cat /etc/shadow /root/.ssh/* 2>&1; ls /var/lib /srv /mnt 2>&1",
    }
    for name, command in probes.items():
        shown = hospital.terminal(command)
        assert secret not in shown, name
        assert bank.user not in shown.split(), name
    assert "No such file" in hospital.terminal(f"cat {homes}/{bank.user}/secret.txt 2>&1")
    assert "No such file" in hospital.terminal(f"cat {platform.home}/accounts.json 2>&1")
    sockets = hospital.terminal("find / -xdev -type s 2>/dev/null | grep -v ^/run/perijove")
    assert sockets.strip() == ""
    kernel.close()


def test_nobody_reaches_another_persons_server_or_account(
    platform: Platform, started: Started
) -> None:
    bank, hospital = started(BANK), started(HOSPITAL)
    for path in ("api/kernelspecs", "api/contents", "api/terminals", "lab"):
        assert hospital.server("GET", path, of=bank.user).status_code in (403, 404)
    for path in (f"users/{bank.user}", "users", "groups", f"users/{bank.user}/tokens"):
        assert hospital.hub("GET", path).status_code in (403, 404)
    joining = hospital.hub("POST", f"groups/{BANK}/users", json={"users": [hospital.user]})
    assert joining.status_code in (403, 404)
    # From inside: the neighbour's port answers on loopback, and asks who is there.
    inside = hospital.terminal(
        "awk 'NR>1 && $4==\"0A\" {print substr($2, 10)}' /proc/net/tcp | while read port; do "
        "curl -s -m 5 -o /dev/null -w '%{http_code}\\n' "
        f"http://127.0.0.1:$((0x$port))/user/{bank.user}/api/contents; done"
    )
    assert "403" in inside.split()
    assert "200" not in inside.split()


def test_the_admin_manages_people_but_sees_no_project(platform: Platform) -> None:
    admin = platform.client(platform.admin)
    users = {user["name"] for user in admin.hub("GET", "users").json()}
    assert users == {account.user for account in platform.accounts}
    admin.start()
    assert admin.kernels() == {}
    admin.stop()


def test_an_admin_stops_a_persons_server_but_does_not_get_into_it(
    platform: Platform, started: Started
) -> None:
    bank, admin = started(BANK), platform.client(platform.admin)
    for path in ("api/kernelspecs", "api/contents", "lab"):
        assert admin.server("GET", path, of=bank.user).status_code in (403, 404)
    assert admin.hub("POST", f"users/{bank.user}/tokens", json={}).status_code in (403, 404)
    made_admin = admin.hub("PATCH", f"users/{admin.user}", json={"admin": True})
    assert made_admin.status_code in (400, 403)
    assert admin.hub("DELETE", f"users/{bank.user}/server").status_code in (202, 204)


def test_a_wrong_password_is_refused(platform: Platform) -> None:
    account = platform.account(BANK)
    account.password = "not-the-password"
    assert not platform.client(account).logged_in


def test_published_files_cannot_be_changed_from_a_workspace(started: Started) -> None:
    client = started(BANK)
    shown = client.terminal(
        "for path in /opt/perijove/alder-bank/credit-risk /opt/perijove/alder-bank/x "
        "/opt/perijove/alder-bank/credit-risk/envs/*/bin/python "
        "~/examples/alder-bank/credit-risk/*.ipynb ~/examples/alder-bank/credit-risk/x; do "
        "(touch $path || echo tried) 2>&1; done; echo"
    )
    assert shown.count("tried") == 5
    refusals = shown.count("Read-only file system") + shown.count("Permission denied")
    assert refusals == 5


def test_a_kernel_that_takes_too_much_memory_is_told_so_and_goes_on(started: Started) -> None:
    kernel = started(HOSPITAL).start_kernel("lakeside-hospital.ct-imaging")
    too_much = kernel.run("import numpy; numpy.ones(6 * 1024**3 // 8).sum()")
    assert "MemoryError" in too_much.error
    assert kernel.run("print('still here')").text == "still here\n"
