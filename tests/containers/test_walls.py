"""The wall between clients in containers: every probe is made from inside a running workspace."""

import base64
import itertools
import json
import re
from typing import Any

import pytest

from tests.containers.stack import Stack
from tests.e2e.client import Client
from tests.e2e.conftest import Started

pytestmark = pytest.mark.containers

BANK, HOSPITAL, FACTORY = "alder-bank", "lakeside-hospital", "norrland-works"
ALL = {
    "alder-bank/credit-risk",
    "alder-bank/language-tokens",
    "lakeside-hospital/ct-imaging",
    "norrland-works/machine-health",
}
MATRIX = [
    ((BANK,), {"alder-bank/credit-risk", "alder-bank/language-tokens"}),
    ((HOSPITAL,), {"lakeside-hospital/ct-imaging"}),
    ((FACTORY,), {"norrland-works/machine-health"}),
    (("alder-bank/credit-risk",), {"alder-bank/credit-risk"}),
    ((BANK, FACTORY), ALL - {"lakeside-hospital/ct-imaging"}),
    ((), set()),
]

_CONNECT = """
import json, socket, sys
found = {}
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), timeout=1.5).close()
        found[f"{host}:{port}"] = "open"
    except OSError as error:
        found[f"{host}:{port}"] = type(error).__name__
print(json.dumps(found))
"""
_FETCH = """
import json, sys, urllib.error, urllib.request
found = {}
for url in json.loads(sys.argv[1]):
    try:
        found[url] = urllib.request.urlopen(url, timeout=15).status
    except urllib.error.HTTPError as error:
        found[url] = error.code
    except OSError as error:
        found[url] = str(error)
print(json.dumps(found))
"""

_SEARCH = """
import glob, json, os, sys
words = [word[::-1].encode() for word in json.loads(sys.argv[1])]
files = [*glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")]
for top in ("/home", "/run", "/tmp", "/etc", "/srv", "/var", "/opt/server/perijove"):
    files += [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]
found = []
for path in files:
    try:
        text = open(path, "rb").read(10_000_000)
    except OSError:
        continue
    found += [path] if any(word in text for word in words) else []
print(json.dumps({"found": found[:5]}))
"""


def inside(client: Client, script: str, argument: object) -> dict[str, Any]:
    """Runs a script with the image's Python in a terminal of the workspace."""
    packed = base64.b64encode(script.encode()).decode()
    said = client.terminal(
        f"echo {packed} | base64 -d > /tmp/probe.py; "
        f"python3 /tmp/probe.py '{json.dumps(argument)}' | base64 -w0"
    )
    answer: dict[str, Any] = json.loads(base64.b64decode(said.strip().splitlines()[-1]))
    return answer


def addresses(stack: Stack, container: Any) -> list[str]:
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]


@pytest.mark.parametrize(("groups", "visible"), MATRIX, ids=lambda value: "+".join(sorted(value)))
def test_each_account_sees_the_kernels_examples_and_environments_of_its_projects_and_no_other(
    started: Started, groups: tuple[str, ...], visible: set[str]
) -> None:
    client = started(*groups)
    kernels = client.kernels()
    assert {name.replace(".", "/", 1) for name in kernels if ".v" not in name} == visible
    found = client.terminal("cd ~/examples && find . -name '*.ipynb' | cut -d/ -f2,3 | sort -u")
    assert set(found.split()) == visible
    store = client.terminal("find /opt/perijove -mindepth 3 -maxdepth 3 -name envs 2>/dev/null")
    assert {"/".join(path.split("/")[3:5]) for path in store.split()} == visible
    for other in ALL - visible:
        name = other.replace("/", ".")
        for tried in (name, f"{name}.v1", f"conda-env-{other.replace('/', '_')}_v1-py"):
            answer = client.server("POST", "api/kernels", json={"name": tried})
            assert answer.status_code >= 400, tried
        assert client.server("GET", f"api/contents/examples/{other}").status_code == 404
        probe = client.terminal(f"ls /opt/perijove/{other} 2>&1; ls ~/examples/{other} 2>&1")
        assert probe.count("No such file or directory") == 2


