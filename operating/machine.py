"""What `perijove doctor` asks of the machine: room on its disks, and the right time."""

import ctypes
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from operating.findings import Finding

_GIB = 1024**3
_LEAST_BYTES = 5 * _GIB
_LEAST_PERCENT = 10
_LEAST_INODES_PERCENT = 5
_MOST_SECONDS = 5.0

_STA_UNSYNC = 0x0040
_STATUS_AT = 5 * ctypes.sizeof(ctypes.c_long)
"""Where `status` stands in `struct timex`: behind modes (padded) and four longs."""


@dataclass(frozen=True)
class Space:
    """A file system: what stands on it, and how much of it is free for people, in bytes."""

    names: tuple[str, ...]
    total: int
    free: int
    inodes: int = 0
    free_inodes: int = 0


def read_spaces(directories: Mapping[str, Path]) -> list[Space]:
    """The file systems of directories, each once; a directory not yet made counts as its parent."""
    names: dict[int, list[str]] = {}
    found: dict[int, os.statvfs_result] = {}
    for name, path in directories.items():
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        device = there.stat().st_dev
        names.setdefault(device, []).append(name)
        found[device] = os.statvfs(there)
    return [
        Space(
            tuple(names[device]),
            total=told.f_blocks * told.f_frsize,
            free=told.f_bavail * told.f_frsize,
            inodes=told.f_files,
            free_inodes=told.f_favail,
        )
        for device, told in found.items()
    ]


def check_disk(spaces: Iterable[Space]) -> Finding:
    """Whether every file system has room for a while."""
    told, full = [], False
    for space in spaces:
        percent = 100 * space.free // max(space.total, 1)
        text = (
            f"{space.free / _GIB:.1f} of {space.total / _GIB:.1f} GiB free ({percent} %) "
            f"for {', '.join(space.names)}"
        )
        if space.free < _LEAST_BYTES or percent < _LEAST_PERCENT:
            full = True
            text += f", less than {_LEAST_PERCENT} % or {_LEAST_BYTES // _GIB} GiB"
        if space.free_inodes * 100 < space.inodes * _LEAST_INODES_PERCENT:
            full = True
            text += f", and room for only {space.free_inodes} more files"
        told.append(text)
    advice = "; make room, or put it on a larger disk" if full else ""
    return Finding("disk", not full, "; ".join(told) + advice)


def read_synchronised() -> bool | None:
    """Whether the kernel's clock is kept right by somebody; None if it does not tell."""
    timex = (ctypes.c_char * 512)()  # modes 0: only asked, and larger than the structure
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    if answer < 0:
        return None
    status = int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    return not status & _STA_UNSYNC


def check_clock(*, synchronised: bool | None, ahead: float | None) -> Finding:
    """Whether the clock is right.

    Args:
        synchronised: what the kernel says.
        ahead: seconds by which it is ahead of the database server's; None if that has no own.
    """
    if ahead is not None and abs(ahead) > _MOST_SECONDS:
        return Finding(
            "clock",
            ok=False,
            text=f"{abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} the database "
            "server's; set both by a time server (chrony, systemd-timesyncd)",
        )
    beside = "" if ahead is None else f", and {abs(ahead):.1f} s from the database server's"
    if synchronised is None:
        return Finding("clock", None, f"the kernel does not tell whether it is set{beside}")
    if not synchronised:
        return Finding(
            "clock",
            None,
            f"the kernel knows of no time server that keeps it right{beside}; if the machine below "
            "does not, run chrony or systemd-timesyncd",
        )
    return Finding("clock", ok=True, text=f"kept right by a time server{beside}")
