"""A project's definition as files: what is bundled of it, and how it differs from another."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from kernels.errors import ProjectError
from kernels.projects import Project

_CLIENT = "client.toml"


def definition_files(project: Project) -> Iterator[tuple[str, Path]]:
    """The files of a project and its client, under the names that a bundle gives them.

    Hidden files are no part of it.

    Raises:
        ProjectError: one of them is a link that leaves the project.
    """
    yield f"projects/{project.client}/{_CLIENT}", project.path.parent / _CLIENT
    for path in _files(project.path):
        if not path.resolve().is_relative_to(project.path.resolve()):
            raise ProjectError(
                f"{path}: found a link that leaves the project, expected a file of its own."
            )
        yield f"projects/{project.slug}/{path.relative_to(project.path).as_posix()}", path


def find_difference(directory: Path, wanted: Mapping[str, str]) -> str | None:
    """The first file of a project in `directory` that has not the sha256 that `wanted` gives it."""
    found = {path.relative_to(directory).as_posix(): path for path in _files(directory)}
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found or _sha256(found[name]) != wanted.get(name):
            return name
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(directory: Path) -> list[Path]:
    return [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    ]