def test_no_workspace_reaches_another_nor_anything_of_the_platform_but_the_hub(
    stack: Stack, started: Started
) -> None:
    people = [started(BANK), started("alder-bank/credit-risk"), started(HOSPITAL)]
    containers = {client.user: stack.workspace(client.user) for client in people}
    services = {
        service: addresses(stack, stack.container(service))
        for service in ("nginx", "proxy", "hub", "database", "egress")
    }
    host = stack.engine.docker.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    ports = {
        "nginx": [8080, 8443],
        "proxy": [8000, 8001],
        "hub": [8000, 22],
        "database": [5432],
        "egress": [22],
    }
    for client in people:
        own = addresses(stack, containers[client.user])[0]
        gateway = own.rsplit(".", 1)[0] + "." + str(int(own.rsplit(".", 1)[1]) // 16 * 16 + 1)
        targets = [
            *(
                (address, port)
                for service, found in services.items()
                for address, port in itertools.product(found, ports[service])
            ),
            *(
                (address, 8888)
                for user, container in containers.items()
                if user != client.user
                for address in addresses(stack, container)
            ),
            *(
                (name, 8888)
                for user, one in containers.items()
                if user != client.user
                for name in (one.name, one.id[:12])
            ),
            *(("169.254.169.254", 80), ("169.254.169.254", 443), ("1.1.1.1", 443)),
            *((gateway, port) for port in (22, 53, 2375, stack.port)),
            *((host, port) for port in (22, 2375, stack.port)),
            *(("proxy", 8001), ("proxy-api", 8001), ("database", 5432), ("nginx", 8443)),
            (f"{stack.project}-proxy-1", 8001),
            (f"{stack.project}-proxy-1", 8000),
            (f"{stack.project}-socket-proxy-1", 2375),
        ]
        found = inside(client, _CONNECT, targets)
        assert {target for target, state in found.items() if state == "open"} == set()
        assert len(found) > 25
        assert inside(client, _CONNECT, [("hub", 8081), ("127.0.0.1", 8888)]) == {
            "hub:8081": "open",
            "127.0.0.1:8888": "open",
        }


def test_the_hub_takes_a_workspace_for_nobody_but_its_user(started: Started) -> None:
    bank, hospital = started(BANK), started(HOSPITAL)
    asked = "; ".join(
        "curl -s --noproxy '*' -o /dev/null -w '%{http_code} ' "
        f'-H "Authorization: token $JUPYTERHUB_API_TOKEN" http://hub:8081/hub/api/{path}'
        for path in ("user", f"users/{bank.user}", "users", "groups", "proxy", "services")
    )
    codes = hospital.terminal(asked).split()
    assert codes[0] == "200"
    assert set(codes[1:]) <= {"403", "404"}
    for path in ("api/kernelspecs", "api/contents", "lab"):
        assert hospital.server("GET", path, of=bank.user).status_code in (403, 404)


def test_a_workspace_holds_no_secret_no_socket_and_no_power(stack: Stack, started: Started) -> None:
    client = started(BANK)
    secrets = [
        value
        for name, value in stack.settings.items()
        if name.endswith(("_TOKEN", "_PASSWORD")) and value
    ]
    assert len(secrets) == 4
    # Told backwards, so that the search does not find itself.
    assert inside(client, _SEARCH, [secret[::-1] for secret in secrets]) == {"found": []}
    assert inside(client, _SEARCH, [client.user[::-1]])["found"]
    assert (
        client.terminal("find / -xdev -type s 2>/dev/null | grep -v ^/run/perijove").strip() == ""
    )
    status = client.terminal("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    facts = dict(re.findall(r"(\w+):\s+(\w+)", status))
    assert {value for name, value in facts.items() if name.startswith("Cap")} == {"0" * 16}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    refused = client.terminal(
        "for path in / /etc/x /opt/server/x /opt/server/bin/python /opt/perijove/alder-bank/x "
        "/opt/perijove/alder-bank/credit-risk/envs/*/bin/python ~/examples/x "
        "~/examples/alder-bank/credit-risk/x /usr/bin/x; do (touch $path && echo yes:$path) 2>&1; "
        "done; unshare -r true 2>&1 && echo yes:unshare; mount -t tmpfs x /mnt 2>&1 && echo yes:m"
    )
    assert "yes:" not in refused
    assert refused.count("Read-only") + refused.count("denied") + refused.count("permitted") >= 9


def test_homes_are_apart_and_kept(stack: Stack, started: Started) -> None:
    bank, hospital = started(BANK), started(HOSPITAL)
    bank.terminal("echo the-banks-secret > ~/secret.txt")
    seen = hospital.terminal(
        "ls -a /home; grep -rs the-banks-secret / --exclude-dir=proc "
        "--exclude-dir=sys --exclude-dir=usr --exclude=.bash_history | head"
    )
    assert set(seen.split()) == {".", "..", hospital.user}
    bank.stop()
    bank.start()
    assert bank.terminal("cat ~/secret.txt").strip() == "the-banks-secret"


def test_losing_the_group_ends_the_workspace(stack: Stack, started: Started) -> None:
    client = started("lakeside-hospital/ct-imaging")
    admin = stack.client(stack.admin)
    path = "groups/lakeside-hospital%2Fct-imaging/users"
    assert admin.hub("DELETE", path, json={"users": [client.user]}).status_code == 200
    stack.wait_until(lambda: not client.servers(), "the workspace ends")
    assert not [one for one in stack.workspaces() if one.name.endswith(f"-{client.user}")]
    client.start()
    assert client.kernels() == {}
    admin.hub("POST", path, json={"users": [client.user]})


@pytest.mark.parametrize("outside", ["none", "allow-list", "open"])
def test_the_outside_is_what_the_operator_allows(
    stack: Stack, started: Started, outside: str
) -> None:
    """Two web servers stand outside; one is on the list. Our own networks are never outside."""
    with stack.web_servers("allowed", "other") as (allowed, other):
        stack.configure(PERIJOVE_OUTSIDE=outside, PERIJOVE_ALLOWED_SITES=allowed)
        stack.compose("up", "-d")
        stack.wait_until_healthy("hub", "egress", "socket-proxy")
        client = started(FACTORY)
        hubs = stack.container("hub").attrs["NetworkSettings"]["Networks"]
        never = [
            "http://169.254.169.254/latest/meta-data/",
            f"http://{addresses(stack, stack.container('proxy'))[0]}:8000/",
            *(f"http://{one}:5432/" for one in addresses(stack, stack.container("database"))),
            f"http://{hubs[f'{stack.project}_control']['IPAddress']}:8081/hub/api",
            "http://127.0.0.1:3128/",
        ]
        found = inside(client, _FETCH, [f"http://{allowed}/", f"http://{other}/", *never])
        codes = list(found.values())
    stack.configure(PERIJOVE_OUTSIDE="none", PERIJOVE_ALLOWED_SITES="")
    stack.compose("up", "-d")
    stack.wait_until_healthy("hub", "egress", "socket-proxy")
    assert 200 not in codes[2:]
    if outside == "none":
        assert all(isinstance(code, str) for code in codes), found
    else:
        # Names with private addresses are reached only if they are on the list.
        assert codes[:2] == [200, 403]
