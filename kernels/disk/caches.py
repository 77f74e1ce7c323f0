"""What the store's caches hold, and which of it the environments are made of.

Everything here can be had again, if need be by asking a channel or the registry.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from packaging.utils import parse_wheel_filename

from kernels.building.build import INSIDE_SHA256
from kernels.building.unpacked import unpacked_name
from kernels.errors import StoreError
from kernels.locking.lock import Lock, load_lock
from kernels.site_channel import NAME as SITE
from kernels.store import Store


class Caches:
    """The caches of a store, as they are when they are first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Path]:
        """Everything that can go by itself: packages, wheels, bytecode, each in one piece."""
        store = self._store
        folders = (store.packages, store.unpacked, store.bytecode, store.wheels, store.archives)
        pieces = [path for folder in folders for path in _children(folder)]
        return [*pieces, *store.site_channel.glob("*/*.conda")]

    def used(self, locks: Iterable[Lock]) -> set[Path]:
        """What these locks are made of, the projects' newest locks, and those still to be built."""
        root = self._store.root
        waiting = [*root.glob("*/*/lock.json"), *root.glob(".restored/*/v*.json")]
        every = [*locks, *(lock for file in waiting if (lock := _readable(file)))]
        inside = set(self._store.bytecode.glob(f"{INSIDE_SHA256}-*"))
        return inside.union(*(self.parts(lock) for lock in every))

    def parts(self, lock: Lock) -> set[Path]:
        """Where the caches keep what a lock names, and what that was made from; there or not."""
        store = self._store
        tag = f"cpython-{lock.python_minor.replace('.', '')}"
        hashes = {one.sha256 for one in lock.conda} | {one.sha256 for one in lock.pip}
        site = [one for one in lock.conda if one.channel == SITE]
        found = {store.packages / one.cache_name for one in lock.conda}
        found |= {store.bytecode / f"{sha256}-{tag}" for sha256 in hashes}
        found |= {store.archives / sha256 for sha256 in hashes}
        found |= {store.wheels / one.sha256 for one in lock.pip}
        found |= {store.unpacked / unpacked_name(one, lock.python_minor) for one in lock.pip}
        found |= {store.site_channel / one.file for one in site}
        return found.union(*(self._wheels_of.get((one.name, one.version), ()) for one in site))

    def title(self, path: Path) -> str:
        """What a piece is called for people."""
        kind = path.relative_to(self._store.root).parts[0]
        file = next((file.name for file in path.iterdir()), path.name) if path.is_dir() else ""
        return {
            ".packages": f"package {path.name}",
            ".unpacked": f"unpacked wheel {path.name[:12]}",
            ".bytecode": f"bytecode of {path.name[:12]}",
            ".wheels": f"wheel {file}",
            ".archives": f"package file {file}",
            ".site-channel": f"package file {path.name}",
        }[kind]

    @cached_property
    def _wheels_of(self) -> dict[tuple[str, str], set[Path]]:
        """The wheels that packages of the site channel were made from, by name and version."""
        found: dict[tuple[str, str], set[Path]] = {}
        for folder in _children(self._store.wheels):
            for file in folder.glob("*.whl"):
                name, version, *_ = parse_wheel_filename(file.name)
                found.setdefault((str(name), str(version)), set()).add(folder)
        return found


def _readable(file: Path) -> Lock | None:
    try:
        return load_lock(file)
    except (StoreError, OSError):
        return None  # nothing is built from it


def _children(cache: Path) -> list[Path]:
    if not cache.is_dir():
        return []
    return [path for path in cache.iterdir() if path.is_dir() and not path.name.startswith(".")]
