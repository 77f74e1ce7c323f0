"""A bundle that came: read whole, and compared with its checksums before anything is done with it.

It comes from outside, so nothing in it is believed: members are plain files with names that a
bundle has (`sums.py`), each once; every checksum is right; every lock is the one that the manifest
names, and all that it needs is here.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kernels import names
from kernels.conda import CondaPackage
from kernels.delivery.bundle import FORMAT
from kernels.delivery.sums import MANIFEST, SUMS, is_member, parse_sums
from kernels.errors import StoreError
from kernels.locking.lock import Lock, parse_lock
from kernels.locking.wheels import Wheel

_LARGEST = 512 * 1024**2


@dataclass(frozen=True)
class ReceivedProject:
    """A project in a bundle.

    Attributes:
        client: whose it is.
        name: which project of the client.
        client_toml: the client's file.
        files: the sha256 of every file of its definition, by its name in the project.
        locks: by version, in the order of their numbers.
        published: the version that its kernel meant.
    """

    client: str
    name: str
    client_toml: bytes
    files: Mapping[str, str]
    locks: Mapping[int, Lock]
    published: int

    @property
    def slug(self) -> str:
        """`<client>/<project>`."""
        return f"{self.client}/{self.name}"


@dataclass(frozen=True)
class Received:
    """A bundle that was verified, and is still open.

    Attributes:
        file: where it is.
        projects: what it brings.
        images: names of image files in it.
    """

    file: Path
    projects: tuple[ReceivedProject, ...]
    images: tuple[str, ...]
    _tar: tarfile.TarFile
    _by_sha256: Mapping[str, str]

    def open_package(self, package: CondaPackage | Wheel) -> IO[bytes]:
        """The content of a package that a lock in the bundle names."""
        return _open(self._tar, self._by_sha256[package.sha256])

    def open_definition(self, project: ReceivedProject, name: str) -> IO[bytes]:
        """The content of one of the files of a project's definition."""
        return _open(self._tar, f"projects/{project.slug}/{name}")


@contextmanager
def open_bundle(file: Path, sha256: str | None = None) -> Iterator[Received]:
    """Reads and verifies a bundle; with `sha256` also that it is the one with this checksum.

    Raises:
        StoreError: it is not a bundle, not a whole one, or not as it was made.
    """
    try:
        with file.open("rb") as stream:
            if sha256 and hashlib.file_digest(stream, "sha256").hexdigest() != sha256.lower():
                raise _spoilt(file, "its sha256 is another")
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                received = _read(tar, file)
                yield received
    except FileNotFoundError:
        raise StoreError(f"{file}: there is no such bundle.") from None
    except (tarfile.TarError, EOFError) as error:
        raise _spoilt(file, f"it is not whole: {error}") from None


def _read(tar: tarfile.TarFile, file: Path) -> Received:
    sums = _verify(tar, file)
    by_sha256 = {sha256: name for name, sha256 in sums.items() if name.startswith(_PACKAGES)}
    try:
        manifest = json.loads(_content(tar, MANIFEST))
        if manifest["format"] != FORMAT:
            raise StoreError(
                f"{file}: a bundle of format {manifest['format']}, expected {FORMAT}; take it in "
                f"with the version of Perijove that made it ({manifest['perijove']})."
            )
        projects = tuple(_project(tar, sums, told, file) for told in manifest["projects"])
        images = tuple(manifest["images"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _spoilt(file, f"its manifest is not one ({error!r})") from None
    for project in projects:
        for version, lock in project.locks.items():
            packages: list[CondaPackage | Wheel] = [*lock.conda, *lock.pip]
            for package in packages:
                if not _is_safe(package):
                    raise _spoilt(file, f"{package.file!r} is nothing that a package is called")
                if package.sha256 not in by_sha256:
                    raise _spoilt(
                        file, f"{package.file}, which {project.slug} v{version} needs, is not in it"
                    )
    return Received(file, projects, images, tar, by_sha256)


_PACKAGES = ("channels/", "wheels/")
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


def _is_safe(package: CondaPackage | Wheel) -> bool:
    """Whether a package's name and checksum, which become paths, lead nowhere else."""
    wheel = f"wheels/{package.sha256}/x.whl"
    name = (
        f"channels/x/{package.file}"
        if isinstance(package, CondaPackage)
        else (f"wheels/{package.sha256}/{package.file}")
    )
    return is_member(wheel) and is_member(name)


def _verify(tar: tarfile.TarFile, file: Path) -> dict[str, str]:
    """Compares all members with the list of checksums, and gives it."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar.getmembers():
        if member.type not in _PLAIN or not is_member(member.name) or member.name in members:
            raise _spoilt(file, f"{member.name!r} is nothing that a bundle holds")
        members[member.name] = member
    if SUMS not in members or MANIFEST not in members:
        raise _spoilt(file, "its list of checksums is missing")
    try:
        sums = parse_sums(_content(tar, SUMS).decode())
    except ValueError as error:
        raise _spoilt(file, f"its list of checksums is not one ({error})") from None
    for name in sorted(sums.keys() ^ (members.keys() - {SUMS})):
        raise _spoilt(file, f"{name} is in it or in its list of checksums, and not in both")
    for name, sha256 in sums.items():
        with _open(tar, name) as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:  # type: ignore[arg-type]
                raise _spoilt(file, f"{name} is not what its checksum says")
    return sums


def _project(
    tar: tarfile.TarFile, sums: Mapping[str, str], told: Mapping[str, Any], file: Path
) -> ReceivedProject:
    client, _, name = told["project"].partition("/")
    if not names.is_name(client) or not names.is_name(name):
        raise _spoilt(file, f"{told['project']!r} is no project's name")
    below = f"projects/{client}/{name}/"
    locks = {}
    for number, digest in told["versions"].items():
        version = int(number)
        text = _content(tar, f"locks/{client}/{name}/v{version}.json")
        lock = parse_lock(text.decode(), Path(f"{file}:locks/{client}/{name}/v{version}.json"))
        # The manifest's digest, and the lock's own form: what is read is all that is in it.
        if lock.digest != digest or lock.text.encode() != text or lock.project != told["project"]:
            raise _spoilt(file, f"the lock of {told['project']} v{version} is not the one it names")
        locks[version] = lock
    if told["published"] not in locks:
        raise _spoilt(file, f"{told['project']} has no lock for what was published")
    return ReceivedProject(
        client,
        name,
        client_toml=_content(tar, f"projects/{client}/client.toml"),
        files={one.removeprefix(below): sums[one] for one in sorted(sums) if one.startswith(below)},
        locks=dict(sorted(locks.items())),
        published=told["published"],
    )


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    with _open(tar, name) as content:
        return content.read(_LARGEST)


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _spoilt(file: Path, why: str) -> StoreError:
    return StoreError(
        f"{file}: not the bundle that was made: {why}. Nothing was changed; have it sent again."
    )
