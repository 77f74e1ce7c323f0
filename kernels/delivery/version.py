"""Which version of a project is delivered, held so that nothing removes it meanwhile."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kernels.building.build import LOCK_COPY
from kernels.delivery.tree import Entry
from kernels.errors import ProjectError, StoreError
from kernels.locking.lock import Lock, load_lock
from kernels.projects import Project
from kernels.publishing.publish import published_version
from kernels.store import FINISHED, Environment, Store


@dataclass(frozen=True)
class Version:
    """A built version of a project, and what it was built from."""

    project: Project
    environment: Environment
    lock: Lock

    @property
    def name(self) -> str:
        """`<client>-<project>-v<N>`, as its files are called."""
        return f"{self.project.client}-{self.project.name}-v{self.environment.version}"


def find_version(project: Project, store: Store, number: int | None) -> Version:
    """The version asked for; without a number the published one, or else the newest.

    Raises:
        StoreError: there is none.
    """
    built = {environment.version: environment for environment in store.environments(project)}
    if not built:
        raise StoreError(
            f"{project.slug} has no built version; run 'perijove build {project.slug}'."
        )
    wanted = number or published_version(project, store) or max(built)
    if wanted not in built:
        known = ", ".join(f"v{one}" for one in built)
        raise StoreError(f"{project.slug} has no version v{wanted}; it has {known}.")
    environment = built[wanted]
    return Version(project, environment, load_lock(environment.path / LOCK_COPY))


@contextmanager
def holding(environment: Environment) -> Iterator[None]:
    """Holds an environment as its running kernels do: it is not removed until the block ends."""
    try:
        file = (environment.path / FINISHED).open("rb")
    except FileNotFoundError:
        raise StoreError(f"{environment.name} has been removed just now.") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def example_entries(project: Project) -> tuple[Entry, ...]:
    """The project's example files, as publishing takes them; a directory before what is in it.

    Raises:
        ProjectError: one of them is a link that leaves the project.
    """
    root = project.examples
    entries: dict[str, Entry] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        relative = path.relative_to(root)
        if not path.is_file() or ".ipynb_checkpoints" in relative.parts:
            continue
        if not path.resolve().is_relative_to(root.resolve()):
            raise ProjectError(
                f"{path}: found a link that leaves the project's examples, expected a file of the "
                "project's own."
            )
        for parent in reversed(Path(relative).parents[:-1]):
            entries[parent.as_posix()] = Entry(parent.as_posix(), None)
        entries[relative.as_posix()] = Entry(relative.as_posix(), path)
    return tuple(entries[name] for name in sorted(entries))
