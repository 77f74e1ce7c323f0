"""Lets a project's stable kernel mean the version again that it meant before.

History decides which one that is. Every rollback goes further back: a version that was rolled back
from is not taken again, until somebody publishes it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kernels import history
from kernels.building.build import LOCK_COPY
from kernels.errors import StoreError
from kernels.history import Event, load_history
from kernels.locking.lock import load_lock
from kernels.projects import Project
from kernels.publishing.publish import pinned_environments, published_version, write_kernel
from kernels.store import Store


@dataclass(frozen=True)
class Past:
    """What the stable kernel has meant, as far as a rollback asks.

    Attributes:
        way: the versions that led to the one of now, each once, that one last.
        left: those that were rolled back from, and not published since.
    """

    way: tuple[int, ...] = ()
    left: frozenset[int] = frozenset()

    def publish(self, version: int) -> "Past":
        """The past after `version` was published."""
        way = tuple(one for one in self.way if one != version)
        return Past((*way, version), self.left - {version})

    def roll_back(self, version: int) -> "Past":
        """The past after a rollback to `version`."""
        place = self.way.index(version) if version in self.way else 0
        return Past((*self.way[:place], version), (self.left | {*self.way[place:]}) - {version})


def rollback(project: Project, store: Store, to: int | None = None) -> tuple[int, int]:
    """Lets the stable kernel mean an earlier version, or the version `to`; no kernel is started.

    Returns:
        The version it meant, and the one it means now.

    Raises:
        StoreError: there is none to go back to, or the store cannot be written.
    """
    with store.writing(project.slug), store.hold(project.kernel_name):
        current = published_version(project, store)
        if current is None:
            raise StoreError(
                f"{project.slug}: nothing is published, so there is nothing to roll back; run "
                f"'perijove publish {project.slug}'."
            )
        environments = {one.version: one for one in pinned_environments(project, store)}
        wanted = to or plan_rollback(load_history(project, store), current, environments)
        if wanted == current or wanted not in environments:
            raise StoreError(_refusal(project, to, current, environments))
        lock = load_lock(environments[wanted].path / LOCK_COPY)
        write_kernel(project, environments[wanted], lock, store, pinned=False)
        history.record(project, store, "rolled back", version=wanted, lock=lock.digest)
    return current, wanted


def plan_rollback(events: Sequence[Event], current: int, pinned: Collection[int]) -> int | None:
    """The version that a rollback from `current` leads to; None if there is none.

    That is the version published before, if it still has its pinned kernel, or the one before that;
    without any in the history, the next lower number with a pinned kernel.

    Args:
        events: the project's history, oldest first.
        current: what the stable kernel means, whatever history says.
        pinned: the versions that can be gone back to.
    """
    past = plan_past(events)
    if past.way[-1:] != (current,):  # what came last was cut off before it was noted
        past = past.roll_back(current) if current in past.way else past.publish(current)
    before = [version for version in past.way[:-1] if version in pinned]
    lower = [version for version in pinned if version < current and version not in past.left]
    return before[-1] if before else max(lower, default=None)


def plan_past(events: Sequence[Event]) -> Past:
    """What the stable kernel has meant, by a history."""
    past = Past()
    for event in events:
        if event.version is not None and event.what == "published":
            past = past.publish(event.version)
        elif event.version is not None and event.what == "rolled back":
            past = past.roll_back(event.version)
    return past


def _refusal(project: Project, to: int | None, current: int, pinned: Collection[int]) -> str:
    if to == current:
        return f"{project.slug}: its kernel means v{current} already; name another version."
    others = ", ".join(f"v{version}" for version in sorted(pinned) if version != current)
    if to:
        return (
            f"{project.slug}: v{to} is not in the launchers, so nothing can go back to it; "
            f"'perijove publish --version {to} {project.slug}' shows it, if it is built "
            f"(in the launchers: {others or 'no other'})."
        )
    return (
        f"{project.slug}: no version was published before v{current}; choose one with --to "
        f"(in the launchers: {others or 'no other'})."
    )
