"""From which commit a project comes, read without git."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dulwich import porcelain

from kernels.commits import find_commit
from kernels.projects import Project

MakeProject = Callable[..., Project]
PERSON = b"Anna <anna@example.com>"


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project("a/b", channels=("conda-forge",))


def commit(root: Path) -> str:
    if not (root / ".git").exists():
        porcelain.init(root)
    porcelain.add(root, [path for path in root.rglob("*") if ".git" not in path.parts])
    return porcelain.commit(root, message=b"one", author=PERSON, committer=PERSON).decode()


def test_without_a_repository_there_is_none(project: Project) -> None:
    assert find_commit(project) is None


def test_the_projects_directory_may_be_a_repository_or_stand_in_one(
    project: Project, projects: Path
) -> None:
    for root in (projects, projects.parent):
        expected = commit(root)
        assert find_commit(project) == expected
        (root / ".git").rename(root.parent / f"away-{root.name}")


@pytest.mark.parametrize("name", ["environment.yml", "project.toml"])
def test_a_changed_definition_is_marked_and_another_file_is_not(
    project: Project, projects: Path, name: str
) -> None:
    expected = commit(projects)
    (project.examples / "new.ipynb").write_text("{}")
    assert find_commit(project) == expected
    before = (project.path / name).read_text()
    (project.path / name).write_text(f"{before}# changed\n")
    assert find_commit(project) == f"{expected}+"
    (project.path / name).write_text(before)
    assert find_commit(project) == expected
    (project.path / name).unlink()
    assert find_commit(project) == f"{expected}+"


def test_a_project_that_was_never_committed_is_marked(
    project: Project, projects: Path, make_project: MakeProject
) -> None:
    expected = commit(projects)
    assert find_commit(make_project("a/new", channels=("conda-forge",))) == f"{expected}+"


def test_a_repository_without_a_commit_or_that_is_damaged_gives_none(
    project: Project, projects: Path
) -> None:
    (projects / ".git").mkdir()
    assert find_commit(project) is None
    (projects / ".git").rmdir()
    porcelain.init(projects)
    assert find_commit(project) is None
    made = commit(projects)
    (projects / f".git/objects/{made[:2]}/{made[2:]}").unlink()
    assert find_commit(project) is None
    (projects / ".git/HEAD").write_text("nonsense\n")
    assert find_commit(project) is None


def test_a_work_tree_whose_repository_is_not_mounted_gives_none(
    project: Project, projects: Path
) -> None:
    (projects / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert find_commit(project) is None
