"""Notices cached packages whose files are not what their own records say, and has them made anew.

A machine that lost its power, or a disk that was full, can leave files cut off in a cache that
every later environment is linked from. Sizes are compared at each build, beside the kernel's
check; what is in the files is compared where they are delivered (`delivery/`).
"""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

from kernels.building.unpacked import unpacked_name
from kernels.errors import BuildError
from kernels.files import remove_tree
from kernels.locking.lock import Lock
from kernels.store import Store


class DamagedPackagesError(BuildError):
    """Files of packages are not as long as their records say; `packages` holds their sha256."""

    def __init__(self, names: list[str], packages: frozenset[str]) -> None:
        super().__init__(
            f"The cached files of {', '.join(sorted(names))} are damaged, and fetching them anew "
            "did not help; run 'perijove lock' for a version that is whole."
        )
        self.packages = packages


def refuse_damaged(lock: Lock, store: Store) -> None:
    """Compares what the caches hold of a lock's packages with the packages' own records.

    Raises:
        DamagedPackagesError: files are missing, or of another size.
    """
    conda = {one.sha256: _conda_files(store.packages / one.cache_name) for one in lock.conda}
    wheels = {
        one.sha256: _wheel_files(store.unpacked / unpacked_name(one, lock.python_minor))
        for one in lock.pip
    }
    damaged = frozenset(
        sha256 for sha256, files in (conda | wheels).items() if not _are_whole(files)
    )
    if damaged:
        names = {one.sha256: one.name for one in lock.conda}
        names |= {one.sha256: one.name for one in lock.pip}
        raise DamagedPackagesError([names[sha256] for sha256 in damaged], damaged)


def forget_packages(packages: frozenset[str], lock: Lock, store: Store) -> None:
    """Removes everything that the caches made of these packages."""
    for one in lock.conda:
        if one.sha256 in packages:
            remove_tree(store.packages / one.cache_name)
    for wheel in lock.pip:
        if wheel.sha256 in packages:
            remove_tree(store.unpacked / unpacked_name(wheel, lock.python_minor))
    for sha256 in packages:  # it was compiled from what is damaged, maybe
        for path in store.bytecode.glob(f"{sha256}-*"):
            remove_tree(path)


def _conda_files(folder: Path) -> Iterator[tuple[str, int]]:
    """The files of an unpacked conda package with their sizes, by conda's `info/paths.json`."""
    for entry in json.loads((folder / "info/paths.json").read_bytes())["paths"]:
        if entry["path_type"] == "hardlink" and entry.get("size_in_bytes") is not None:
            yield f"{folder}/{entry['_path']}", entry["size_in_bytes"]


def _wheel_files(folder: Path) -> Iterator[tuple[str, int]]:
    """The same of an unpacked wheel, by its RECORD (PEP 376)."""
    for record in folder.glob("lib/*/site-packages/*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as lines:
            for path, _hash, size in csv.reader(lines):
                if size:
                    yield f"{record.parents[1]}/{path}", int(size)


def _are_whole(files: Iterator[tuple[str, int]]) -> bool:
    try:
        return all(os.stat(path).st_size == size for path, size in files)  # noqa: PTH116 - by the thousand: text is faster
    except (OSError, ValueError, KeyError, TypeError):
        return False
