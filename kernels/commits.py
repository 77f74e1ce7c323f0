"""From which commit a project's definition comes, where its directory stands in a git repository.

Read by dulwich, for a builder need not have git. Nothing is written, and no hook or filter runs: a
file counts as changed if its bytes are not those of the commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo

    from kernels.projects import Project

CHANGED = "+"
"""Follows a commit where the project's files are not as they are in it."""
_DEFINITION = ("environment.yml", "project.toml")


def find_commit(project: Project) -> str | None:
    """The commit that is checked out, in full; with a `+` if the project's definition differs.

    None where there is no repository, no commit yet, or nothing that can be read as one.
    """
    if not any((parent / ".git").exists() for parent in (project.path, *project.path.parents)):
        return None  # the usual case in containers; dulwich takes a tenth of a second to import
    from dulwich.errors import NotGitRepository  # noqa: PLC0415 - see above
    from dulwich.repo import Repo  # noqa: PLC0415 - the same

    try:
        with Repo.discover(project.path) as repository:
            head = repository.head()
            is_same = all(_is_committed(repository, head, project, name) for name in _DEFINITION)
    except (NotGitRepository, AttributeError, KeyError, OSError, ValueError):
        return None  # a repository that is damaged, or that stands elsewhere
    return head.decode() + ("" if is_same else CHANGED)


def _is_committed(repository: Repo, head: ObjectID, project: Project, name: str) -> bool:
    from dulwich.objects import Blob, Commit  # noqa: PLC0415 - rarely needed, see above

    commit = repository[head]
    if not isinstance(commit, Commit):
        raise ValueError(head)  # noqa: TRY004 - caught as all that is no repository
    path = (project.path / name).resolve()
    inside = path.relative_to(Path(repository.path).resolve()).as_posix().encode()
    try:
        _, committed = repository.get_object(commit.tree).lookup_path(  # type: ignore[attr-defined]
            repository.get_object, inside
        )
    except KeyError:
        return not path.exists()
    return path.exists() and Blob.from_string(path.read_bytes()).id == committed
