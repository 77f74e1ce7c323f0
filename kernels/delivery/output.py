"""The file of a delivery: called by its name when it is whole, and not before.

It is written beside where it will stand, with room for scratch. What a writer that was killed left
there, the next one for the same file removes; two at once do not meet, and the last one counts.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kernels.errors import StoreError
from kernels.files import remove_tree


@dataclass(frozen=True)
class Output:
    """A file that is being written, and an empty directory on the same disk for scratch."""

    file: BinaryIO
    scratch: Path


@contextmanager
def new_output(path: Path) -> Iterator[Output]:
    """Opens what will be the file `path`, which it replaces at the end of the block.

    Raises:
        StoreError: it cannot be written there; what stood there stays.
    """
    try:
        with working_directory(path.parent, f".{path.name}.new-") as work:
            (work / "scratch").mkdir()
            with (work / "file").open("w+b") as file:
                yield Output(file, work / "scratch")
                file.flush()
                os.fsync(file.fileno())
            (work / "file").replace(path)
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise StoreError(
            f"{path} could not be written ({error.strerror or error}{where}); make room or choose "
            "another place with --to."
        ) from error


@contextmanager
def working_directory(parent: Path, begins: str) -> Iterator[Path]:
    """An empty directory in `parent`, removed at the end; a killed one's goes with the next."""
    parent.mkdir(parents=True, exist_ok=True)
    _remove_left(parent, begins)
    work = Path(tempfile.mkdtemp(dir=parent, prefix=begins))
    handle = os.open(work, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield work
    finally:
        remove_tree(work)
        os.close(handle)


def _remove_left(directory: Path, begins: str) -> None:
    for work in directory.glob(f"{begins}*"):
        try:
            handle = os.open(work, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(work)
        except BlockingIOError:
            continue  # somebody is writing it now
        finally:
            os.close(handle)


def place_output(to: Path | None, name: str) -> Path:
    """Where a delivery goes: a file, in a directory under `name`, or here under `name`."""
    if to is None:
        return Path.cwd() / name
    return (to / name if to.is_dir() else to).absolute()
