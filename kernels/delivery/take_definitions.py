"""Puts the project definitions of a bundle under the projects directory, each whole or not at all.

What stands there and differs is never written over: it is an error, or is put aside when asked to.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernels.delivery.definitions import find_difference
from kernels.delivery.received import Received, ReceivedProject
from kernels.errors import ProjectError
from kernels.files import hold_file, remove_leftovers, remove_tree
from kernels.projects import Project, load_projects
from kernels.store import write_text

_SCRATCH = ".import-"
_LOCK = ".import.lock"


def take_definitions(received: Received, directory: Path, *, replace: bool) -> list[Project]:
    """Writes the definitions that a bundle brings; may be repeated.

    Args:
        received: the bundle.
        directory: the projects directory.
        replace: put what differs aside, into `<directory>/.replaced-<time>`.

    Returns:
        The projects, as they now stand there.

    Raises:
        ProjectError: one of them differs from what is there, or is none that can be read; nothing
            was written. Or the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with hold_file(directory / _LOCK):
            try:
                _take_all(received, directory, replace=replace)
            finally:
                (directory / _LOCK).unlink(missing_ok=True)
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise ProjectError(
            f"{directory}: the project definitions could not be written "
            f"({error.strerror or error}{where}); make room or give leave, and run it again."
        ) from error
    found = load_projects(directory)
    return [found.find(project.slug) for project in received.projects]


def _take_all(received: Received, directory: Path, *, replace: bool) -> None:
    with _unpacked(received, directory) as unpacked:
        _check(received, unpacked)
        if not replace:
            _refuse_others(received, directory)
        aside = directory / f".replaced-{time.strftime('%Y%m%d-%H%M%S')}"
        for project in received.projects:
            _take(project, unpacked, directory, aside)


@contextmanager
def _unpacked(received: Received, directory: Path) -> Iterator[Path]:
    remove_leftovers(directory, _SCRATCH)
    unpacked = Path(tempfile.mkdtemp(dir=directory, prefix=_SCRATCH))
    try:
        unpacked.chmod(0o755)
        for project in received.projects:
            top = unpacked / project.slug
            for name in project.files:
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                with (
                    received.open_definition(project, name) as source,
                    (top / name).open("wb") as copy,
                ):
                    shutil.copyfileobj(source, copy)
            (top.parent / "client.toml").write_bytes(project.client_toml)
        yield unpacked
    finally:
        if unpacked.exists():
            remove_tree(unpacked)


def _check(received: Received, unpacked: Path) -> None:
    """Refuses what the platform could not read: it would say so for ever after."""
    read = load_projects(unpacked)
    for problem in read.problems:
        text = str(problem).replace(str(unpacked), "projects")
        raise ProjectError(f"{received.file}: nothing was written: {text}")
    for project in received.projects:
        read.find(project.slug)


def _refuse_others(received: Received, directory: Path) -> None:
    for project in received.projects:
        name = _difference(project, directory)
        if name is not None:
            raise ProjectError(
                f"{directory / name}: not what the bundle brings, and nothing was written; look at "
                "both, and run it again with --replace to put what is there aside."
            )


def _difference(project: ReceivedProject, directory: Path) -> str | None:
    client_toml = directory / project.client / "client.toml"
    if client_toml.exists() and client_toml.read_bytes() != project.client_toml:
        return f"{project.client}/client.toml"
    path = directory / project.slug
    found = find_difference(path, project.files) if path.exists() else None
    return None if found is None else f"{project.slug}/{found}"


def _take(project: ReceivedProject, unpacked: Path, directory: Path, aside: Path) -> None:
    client = directory / project.client
    client.mkdir(exist_ok=True)
    if not (client / "client.toml").exists() or (
        (client / "client.toml").read_bytes() != project.client_toml
    ):
        if (client / "client.toml").exists():
            _put_aside(client / "client.toml", aside / project.client)
        write_text(client / "client.toml", project.client_toml.decode())
    path = directory / project.slug
    if path.exists() and find_difference(path, project.files) is None:
        return
    if path.exists():
        _put_aside(path, aside / project.client)
    (unpacked / project.slug).rename(path)


def _put_aside(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (shutil.copy2 if path.is_file() else Path.rename)(path, folder / path.name)
