"""The store: where environments stand, who may touch them, and how workspaces see them.

    <root>/<client>/<project>/lock.json                   the newest lock
    <root>/<client>/<project>/envs/v<N>-<hash12>/         one built version
    <root>/<client>/<project>/kernels/<kernel>/           what is published
    <root>/<client>/<project>/examples/                   its notebooks
    <root>/.packages .unpacked .bytecode                  what environments are hard links into
    <root>/.wheels .site-channel                          caches; none is mounted anywhere
    <root>/.staging .removed .locks                       work in progress

Only builders write here, one per project at a time. What a workspace may rely on appears by an
atomic rename; all else may be cut off at any moment and is cleaned by the next builder.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels import names
from kernels.channels import PLAIN, Channels
from kernels.errors import StoreError
from kernels.files import hold_file
from kernels.projects import Project

_FORMAT = 1
MOUNT = Path("/opt/perijove")
"""Where a workspace sees the store."""


@dataclass(frozen=True)
class Environment:
    """One built and checked version of a project.

    Attributes:
        client: whose it is.
        project: which project of the client.
        version: its number, counted from 1.
        digest: the first 12 digits of its lock's sha256.
        path: its prefix in the store.
    """

    client: str
    project: str
    version: int
    digest: str
    path: Path

    @property
    def name(self) -> str:
        """`<client>_<project>_v<N>`."""
        return names.environment_name(self.client, self.project, self.version)


@dataclass(frozen=True)
class Store:
    """A store at `root`, which workspaces see at `mount` (by means of the program `bwrap`).

    `max_size` is how many bytes it may take on disk; None is as many as the disk has. `channels` is
    how its builders reach conda channels.
    """

    root: Path
    mount: Path = MOUNT
    bwrap: str = "bwrap"
    max_size: int | None = None
    channels: Channels = PLAIN

    def project(self, project: Project) -> Path:
        """The directory of a project; the only one of it that workspaces see."""
        return self.root / project.client / project.name

    def ensure_project(self, project: Project) -> None:
        """Makes the directories of a project that workspaces mount; may be repeated."""
        (self.project(project) / "examples").mkdir(parents=True, exist_ok=True)

    def environments(self, project: Project) -> list[Environment]:
        """The finished versions of a project, oldest first."""
        directory = self.project(project) / "envs"
        found = []
        for path in directory.iterdir() if directory.is_dir() else ():
            parsed = names.parse_prefix_name(path.name)
            if parsed and (path / FINISHED).exists():
                found.append(Environment(project.client, project.name, *parsed, path))
        return sorted(found, key=lambda environment: environment.version)

    def projects(self) -> list[Project]:
        """All projects that the store has anything of; of some only the names are known."""
        return [
            stand_in(path.parent.name, path.name)
            for path in sorted(self.root.glob("*/*"))
            if names.is_name(path.parent.name) and names.is_name(path.name) and path.is_dir()
        ]

    def all_environments(self) -> list[Environment]:
        """The finished versions of every project."""
        return [one for project in self.projects() for one in self.environments(project)]

    def lock_file(self, project: Project) -> Path:
        """Where the newest lock of a project stands."""
        return self.project(project) / "lock.json"

    def target(self, path: Path) -> Path:
        """How a workspace calls what stands at `path` in the store."""
        return self.mount / path.relative_to(self.root)

    @property
    def packages(self) -> Path:
        """Extracted conda packages; environments are hard links to these."""
        return self.root / ".packages"

    @property
    def bytecode(self) -> Path:
        """Compiled Python files, by package."""
        return self.root / ".bytecode"

    @property
    def wheels(self) -> Path:
        """Wheels as the registry gave them."""
        return self.root / ".wheels"

    @property
    def unpacked(self) -> Path:
        """The same unpacked; environments are hard links to these."""
        return self.root / ".unpacked"

    @property
    def archives(self) -> Path:
        """Packages of channels as they were delivered, by their sha256."""
        return self.root / ".archives"

    @property
    def removed(self) -> Path:
        """What is being removed: it has left its place, and goes file by file."""
        return self.root / ".removed"

    @property
    def caches(self) -> tuple[Path, ...]:
        """All that can be had again, if need be by asking a channel or the registry."""
        linked = (self.packages, self.unpacked, self.bytecode)
        return (*linked, self.wheels, self.archives, self.site_channel, self.root / ".repodata")

    @property
    def site_channel(self) -> Path:
        """The conda channel that the site builds itself."""
        return self.root / ".site-channel"

    @contextmanager
    def hold(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Waits until nobody else holds `name`, and holds it, until the process ends at most.

        Any number may hold it `shared` at the same time.
        """
        with hold_file(self.root / ".locks" / f"{name}.lock", shared=shared):
            yield

    @contextmanager
    def writing(self, slug: str) -> Iterator[None]:
        """Says of a project's builder in one sentence what keeps it from writing.

        Raises:
            StoreError: the disk is full, or may not be written to.
        """
        try:
            yield
        except OSError as error:
            where = f" at {error.filename}" if error.filename else ""
            raise StoreError(
                f"{slug}: the store {self.root} could not be written "
                f"({error.strerror or error}{where}); nothing half-made is visible, "
                "try again when that is mended."
            ) from error

    @contextmanager
    def staging(self, project: Project) -> Iterator[Path]:
        """An empty directory on the store's file system, for a builder that holds the project."""
        directory = self.root / ".staging" / project.kernel_name
        # A killed builder's compiler may still be writing: it gets no name of ours to write to.
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            yield Path(tempfile.mkdtemp(dir=directory))
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def stand_in(client: str, name: str) -> Project:
    """A project of which only the names are known."""
    return Project(client, name, Path(), client, name, "", "")


CACHES = "caches"
"""What builders hold shared, and whoever removes what no environment uses holds alone."""
FINISHED = "perijove.json"
"""The file that a prefix gets last; a prefix without it was cut off and does not count."""


def ensure_store(
    root: Path, mount: Path = MOUNT, bwrap: str = "bwrap", channels: Channels = PLAIN
) -> Store:
    """The store at `root`, made if there is none.

    Raises:
        StoreError: `root` cannot be written, or holds a store made for another mount point.
    """
    marker = root / ".store.json"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            write_json(marker, {"format": _FORMAT, "mount": str(mount)})
        made_for = json.loads(marker.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"{root}: the store cannot be written ({error.strerror}); choose another directory "
            "or make this one writable."
        ) from None
    except ValueError:
        raise StoreError(
            f"{marker}: not what a store's marker says; use another directory."
        ) from None
    wanted = {"format": _FORMAT, "mount": str(mount)}
    if made_for != wanted:
        raise StoreError(
            f"{root}: this store was made for {made_for}, but {wanted} is wanted; use another "
            "directory."
        )
    return Store(root, mount, bwrap, channels=channels)


def write_json(path: Path, value: Any) -> None:
    """Replaces `path` by `value` in JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text`, atomically and readable by all.

    What a writer that was killed left behind, the next one writes over.
    """
    scratch = path.with_name(f".{path.name}.new")
    with hold_file(scratch) as file:
        try:
            file.truncate(0)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            scratch.chmod(0o644)
            scratch.replace(path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
