"""Takes a bundle in: definitions, packages, then each version built from its lock and published.

Nothing is asked of any channel or registry. Every step may be repeated, so a bundle whose import
was cut off is imported again. Versions keep their numbers, for notebooks name them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernels import history
from kernels.building.archives import archive_path, keep_file
from kernels.building.build import build_environment
from kernels.delivery.received import Received, ReceivedProject
from kernels.delivery.take_definitions import take_definitions
from kernels.locking.lock import Report
from kernels.locking.wheels import wheel_path
from kernels.projects import Project
from kernels.publishing.publish import pinned_environments, publish, published_version, write_kernel
from kernels.store import CACHES, Environment, Store, write_text

Begin = Callable[[str], Report]
"""Gives a reporter for a project."""


@dataclass(frozen=True)
class Taken:
    """What came of a project: its versions, and the one its kernel means now."""

    project: Project
    versions: tuple[int, ...]
    published: int


def receive(
    received: Received, store: Store, directory: Path, begin: Begin, *, replace: bool
) -> list[Taken]:
    """Takes a verified bundle into `store` and the projects `directory`; may be repeated.

    Raises:
        BuildError: a version cannot be built; what was taken before it stays.
        ProjectError: a definition differs from what is there.
        StoreError: the store cannot be written.
    """
    projects = take_definitions(received, directory, replace=replace)
    taken = []
    # Nobody may tidy packages away that no version is made of yet.
    with store.writing(str(received.file)), store.hold(CACHES, shared=True):
        for project, brought in zip(projects, received.projects, strict=True):
            report = begin(project.slug)
            report("copying packages")
            _keep_packages(received, brought, store)
            built = _build(project, brought, store, report)
            _publish(project, brought, built, store)
            report("done")
            published = published_version(project, store) or brought.published
            taken.append(Taken(project, tuple(brought.locks), published))
    return taken


def _keep_packages(received: Received, brought: ReceivedProject, store: Store) -> None:
    for lock in brought.locks.values():
        for package in lock.conda:
            with received.open_package(package) as source:
                keep_file(source, archive_path(package, store), package.sha256)
        for wheel in lock.pip:
            with received.open_package(wheel) as source:
                keep_file(source, wheel_path(store.wheels, wheel), wheel.sha256)


def _build(
    project: Project, brought: ReceivedProject, store: Store, report: Report
) -> dict[int, Environment]:
    before = {environment.version for environment in store.environments(project)}
    built = {}
    for version, lock in brought.locks.items():
        built[version] = build_environment(
            project, lock, store, _prefixed(report, f"v{version}"), version=version
        )
        if version not in before:
            with store.writing(project.slug), store.hold(project.kernel_name):
                history.record(project, store, "imported", version=version, lock=lock.digest)
    return built


def _prefixed(report: Report, prefix: str) -> Report:
    return lambda step: report(f"{prefix}: {step}")


def _publish(
    project: Project, brought: ReceivedProject, built: dict[int, Environment], store: Store
) -> None:
    """Publishes what was published, but for a newer version that the site has published since."""
    with store.writing(project.slug), store.hold(project.kernel_name):
        published = published_version(project, store)
        pinned = {environment.version for environment in pinned_environments(project, store)}
        for version, environment in built.items():
            if version not in pinned and version != brought.published:
                lock = brought.locks[version]
                write_kernel(project, environment, lock, store, pinned=True)
        newest = max(environment.version for environment in store.environments(project))
        if newest in brought.locks:
            # As if it were locked here: nothing is solved anew where there is nobody to ask.
            write_text(store.lock_file(project), brought.locks[newest].text)
    if published is None or published < brought.published:
        publish(project, built[brought.published], store)
