"""A plain tar file whose members are written as they come, without scratch in memory or on disk.

A member's size and checksum are known when it has been written; only then is its header.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from kernels.delivery.tarball import CHUNK, MTIME, Summed

_BLOCK = tarfile.BLOCKSIZE


class Members:
    """Writes members into a file that can be sought in.

    Attributes:
        sums: the members so far, with their sizes in bytes and sha256.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sums: dict[str, tuple[int, str]] = {}

    @contextmanager
    def member(self, name: str | Callable[[str], str]) -> Iterator[Summed]:
        """Takes a member, called `name`, or as `name` makes it of the sha256.

        What would be the second of its name is dropped.
        """
        header_at = self._file.tell()
        # As long as it will be: a long name takes blocks of its own, a size never does.
        probable = name if isinstance(name, str) else name("0" * 64)
        self._file.write(bytes(len(_header(probable, 0))))
        summed = Summed(self._file)
        yield summed
        called = name if isinstance(name, str) else name(summed.sha256)
        if called in self.sums:
            self._file.seek(header_at)
            self._file.truncate()
            return
        self._file.write(bytes(-summed.size % _BLOCK))
        end = self._file.tell()
        self._file.seek(header_at)
        self._file.write(_header(called, summed.size))
        self._file.seek(end)
        self.sums[called] = (summed.size, summed.sha256)

    def add(self, name: str | Callable[[str], str], content: bytes | Path | IO[bytes]) -> Summed:
        """Adds a member, and says what it is."""
        with self.member(name) as summed:
            if isinstance(content, bytes):
                summed.write(content)
            elif isinstance(content, Path):
                with content.open("rb") as file:
                    shutil.copyfileobj(file, cast("IO[bytes]", summed), CHUNK)
            else:
                shutil.copyfileobj(content, cast("IO[bytes]", summed), CHUNK)
        return summed

    def finish(self) -> None:
        """Writes the end."""
        self._file.write(bytes(2 * _BLOCK))

    def whole(self) -> tuple[int, str]:
        """Size in bytes and sha256 of the whole file."""
        self._file.flush()
        self._file.seek(0)
        sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()  # type: ignore[arg-type]
        return self._file.tell(), sha256


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, MTIME
    return info.tobuf(tarfile.GNU_FORMAT)
