"""The file of a backup: a plain tar of its parts, and at the end a manifest with their checksums.

    database.dump          pg_dump's custom format, or an SQLite file
    homes.tar              people's files
    packages.tar           the site channel's packages that the locks name
    state.tar              what the processes keep between starts
    secrets/<name>         what a new machine needs first
    manifest.json

Nothing is compressed: homes are mostly notebooks' pictures and columnar data, which are already,
and what copies backups away (restic, borg, zstd in a pipe) does better on plain files. So each part
can also be had by hand, `tar -xOf FILE homes.tar | tar -x ./anna`. Parts are written as they
come: neither memory nor scratch space grows with them.
"""

import hashlib
import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from operating.errors import BackupError
from operating.owners import give
from operating.programs import CHUNK

FORMAT = 1
MANIFEST = "manifest.json"
PARTIAL = ".partial"
_PART = re.compile(r"(database\.dump|(homes|packages|state)\.tar|secrets/[A-Za-z0-9._-]+)")
_LARGEST_MANIFEST = 512 * 1024**2
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Part:
    """One part of a backup: its size in bytes, and its sha256."""

    size: int
    sha256: str


class PartSink:
    """Takes a part's bytes, and reckons size and checksum on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Takes these."""
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    @property
    def part(self) -> Part:
        """What has come so far."""
        return Part(self._size, self._hash.hexdigest())


class BackupWriter:
    """Writes a backup into a file that can be sought in.

    Attributes:
        parts: what is in it so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.parts: dict[str, Part] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[PartSink]:
        """Takes a part; how long it is, is known and written when it has come."""
        header_at = self._file.tell()
        self._file.write(bytes(_BLOCK))
        sink = PartSink(self._file)
        yield sink
        self._file.write(bytes(-sink.part.size % _BLOCK))
        end = self._file.tell()
        self._file.seek(header_at)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = sink.part.size, 0o600, int(time.time())
        # GNU's form: one block, whatever the size.
        self._file.write(info.tobuf(tarfile.GNU_FORMAT))
        self._file.seek(end)
        self.parts[name] = sink.part

    def finish(self, told: Mapping[str, Any]) -> None:
        """Writes the manifest: the parts' checksums, and what else is to be told."""
        parts = {name: {"size": p.size, "sha256": p.sha256} for name, p in self.parts.items()}
        manifest = {"format": FORMAT, **told, "parts": parts}
        text = json.dumps({"checksum": _checksum(manifest), **manifest}, indent=2)
        with self.part(MANIFEST) as sink:
            sink.write(text.encode() + b"\n")
        self._file.write(bytes(2 * _BLOCK))


@dataclass(frozen=True)
class Backup:
    """A backup that has been read, and not yet verified.

    Attributes:
        file: where it is.
        checksum: of the manifest, and so of everything.
        manifest: what is told of it.
        parts: its parts.
    """

    file: Path
    checksum: str
    manifest: Mapping[str, Any]
    parts: Mapping[str, Part]

    def verify(self) -> None:
        """Reads all of it. Raises BackupError if a part is not what was written."""
        for name, part in self.parts.items():
            sink = PartSink(cast("BinaryIO", _Nowhere()))
            with self.open(name) as source:
                shutil.copyfileobj(source, sink, CHUNK)
            if sink.part != part:
                raise BackupError(
                    f"{self.file}: {name} is not what was written into it; use another backup."
                )

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A part's bytes."""
        with _open_tar(self.file) as tar:
            source = tar.extractfile(name)
            assert source is not None  # noqa: S101 - load_backup has seen that it is a file
            with source:
                yield cast("BinaryIO", source)


def load_backup(file: Path) -> Backup:
    """Reads a backup's manifest, which tells what must be in the rest.

    Raises:
        BackupError: it is not there, not whole, or not one of ours.
    """
    with _open_tar(file) as tar:
        try:
            members = {member.name: member for member in tar.getmembers()}
        except (tarfile.TarError, OSError) as error:
            raise _not_whole(file, error) from None
        found = members.pop(MANIFEST, None)
        if found is None or not found.isreg() or found.size > _LARGEST_MANIFEST:
            raise _not_whole(file, "it has no manifest")
        text = tar.extractfile(found)
        manifest = _parse(file, text.read() if text else b"")
    try:
        parts = {name: Part(**told) for name, told in manifest["parts"].items()}
        checksum = manifest["checksum"]
    except (AttributeError, KeyError, TypeError) as error:
        raise _not_whole(file, error) from None
    if parts.keys() != members.keys():
        odd = sorted(parts.keys() ^ members.keys())
        raise BackupError(f"{file}: {odd[0]} is in the manifest or in the file, and not in both.")
    for name, member in members.items():
        if not _PART.fullmatch(name) or not member.isreg():
            raise BackupError(f"{file}: {name} is no part that a backup has; it was tampered with.")
    return Backup(file, checksum, manifest, parts)


def _parse(file: Path, text: bytes) -> dict[str, Any]:
    try:
        manifest = dict(json.loads(text))
        checksum = manifest.pop("checksum")
    except (KeyError, TypeError, ValueError) as error:
        raise _not_whole(file, error) from None
    if manifest.get("format") != FORMAT:
        raise BackupError(
            f"{file}: a backup of format {manifest.get('format')}, expected {FORMAT}; restore it "
            f"with the version of Perijove that made it ({manifest.get('perijove')})."
        )
    if checksum != _checksum(manifest):
        raise BackupError(f"{file}: the manifest is not what was written; use another backup.")
    return {"checksum": checksum, **manifest}


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _open_tar(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file, "r:")
    except FileNotFoundError:
        raise BackupError(f"{file}: there is no such backup.") from None
    except (tarfile.TarError, OSError) as error:
        raise _not_whole(file, error) from None


def _not_whole(file: Path, why: object) -> BackupError:
    return BackupError(
        f"{file}: not a whole backup ({why}); it was cut off, or is something else: use another."
    )


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


@contextmanager
def new_backup(file: Path) -> Iterator[BinaryIO]:
    """A new file, for its owner's eyes, that is called `file` when it is whole, and not before.

    It belongs to whom the directory belongs to: that is who asked for it, also from a container.
    """
    partial = file.with_name(file.name + PARTIAL)
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w+b") as stream:
            give(handle, file.parent)
            yield stream
            stream.flush()
            os.fsync(handle)
        partial.rename(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
