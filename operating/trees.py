"""Directory trees into a tar and back, with owners, modes, times, holes and links as they were.

People own what is in their homes, and the one who copies it is root. So no name of theirs is ever
followed: GNU tar packs by open directories, and so does the unpacking here, which makes every name
anew in a directory that it has made itself. A tar is only unpacked if it could have been packed so.
"""

import errno
import os
import resource
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self

from operating.errors import BackupError
from operating.owners import is_root
from operating.programs import CHUNK, Sink, read_from

_DIFFERS = 1
"""GNU tar's exit status when files changed or vanished while it read them."""
_ROOT = 0


def pack_tree(
    root: Path, sink: Sink, *, names: Sequence[str] | None = None, leave_out: Sequence[str] = ()
) -> list[str]:
    """Packs what is in `root`; returns what could not be read, in tar's words.

    Files that change while they are read are packed as they are found, those that vanish are not;
    sockets are left out.

    Args:
        root: a directory.
        sink: takes the tar.
        names: files in it, with the directories above them; everything if not given.
        leave_out: names directly in it that are not wanted; they may end in `*`.
    """
    command = ["tar", "--create", "--file=-", "--format=posix", "--sparse", "--numeric-owner"]
    command += ["--pax-option=delete=atime,delete=ctime", "--ignore-failed-read"]
    command += [f"--warning=no-file-{what}" for what in ("ignored", "removed", "changed", "shrank")]
    command += [f"--directory={root}", "--anchored", "--no-wildcards-match-slash"]
    command += [f"--exclude=./{name}" for name in leave_out]
    if names is None:
        command += ["--", "."]
    else:
        above = {str(folder) for name in names for folder in PurePosixPath(name).parents}
        wanted = sorted({*names, *above} - {"."}, key=lambda name: name.split("/"))
        command += ["--no-recursion", "--", *(f"./{name}" for name in wanted)]
    said = read_from(command, sink, fine=(0, _DIFFERS))
    return [line for line in said.splitlines() if line.strip()]


def check_tree(source: BinaryIO) -> frozenset[str]:
    """The names directly in a packed tree, once all of it has been looked at.

    Raises:
        BackupError: something in it was not packed by `pack_tree`.
    """
    return frozenset(path[0] for _, path, _ in _members(source) if path)


def unpack_tree(source: BinaryIO, root: Path, *, owner: tuple[int, int] | None = None) -> list[str]:
    """Unpacks a tree into the empty directory `root`; returns what was left out, and why.

    Args:
        source: what `pack_tree` wrote.
        root: an empty directory that nobody else has a hand in.
        owner: whose everything shall be; as recorded, if not given. Only root can give away.

    Raises:
        BackupError: something in it was not packed by `pack_tree`.
    """
    _allow_many_files()
    with _Unpacker(root, owner) as unpacker:
        for tar, path, member in _members(source):
            if path:
                unpacker.add(tar, path, member)
    return unpacker.notes


def _members(
    source: BinaryIO,
) -> Iterator[tuple[tarfile.TarFile, tuple[str, ...], tarfile.TarInfo]]:
    """What is packed, in its order: every directory directly before what is in it."""
    chain: tuple[str, ...] = ()
    with _open(source) as tar:
        while (member := _next(tar)) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # or it keeps them all
            path = _parse_path(member.name, member.name)
            if path:
                while path[: len(chain)] != chain:
                    chain = chain[:-1]
                if chain != path[:-1]:
                    raise _tampered(member.name, "it stands in no directory of the backup")
                _check_kind(member, path)
            if member.isdir():
                chain = path
            yield tar, path, member


def _open(source: BinaryIO) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=source, mode="r:")
    except tarfile.TarError as error:
        raise _tampered("a part of it", str(error)) from None


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except (tarfile.TarError, ValueError) as error:
        raise _tampered("a part of it", str(error)) from None


def _parse_path(text: str, name: str) -> tuple[str, ...]:
    parts = text.removeprefix("./").split("/") if text not in {".", "./"} else []
    if any(part in {"", ".", ".."} for part in parts):
        raise _tampered(name, "its path leads elsewhere")
    return tuple(parts)


def _check_kind(member: tarfile.TarInfo, path: tuple[str, ...]) -> None:
    try:
        _times(member)
    except ArithmeticError:
        raise _tampered(member.name, "it has no time") from None
    if member.islnk():
        _parse_path(member.linkname, member.name)
    elif member.issym() and len(path) == 1:
        raise _tampered(member.name, "a link stands where a directory has to be")
    elif not (member.isreg() or member.isdir() or member.issym() or member.isdev()):
        raise _tampered(member.name, "it is nothing that a home can hold")


