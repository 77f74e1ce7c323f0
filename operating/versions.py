"""The versions of every project's environment, as a backup tells and a store takes them up again.

A restored store gets no environments but their locks, for the builder to build from: it alone runs
what is in packages, behind walls. Numbers are kept, for notebooks name them:

    <store>/.restored/<client>.<project>/v<N>.json        the lock to build version N from
    <store>/.restored/<client>.<project>/published.json   which versions are to be chosen from

A project's directory goes when all of it is built. The newest lock is put where it was, so that
nothing is solved anew.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels import names
from kernels.building.build import LOCK_COPY
from kernels.files import remove_tree
from kernels.history import history_file
from kernels.locking.lock import load_lock
from kernels.projects import Project
from kernels.publishing.publish import published_version
from kernels.site_channel import NAME as SITE
from kernels.store import Store, stand_in, write_text
from operating.errors import BackupError
from operating.owners import give

RESTORED = ".restored"
PUBLISHED = "published.json"


@dataclass(frozen=True)
class Version:
    """One version of a project: its number, its lock, and whether it has a pinned kernel."""

    version: int
    digest: str
    pinned: bool
    lock: str


@dataclass(frozen=True)
class Versions:
    """What a store holds of a project.

    Attributes:
        client: whose it is.
        project: which project of the client.
        published: the version that its stable kernel means.
        lock: its newest lock, which may be built or not.
        history: what was done to its versions, line by line; empty in backups older than it.
        versions: the finished ones, oldest first.
    """

    client: str
    project: str
    published: int | None
    lock: str | None
    versions: tuple[Version, ...]
    history: str = ""

    @property
    def slug(self) -> str:
        """`<client>/<project>`."""
        return f"{self.client}/{self.project}"

    @property
    def pinned(self) -> list[int]:
        """The versions that can be chosen by their number."""
        return [one.version for one in self.versions if one.pinned]

    @property
    def directory(self) -> str:
        """The name of its directory among the restored ones."""
        return names.kernel_name(self.client, self.project)


def read_versions(store: Store) -> tuple[Versions, ...]:
    """What a store holds, also of projects that are no longer under `projects/`.

    Raises:
        StoreError: a lock in it cannot be read.
    """
    return tuple(_read(project, store) for project in store.projects())


def _read(project: Project, store: Store) -> Versions:
    kernels, newest = store.project(project) / "kernels", store.lock_file(project)
    past = history_file(project, store)
    versions = []
    for environment in store.environments(project):
        pinned = names.kernel_name(project.client, project.name, environment.version)
        versions.append(
            Version(
                environment.version,
                environment.digest,
                pinned=(kernels / pinned / "kernel.json").exists(),
                lock=(environment.path / LOCK_COPY).read_text(encoding="utf-8"),
            )
        )
    return Versions(
        project.client,
        project.name,
        published=published_version(project, store),
        lock=newest.read_text(encoding="utf-8") if newest.exists() else None,
        versions=tuple(versions),
        history=past.read_text(encoding="utf-8") if past.exists() else "",
    )


def parse_versions(table: Iterable[Mapping[str, Any]]) -> tuple[Versions, ...]:
    """What `asdict` made of them. Raises BackupError if it is not that."""
    try:
        found = tuple(
            Versions(
                **{
                    **entry,
                    "versions": tuple(Version(**version) for version in entry["versions"]),
                }
            )
            for entry in table
        )
        for entry in found:
            _refuse_impossible(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError(
            f"The backup tells of versions that cannot be ({error!r}); use another one."
        ) from None
    return found


def _refuse_impossible(entry: Versions) -> None:
    """Raises ValueError if names or numbers are none that a store gives: they become paths."""
    if not (names.is_name(entry.client) and names.is_name(entry.project)):
        raise ValueError(entry.slug)
    for version in entry.versions:
        if names.parse_prefix_name(f"v{version.version}-{version.digest}") is None:
            raise ValueError(f"{entry.slug} v{version.version}")


def find_packages(store: Store, versions: Iterable[Versions]) -> list[str]:
    """The site channel's packages that locks name: nobody else has them."""
    files = set()
    for entry in versions:
        project = stand_in(entry.client, entry.project)
        locks = [one.path / LOCK_COPY for one in store.environments(project)]
        newest = store.lock_file(project)
        for file in [*locks, *([newest] if newest.exists() else [])]:
            files |= {one.file for one in load_lock(file).conda if one.channel == SITE}
    return sorted(file for file in files if (store.site_channel / file).exists())


def find_conflicts(store: Store, versions: Iterable[Versions]) -> list[Versions]:
    """Those of which the store has a version by the same number that is another one."""
    found = []
    for entry in versions:
        there = store.environments(stand_in(entry.client, entry.project))
        wanted = {one.version: one.digest for one in entry.versions}
        if any(wanted.get(one.version, one.digest) != one.digest for one in there):
            found.append(entry)
    return found


def put_aside(store: Store, versions: Versions, to: str) -> None:
    """Moves what a store holds of a project to its directory `to`, where nobody looks."""
    aside = store.root / to
    aside.mkdir(exist_ok=True)
    give(aside, store.root)
    store.project(stand_in(versions.client, versions.project)).rename(aside / versions.directory)


def write_restored(store: Store, versions: Iterable[Versions]) -> int:
    """Has the builder bring versions back; returns how many it has to build. May be repeated."""
    count = 0
    for entry in versions:
        project = stand_in(entry.client, entry.project)
        if entry.lock is not None:
            _write(store, store.lock_file(project), entry.lock)
        past = history_file(project, store)
        if entry.history and not past.exists():
            _write(store, past, entry.history)
            past.chmod(0o600)  # it names people
        waiting = store.root / RESTORED / entry.directory
        remove_tree(waiting)
        there = _read(project, store)
        numbers = {one.version for one in there.versions}
        missing = [one for one in entry.versions if one.version not in numbers]
        is_published = entry.published in {None, there.published}
        if missing or not is_published or not {*entry.pinned} <= {*there.pinned}:
            table = {"pinned": entry.pinned, "published": entry.published}
            _write(store, waiting / PUBLISHED, json.dumps(table) + "\n")
        for version in missing:
            _write(store, waiting / f"v{version.version}.json", version.lock)
        count += len(missing)
    return count


def _write(store: Store, path: Path, text: str) -> None:
    """Writes a file of the store's, which then belongs to the builder as all of it does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    for made in (path, *path.parents):
        if made == store.root:
            break
        give(made, store.root)
