"""Package files kept as they were delivered: `<store>/.archives/<sha256>/<subdir>/<file>`.

A lock names packages by their sha256, so a file kept under it stands in for the channel's, whatever
the channel is and whether it answers. This is how a site without a network builds.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO

from kernels.conda import CondaPackage
from kernels.errors import BuildError
from kernels.files import hold_file, remove_leftovers, remove_tree
from kernels.store import Store

_SCRATCH = ".keeping-"
_CHUNK = 1 << 20


def archive_path(package: CondaPackage, store: Store) -> Path:
    """Where the file of a package is kept, if it is."""
    return store.archives / package.sha256 / package.file


def with_archives(packages: Iterable[CondaPackage], store: Store) -> list[CondaPackage]:
    """The same packages, those that are kept with the address where they are."""
    return [
        replace(package, channel=(store.archives / package.sha256).as_uri() + "/")
        if archive_path(package, store).exists()
        else package
        for package in packages
    ]


def keep_file(source: IO[bytes], kept: Path, sha256: str) -> None:
    """Keeps a file at `kept`, `<caches' folder>/<sha256>/...`, whole or not at all.

    Raises:
        BuildError: its content has another sha256.
    """
    if kept.exists():
        return
    top = next(parent for parent in kept.parents if parent.name == sha256)
    with hold_file(top.parent / ".lock"):
        remove_leftovers(top.parent, _SCRATCH)
        if kept.exists():
            return
        scratch = Path(tempfile.mkdtemp(dir=top.parent, prefix=_SCRATCH))
        try:
            file = scratch / kept.relative_to(top)
            file.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, file, sha256)
            scratch.chmod(0o755)
            if top.exists():  # with another file of the same content
                kept.parent.mkdir(parents=True, exist_ok=True)
                file.replace(kept)
            else:
                scratch.rename(top)
        finally:
            if scratch.exists():
                remove_tree(scratch)


def _copy(source: IO[bytes], file: Path, sha256: str) -> None:
    summed = hashlib.sha256()
    with file.open("wb") as copy:
        while data := source.read(_CHUNK):
            summed.update(data)
            copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
    if summed.hexdigest() != sha256:
        raise BuildError(f"{file.name}: its content is not what its sha256 says; nothing was kept.")
    file.chmod(0o644)
