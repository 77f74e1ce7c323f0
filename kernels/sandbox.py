"""Runs a program as a workspace would see the machine: the system read-only, the store mounted.

bubblewrap does the mounting, without root. The process engine builds its walls on the same system
arguments. Where the store is used at its own path (no bubblewrap), programs run as they are.
"""

from collections.abc import Sequence
from pathlib import Path

from kernels.store import Store

_ETC = (
    *("alternatives", "ca-certificates", "fonts", "host.conf", "hosts", "ld.so.cache"),
    *("ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "mime.types", "nsswitch.conf"),
    *("pki", "protocols", "resolv.conf", "services", "ssl", "terminfo", "timezone"),
)


def system_mounts() -> list[str]:
    """bubblewrap arguments that show the operating system and nothing of the host's own data.

    Of `/etc` only what programs need to run: no accounts, no secrets, no service's settings.
    """
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            arguments += ["--ro-bind", str(path.resolve()), str(path)]
    return [*arguments, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - the new namespace's own


def as_seen_by_workspaces(
    argv: Sequence[str], store: Store, directory: Path, writable: Path
) -> list[str]:
    """The command line that runs `argv` with `directory` of the store where workspaces see it.

    Args:
        argv: the program, in paths of the workspace.
        store: the store.
        directory: a directory in the store, such as a project's.
        writable: a directory of the caller that the program may write to, at the same path.
    """
    if store.mount == store.root:
        return list(argv)
    return [
        store.bwrap,
        # No process namespace: a kernel whose parent is process 1 takes itself for abandoned.
        *("--die-with-parent", "--unshare-ipc", "--cap-drop", "ALL"),
        *system_mounts(),
        *("--bind", str(writable), str(writable)),
        *("--ro-bind", str(directory), str(store.target(directory))),
        "--",
        *argv,
    ]
