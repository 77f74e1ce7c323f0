"""What the store takes on disk, and whether a build still fits.

Environments are hard links into the caches, so most of what they seem to take is there once. Sizes
are in bytes of disk blocks. What an environment has to itself is counted when it is built; the rest
of the store is its caches, which are measured.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kernels.errors import StoreError
from kernels.locking.lock import Lock
from kernels.locking.wheels import wheel_path
from kernels.store import FINISHED, Environment, Store

BLOCK = 512
"""The unit of `st_blocks`, whatever the file system's own block is (POSIX)."""
_EXPANSION = 5.5
"""Bytes on disk, bytecode included, of one byte of package: 5.3 of 200 MB, measured on 90 wheels
made into packages; channels compress harder."""
_OWN = 8 * 1024**2
"""About what an environment of which all packages are cached takes: its own files and folders."""


@dataclass(frozen=True)
class Size:
    """What an environment takes: all its files (`apparent`), and those no cache has (`own`)."""

    apparent: int
    own: int


@dataclass(frozen=True)
class StoreSize:
    """What a store takes (`real`), and what it would without hard links (`apparent`)."""

    real: int
    apparent: int


def load_size(environment: Environment) -> Size:
    """What was counted when it was built; measured now for one that is older than the counting."""
    told = json.loads((environment.path / FINISHED).read_text(encoding="utf-8")).get("size")
    return Size(**told) if told else measure(environment.path)


def measure(*paths: Path) -> Size:
    """What files and directories take; a file of several names counts for each as `apparent`."""
    apparent = own = 0
    for path in _files(paths):
        found = os.lstat(path)
        apparent += found.st_blocks * BLOCK
        own += found.st_blocks * BLOCK if found.st_nlink == 1 else 0
    return Size(apparent, own)


def measure_store(store: Store, environments: Iterable[Environment]) -> StoreSize:
    """What the store takes with these environments, which should be all it has."""
    sizes = [load_size(environment) for environment in environments]
    caches = sum(measure(cache).apparent for cache in store.caches if cache.is_dir())
    own = sum(size.own for size in sizes)
    return StoreSize(caches + own, caches + sum(size.apparent for size in sizes))


def ensure_room(slug: str, lock: Lock, store: Store) -> None:
    """Refuses a build that would not fit, before it starts.

    Raises:
        StoreError: with what it would take (an estimate) and what there is.
    """
    need, count = _estimate(lock, store)
    free = shutil.disk_usage(store.root).free
    what = f"{slug}: the build would take about {show_size(need)} ({count} new packages)"
    if need > free:
        raise StoreError(
            f"{what}, and the disk of {store.root} has {show_size(free)} left; run 'perijove gc', "
            "or make room."
        )
    if store.max_size is None:
        return
    used = measure_store(store, store.all_environments()).real
    if used + need > store.max_size:
        raise StoreError(
            f"{what}, and the store has {show_size(max(0, store.max_size - used))} left of the "
            f"{show_size(store.max_size)} it may take; run 'perijove gc', or allow it more "
            "(PERIJOVE_STORE_MAX_SIZE)."
        )


def show_size(size: float) -> str:
    """A size for people, in powers of 1024 as `du -h` gives them: `1.4 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - four digits are not for people
            return f"{size:.1f} {unit}" if unit == "GB" else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _estimate(lock: Lock, store: Store) -> tuple[int, int]:
    """Bytes that building would add, and how many packages of it are not in the caches."""
    conda = [
        package.size or 0
        for package in lock.conda
        if not (store.packages / package.cache_name).is_dir()
    ]
    tag = f"cpython-{lock.python_minor.replace('.', '')}"
    wheels = [
        wheel_path(store.wheels, wheel)
        for wheel in lock.pip
        if not (store.bytecode / f"{wheel.sha256}-{tag}").is_dir()
    ]
    # A wheel is unpacked into each environment; its bytecode tells whether there was one before.
    size = sum(conda) + sum(path.stat().st_size for path in wheels if path.exists())
    return _OWN + round(size * _EXPANSION), len(conda) + len(wheels)


def _files(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        if path.is_file():
            yield str(path)
        for folder, _, names in os.walk(path):
            yield from (f"{folder}/{name}" for name in names)
