"""Makes room in the store: which versions and cached packages nobody needs, and removing them.

Never removed is a version that is published (stable or pinned), one of the newest of its project,
or one that a running Python holds (see `inside.py`); and a package that a remaining version or a
newest lock is made of. A version leaves its place by one rename and goes file by file afterwards,
so whoever is killed in between leaves nothing half-there; the next one takes the rest away.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kernels import conda, history, names
from kernels.building.build import LOCK_COPY
from kernels.disk.caches import Caches
from kernels.disk.room import load_size, measure, measure_store
from kernels.files import remove_tree
from kernels.locking.lock import Lock, load_lock
from kernels.publishing.publish import published_version
from kernels.store import CACHES, FINISHED, Environment, Store, stand_in


@dataclass(frozen=True)
class Version:
    """A version that may go: what it is made of, and what it has to itself."""

    environment: Environment
    lock: Lock
    built: int
    own: int

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.environment.client}/{self.environment.project} v{self.environment.version}"


@dataclass(frozen=True)
class Removal:
    """One thing that would go: its name for people, the bytes it frees, and the paths."""

    title: str
    size: int
    paths: tuple[Path, ...]
    version: Version | None = None


@dataclass(frozen=True)
class Plan:
    """What would go, in this order.

    Attributes:
        removals: each with what it frees after those before it.
        size: what the store takes now, in bytes.
        kept: the versions that could go but are in use, for people.
    """

    removals: tuple[Removal, ...]
    size: int
    kept: tuple[str, ...]

    @property
    def freed(self) -> int:
        """What all of it frees, in bytes."""
        return sum(removal.size for removal in self.removals)


def plan_collection(store: Store, *, keep: int, max_size: int | None) -> Plan:
    """What may go: all of it, or as much as it takes to come down to `max_size` bytes.

    First what no version is made of, then versions, those built longest ago first, each with what
    no other version is made of.

    Args:
        store: the store.
        keep: how many of the newest versions of each project stay, 1 at least.
        max_size: what the store may take.

    Raises:
        StoreError: a lock in the store cannot be read.
    """
    environments = store.all_environments()
    locks = {one.path: load_lock(one.path / LOCK_COPY) for one in environments}
    free, kept = _removable(store, environments, locks, keep)
    going = {one.environment.path for one in free}
    caches = Caches(store)
    used = caches.used([lock for path, lock in locks.items() if path not in going])
    later = [caches.parts(one.lock) for one in free]
    cached = {path: measure(path, _lock_beside(path)).apparent for path in caches.all()}
    unused = sorted(set(cached) - used.union(*later))
    removals = [Removal(caches.title(path), cached[path], (path,)) for path in unused]
    for number, (one, parts) in enumerate(zip(free, later, strict=True)):
        still = used.union(*later[number + 1 :])
        alone = sorted(path for path in parts - still if path in cached)
        size = one.own + sum(cached[path] for path in alone)
        removals.append(Removal(one.title, size, (one.environment.path, *alone), one))
    size = measure_store(store, environments).real
    return Plan(tuple(_enough(removals, size, max_size)), size, kept)


def collect(store: Store, plan: Plan, *, keep: int) -> list[Removal]:
    """Removes what `plan` says, as far as it still may go; returns what has gone.

    What has been published, started or locked since the plan was made stays.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.writing("perijove gc"):
        _sweep(store)
        done = [
            removal
            for removal in plan.removals
            if removal.version is None or _remove_version(removal.version, store, keep)
        ]
        with store.hold(CACHES):
            locks = [load_lock(one.path / LOCK_COPY) for one in store.all_environments()]
            caches = Caches(store)
            paths = {path for removal in done for path in removal.paths}
            for path in sorted(paths & set(caches.all()) - caches.used(locks)):
                _take_away(path, store)
            if any(path.is_relative_to(store.site_channel) for path in paths):
                with store.hold("site-channel"):
                    conda.index(store.site_channel)
        _sweep(store)
    return done


def _removable(
    store: Store, environments: Sequence[Environment], locks: dict[Path, Lock], keep: int
) -> tuple[list[Version], tuple[str, ...]]:
    """The versions that may go, built longest ago first; and those that are in use."""
    free, kept = [], []
    for environment in environments:
        if is_needed(environment, store, keep):
            continue
        told = json.loads((environment.path / FINISHED).read_text(encoding="utf-8"))
        own = load_size(environment).own
        one = Version(environment, locks[environment.path], told["built"], own)
        with _taking(environment) as is_free:
            if is_free:
                free.append(one)
            else:
                kept.append(one.title)
    return sorted(free, key=lambda one: (one.built, one.title)), tuple(kept)


def is_needed(environment: Environment, store: Store, keep: int) -> bool:
    """Whether a version is published, or one of the `keep` newest of its project."""
    project = stand_in(environment.client, environment.project)
    newest = [one.version for one in store.environments(project)][-max(1, keep) :]
    pinned = names.kernel_name(environment.client, environment.project, environment.version)
    return (
        environment.version in newest
        or environment.version == published_version(project, store)
        or (store.project(project) / "kernels" / pinned / "kernel.json").exists()
    )


@contextmanager
def _taking(environment: Environment) -> Iterator[bool]:
    """Whether no running Python holds the environment; while asking, none can start to."""
    with (environment.path / FINISHED).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _remove_version(version: Version, store: Store, keep: int) -> bool:
    environment = version.environment
    project = stand_in(environment.client, environment.project)
    with store.hold(project.kernel_name):
        if not environment.path.is_dir() or is_needed(environment, store, keep):
            return False
        with _taking(environment) as is_free:
            if not is_free:
                return False
            # Told first: a line too many is better than a version gone without one.
            number, digest = environment.version, version.lock.digest
            history.record(project, store, "removed", version=number, lock=digest)
            _rename_away(environment.path, store)
    return True


def _enough(removals: list[Removal], size: int, max_size: int | None) -> Iterator[Removal]:
    for removal in removals:
        if max_size is not None and size <= max_size:
            return
        yield removal
        size -= removal.size


def _take_away(path: Path, store: Store) -> None:
    _rename_away(path, store)
    _lock_beside(path).unlink(missing_ok=True)


def _lock_beside(path: Path) -> Path:
    """The file that py-rattler locks while it unpacks a package; others have none."""
    return path.with_name(f"{path.name}.lock")


def _rename_away(path: Path, store: Store) -> None:
    store.removed.mkdir(exist_ok=True)
    path.rename(Path(tempfile.mkdtemp(dir=store.removed)) / path.name)


def _sweep(store: Store) -> None:
    """Takes away what has left its place, now or before somebody was killed."""
    if store.removed.is_dir():
        for path in store.removed.iterdir():
            os.chmod(path, 0o700)  # noqa: PTH101
            remove_tree(path)
