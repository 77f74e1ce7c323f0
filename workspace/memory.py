"""What a workspace's control group says of its memory, and the words for it; reads, never writes.

Linux limits the memory of a container as a whole. Where it is full, Linux ends one of the processes
and counts that, in files that differ between the two versions of control groups. A workspace
without such files (embedded mode) has no count, and nothing is said there.
"""

import contextlib
from pathlib import Path

_COUNTERS = ("memory.events", "memory/memory.oom_control")  # control groups version 2, version 1
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
_UNLIMITED = 1 << 60  # version 1 writes a number near 2**63 where there is no limit
_MIB = 1 << 20
_GIB = 1 << 30


def find_oom_kills(cgroup: Path) -> int | None:
    """Return how many processes of the group were ended for lack of memory, None if not counted."""
    text = _text_of_first(cgroup, _COUNTERS)
    return None if text is None else parse_oom_kills(text)


def find_limit(cgroup: Path) -> int | None:
    """Return how many bytes the group may take, None if that is not limited or not known."""
    text = _text_of_first(cgroup, _LIMITS)
    return None if text is None else parse_limit(text)


def parse_oom_kills(text: str) -> int | None:
    """Return the number in the line `oom_kill N`; None if there is none, as of old Linuxes."""
    for line in text.splitlines():
        match line.split():
            case ["oom_kill", number]:
                return int(number)
    return None


def parse_limit(text: str) -> int | None:
    """Return the bytes that a limit's file says, None where it means that there is no limit."""
    text = text.strip()
    return int(text) if text.isdecimal() and int(text) < _UNLIMITED else None


def out_of_memory_message(limit: int | None) -> str:
    """Return what a person is told whose kernel was ended; JupyterLab cuts it at 140 characters."""
    has = f" (it has {_size(limit)})" if limit else ""
    return (
        f"The kernel was ended: the workspace ran out of memory{has}. "
        "Use less data, close other kernels, or ask an admin for more."
    )


def _size(count: int) -> str:
    unit, name = (_GIB, "GiB") if count >= _GIB else (_MIB, "MiB")
    return f"{round(count / unit, 1):g} {name}"


def _text_of_first(folder: Path, names: tuple[str, ...]) -> str | None:
    for name in names:
        with contextlib.suppress(OSError):
            return (folder / name).read_text()
    return None
