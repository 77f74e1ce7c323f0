"""The command line of a walled workspace is the plan and nothing more."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from kernels.projects import Limits
from kernels.sandbox import system_mounts
from spawner.bubblewrap import account_files, plan_command
from spawner.plan import Mount, Workspace

HOME = PurePosixPath("/home/ana")
WORKSPACE = Workspace(
    user="Ana",
    name="ana",
    home=HOME,
    grants=(),
    mounts=(
        Mount(Path("/srv/homes/ana"), HOME, read_only=False),
        Mount(Path("/srv/store/alder-bank"), PurePosixPath("/opt/perijove/alder-bank")),
        Mount(Path("/srv/store/alder-bank/risk/examples"), HOME / "examples/alder-bank/risk"),
    ),
    environment={},
    limits=Limits(),
)


def command(workspace: Workspace = WORKSPACE) -> list[str]:
    return plan_command(
        workspace,
        ["python", "-m", "server"],
        bwrap="/opt/bwrap",
        server=[Path("/usr/lib/server"), Path("/srv/venv")],
        accounts=Path("/srv/state/ana"),
    )


def test_the_whole_command_line() -> None:
    examples = "/home/ana/examples"
    assert command() == [
        "/opt/bwrap",
        *("--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc"),
        *("--unshare-uts", "--unshare-cgroup-try", "--hostname", "workspace"),
        *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--disable-userns"),
        *system_mounts(),
        *("--dir", "/tmp", "--tmpfs", "/run", "--dir", "/run/perijove"),  # noqa: S108 - the plan
        *("--ro-bind", "/srv/state/ana/passwd", "/etc/passwd"),
        *("--ro-bind", "/srv/state/ana/group", "/etc/group"),
        *("--ro-bind", "/usr/lib/server", "/usr/lib/server"),
        *("--ro-bind", "/srv/venv", "/srv/venv"),
        *("--bind", "/srv/homes/ana", "/home/ana"),
        *("--tmpfs", examples),
        *("--ro-bind", "/srv/store/alder-bank", "/opt/perijove/alder-bank"),
        *("--ro-bind", "/srv/store/alder-bank/risk/examples", f"{examples}/alder-bank/risk"),
        *("--remount-ro", examples, "--remount-ro", "/"),
        *("--chdir", "/home/ana", "--", "python", "-m", "server"),
    ]


def binds(arguments: list[str]) -> dict[str, tuple[str, str]]:
    """Source to kind and target of every bind mount."""
    end = arguments.index("--")
    return {
        arguments[at + 1]: (arguments[at], arguments[at + 2])
        for at in range(end)
        if arguments[at] in {"--bind", "--ro-bind", "--dev-bind", "--bind-try", "--ro-bind-try"}
    }


def test_no_path_of_the_host_is_shown_besides_the_plans() -> None:
    shown = set(binds(command()))
    assert shown - set(binds([*system_mounts(), "--"])) == {
        *("/srv/state/ana/passwd", "/srv/state/ana/group", "/usr/lib/server", "/srv/venv"),
        *(str(mount.source) for mount in WORKSPACE.mounts),
    }


def test_only_the_home_is_mounted_to_be_written() -> None:
    writable = [target for kind, target in binds(command()).values() if kind != "--ro-bind"]
    assert writable == ["/home/ana"]


def test_a_workspace_without_projects_has_an_empty_examples_folder() -> None:
    arguments = command(replace(WORKSPACE, mounts=WORKSPACE.mounts[:1]))
    at = arguments.index("/srv/homes/ana")
    assert arguments[at + 2 : at + 8] == [
        *("--tmpfs", "/home/ana/examples", "--remount-ro", "/home/ana/examples"),
        *("--remount-ro", "/"),
    ]


def test_the_accounts_of_a_workspace_are_its_user_and_nobody() -> None:
    files = account_files(WORKSPACE)
    assert files == {
        "passwd": "ana:x:1000:1000::/home/ana:/bin/bash\n"
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
        "group": "ana:x:1000:\nnogroup:x:65534:\n",
    }