def _tampered(name: str, why: str) -> BackupError:
    return BackupError(f"The backup was tampered with: {name}: {why}; use another one.")


@dataclass(frozen=True)
class _Directory:
    handle: int
    member: tarfile.TarInfo | None


class _Unpacker:
    """Makes one member after the other below the last directory it made."""

    def __init__(self, root: Path, owner: tuple[int, int] | None) -> None:
        self.notes: list[str] = []
        self._owner = owner
        self._is_root = is_root()
        self._directories = [_Directory(os.open(root, _DIRECTORY), None)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        while self._directories:
            self._leave(finish=kind is None)

    def add(self, tar: tarfile.TarFile, path: tuple[str, ...], member: tarfile.TarInfo) -> None:
        """Makes a member of the tar."""
        while len(self._directories) > len(path):
            self._leave(finish=True)
        name, parent = path[-1], self._directories[-1].handle
        try:
            self._make(tar, name, parent, member)
        except FileExistsError:
            raise _tampered(member.name, "it stands there twice") from None

    def _make(self, tar: tarfile.TarFile, name: str, parent: int, member: tarfile.TarInfo) -> None:
        if member.isdir():
            os.mkdir(name, 0o700, dir_fd=parent)
            handle = os.open(name, _DIRECTORY, dir_fd=parent)
            self._directories.append(_Directory(handle, member))
        elif member.isreg():
            handle = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
            try:
                _copy(tar, member, handle)
                self._finish(handle, member)
            finally:
                os.close(handle)
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
            self._give(name, member, dir_fd=parent, follow_symlinks=False)
            os.utime(name, ns=_times(member), dir_fd=parent, follow_symlinks=False)
        elif member.islnk():
            self._link(name, parent, member)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=parent)
            self._give(name, member, dir_fd=parent, follow_symlinks=False)
            os.chmod(name, _mode(member), dir_fd=parent)
            os.utime(name, ns=_times(member), dir_fd=parent, follow_symlinks=False)
        else:
            self.notes.append(f"{member.name} is a device, and was left out")

    def _link(self, name: str, parent: int, member: tarfile.TarInfo) -> None:
        *between, last = _parse_path(member.linkname, member.name)
        folder = os.dup(self._directories[0].handle)
        try:
            for part in between:
                deeper = os.open(part, _DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = deeper
            os.link(last, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            self.notes.append(f"{member.name} is the same file as one that is not in the backup")
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                raise _tampered(member.name, "its path leads elsewhere") from None
            raise
        finally:
            os.close(folder)

    def _leave(self, *, finish: bool) -> None:
        directory = self._directories.pop()
        try:
            if finish and directory.member:
                self._finish(directory.handle, directory.member)
        finally:
            os.close(directory.handle)

    def _finish(self, handle: int, member: tarfile.TarInfo) -> None:
        self._give(handle, member)
        os.chmod(handle, _mode(member))
        os.utime(handle, ns=_times(member))

    def _give(self, what: int | str, member: tarfile.TarInfo, **how: Any) -> None:
        if self._is_root:
            os.chown(what, *(self._owner or (member.uid, member.gid)), **how)


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_ZEROS = bytes(CHUNK)


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, handle: int) -> None:
    """A file's content; where there is nothing but zeros, a hole."""
    source = tar.extractfile(member)
    assert source is not None  # noqa: S101 - it is a file
    with source:
        while chunk := source.read(CHUNK):
            if chunk == _ZEROS[: len(chunk)]:
                os.lseek(handle, len(chunk), os.SEEK_CUR)
            else:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(handle, rest) :]
    os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR))


def _mode(member: tarfile.TarInfo) -> int:
    """As recorded; but a file of root's that lends root's rights is nothing homes have."""
    return member.mode & (0o1777 if member.uid == _ROOT else 0o7777)


def _times(member: tarfile.TarInfo) -> tuple[int, int]:
    """Access and modification time in nanoseconds, which tarfile's float cannot tell apart."""
    told = member.pax_headers.get("mtime") or str(int(member.mtime))
    mtime = int(Decimal(told) * 10**9)
    return mtime, mtime


def _allow_many_files() -> None:
    """A directory stays open while what is in it is unpacked, and they can be deep."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
