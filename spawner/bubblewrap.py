"""Translates a workspace's plan into a bubblewrap command line. Pure.

The workspace gets its own mount, process, IPC, host-name and user namespaces. It sees the operating
system, the Jupyter server, and the plan's mounts; nothing else of the host is there to be found.
The network is the host's: the embedded mode is for one machine and people who may use it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from kernels.sandbox import system_mounts
from spawner.plan import Workspace

RUNTIME_DIRECTORY = "/run/perijove"
"""Private to the workspace; kernel sockets stand here, where no other workspace can reach them."""

_UID = "1000"


def plan_command(
    workspace: Workspace,
    command: Sequence[str],
    *,
    bwrap: str,
    server: Iterable[Path],
    accounts: Path,
) -> list[str]:
    """The command line that runs `command` inside the walls of `workspace`.

    Args:
        workspace: the plan.
        command: what to run, in paths of the workspace.
        bwrap: the bubblewrap program.
        server: directories that the Jupyter server itself needs, shown read-only at their own path.
        accounts: a directory with the workspace's own `passwd` and `group`.
    """
    arguments = [
        bwrap,
        *("--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc"),
        *("--unshare-uts", "--unshare-cgroup-try", "--hostname", "workspace"),
        *("--uid", _UID, "--gid", _UID, "--cap-drop", "ALL", "--disable-userns"),
        *system_mounts(),
        *("--dir", "/tmp", "--tmpfs", "/run", "--dir", RUNTIME_DIRECTORY),  # noqa: S108 - the workspace's own
    ]
    for name in ("passwd", "group"):
        arguments += ["--ro-bind", str(accounts / name), f"/etc/{name}"]
    for directory in server:
        arguments += ["--ro-bind", str(directory), str(directory)]
    for mount in workspace.mounts:
        kind = "--ro-bind" if mount.read_only else "--bind"
        arguments += [kind, str(mount.source), str(mount.target)]
        if mount.target == workspace.home:
            arguments += ["--tmpfs", str(workspace.examples)]
    # What is no mount must take no files either: they would be gone with the workspace.
    for path in (str(workspace.examples), "/"):
        arguments += ["--remount-ro", path]
    return [*arguments, "--chdir", str(workspace.home), "--", *command]


def account_files(workspace: Workspace) -> dict[str, str]:
    """The `passwd` and `group` of a workspace: the user and nobody of the host's."""
    name = workspace.home.name
    return {
        "passwd": f"{name}:x:{_UID}:{_UID}::{workspace.home}:/bin/bash\n"
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
        "group": f"{name}:x:{_UID}:\nnogroup:x:65534:\n",
    }
