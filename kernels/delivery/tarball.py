"""Tar files with the same bytes for the same content: no owners, no times, modes of two kinds.

The one time is the first day of 1980, the oldest that zip files know: people make wheels and zip
files of what they unpacked.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kernels.delivery.tree import Entry

MTIME = 315532800
"""1980-01-01, in seconds since 1970."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Owner:
    """Whom the files in a tar file belong to, and whether they may write them."""

    uid: int = 0
    gid: int = 0
    writes: bool = True


class Tarball:
    """Writes entries into a stream, as they come."""

    def __init__(self, stream: IO[bytes], owner: Owner) -> None:
        # Closed by `finish`.
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._owner = owner

    def add(self, entries: Iterable[Entry], below: str = "", owner: Owner | None = None) -> None:
        """Adds entries, their names put below a directory."""
        for entry in entries:
            self._add(entry, f"{below}/{entry.name}" if below else entry.name, owner)

    def _add(self, entry: Entry, name: str, owner: Owner | None) -> None:
        info = tarfile.TarInfo(name)
        whose = owner or self._owner
        info.uid, info.gid, info.mtime = whose.uid, whose.gid, MTIME
        if entry.content is None:
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            self._tar.addfile(info)
        elif isinstance(entry.content, str):
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.content
            self._tar.addfile(info)
        else:
            info.mode = (0o555 if entry.executable else 0o444) | (0o200 if whose.writes else 0)
            if isinstance(entry.content, bytes):
                info.size = len(entry.content)
                self._tar.addfile(info, io.BytesIO(entry.content))
            else:
                self._add_file(info, entry.content)

    def _add_file(self, info: tarfile.TarInfo, path: Path) -> None:
        with path.open("rb") as file:
            info.size = path.stat().st_size
            self._tar.addfile(info, file)

    def finish(self) -> None:
        """Writes the end."""
        self._tar.close()


class Summed:
    """A stream that reckons size and sha256 of what goes through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash, self.size = stream, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Takes these."""
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def sha256(self) -> str:
        """Of all so far."""
        return self._hash.hexdigest()


def parents(name: str, above: str) -> list[Entry]:
    """The directories from below `above` down to `name`, both relative and without an end slash."""
    parts = Path(name).relative_to(above).parts
    return [Entry("/".join([above, *parts[: n + 1]]), None) for n in range(len(parts))]
