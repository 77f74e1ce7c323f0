"""Puts a new project under `projects/`: all of it appears by one rename, or nothing does.

What a killed writer left is in a hidden directory, which nobody reads and the next writer removes.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernels.draft.plan import Draft
from kernels.environment_yml import load_requirements
from kernels.errors import ProjectError
from kernels.files import hold_file, remove_leftovers, remove_tree
from kernels.projects import Project, load_projects

_SCRATCH = ".new-"
_LOCK = ".new.lock"


def refuse_taken(project: Project) -> None:
    """Raises ProjectError if there is such a project, or anything else, at its place."""
    if project.path.exists() or project.path.is_symlink():
        raise ProjectError(
            f"{project.path}: there is a project '{project.slug}' already; edit its "
            "environment.yml, or choose another name."
        )


def make_project(draft: Draft, projects: Path) -> Project:
    """Writes a draft as a project; its client too if it is new.

    Raises:
        ProjectError: there is one already, `projects` cannot be written, or what would stand
            there is not a project.
    """
    try:
        projects.mkdir(parents=True, exist_ok=True)
        with _alone(projects):
            refuse_taken(draft.project)
            scratch = Path(tempfile.mkdtemp(dir=projects, prefix=_SCRATCH))
            try:
                _write(draft, scratch)
                _check(draft, scratch)
                _put_in_place(draft, scratch)
            finally:
                remove_tree(scratch)
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise ProjectError(
            f"{draft.project.slug}: {projects} could not be written "
            f"({error.strerror or error}{where}); nothing was changed. Where projects are mounted "
            "read-only, run this on the host, beside the checkout that they come from."
        ) from None
    return load_projects(projects).find(draft.project.slug)


@contextmanager
def _alone(projects: Path) -> Iterator[None]:
    """Nobody else makes a project there meanwhile; nothing is left of those who were killed."""
    lock = projects / _LOCK
    with hold_file(lock):
        try:
            remove_leftovers(projects, _SCRATCH)
            yield
        finally:
            lock.unlink()


def _write(draft: Draft, scratch: Path) -> None:
    client = scratch / draft.project.client
    path = client / draft.project.name
    path.mkdir(parents=True)
    (client / "client.toml").write_text(draft.client_toml, encoding="utf-8")
    for name, text in draft.files.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")


def _check(draft: Draft, scratch: Path) -> None:
    """What was written can be read back as the project that was meant."""
    found = load_projects(scratch)
    for problem in found.problems:
        raise problem
    load_requirements(found.find(draft.project.slug).environment_yml)


def _put_in_place(draft: Draft, scratch: Path) -> None:
    client = draft.project.path.parent
    made = scratch / draft.project.client
    if not client.exists():
        made.rename(client)
        return
    if not (client / "client.toml").exists():
        (made / "client.toml").rename(client / "client.toml")
    (made / draft.project.name).rename(draft.project.path)
