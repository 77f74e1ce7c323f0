"""A publication is a `kernel.json` that appears whole, and examples that are the project's."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernels.build import build_environment
from kernels.errors import ProjectError, StoreError
from kernels.lock import make_lock
from kernels.projects import Project
from kernels.publish import publish, published_version, sync_examples
from kernels.store import Environment, Store

MakeProject = Callable[..., Project]


def quiet(_step: str) -> None:
    pass


def build(project: Project, store: Store) -> Environment:
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def kernel(store: Store, name: str) -> dict[str, object]:
    file = store.root / "a/b/kernels" / name / "kernel.json"
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_a_publication_in_full(make_project: MakeProject, store: Store, channel: Any) -> None:
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    environment = build_environment(project, lock, store, quiet)
    assert published_version(project, store) is None
    publish(project, environment, store)
    prefix = str(store.target(environment.path))
    stable = {
        "argv": [f"{prefix}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "A · B",
        "language": "python",
        "interrupt_mode": "signal",
        "env": {
            "PATH": f"{prefix}/bin:${{PATH}}",
            "CONDA_PREFIX": prefix,
            "CONDA_SHLVL": "1",
            "CONDA_DEFAULT_ENV": "a_b_v1",
            "CONDA_PROMPT_MODIFIER": "(a_b_v1) ",
            "PYTHONNOUSERSITE": "1",
        },
        "metadata": {
            "debugger": True,
            "perijove": {
                "client": "a",
                "project": "b",
                "version": 1,
                "pinned": False,
                "description": "A test.",
                "python": lock.python,
                "lock": lock.digest,
                "channels": [f"{channel.url}/"],
            },
        },
    }
    found = kernel(store, "a.b")
    assert {key: found[key] for key in stable} == stable
    pinned = kernel(store, "a.b.v1")
    assert pinned["display_name"] == "A · B (v1)"
    assert pinned["argv"] == stable["argv"]
    assert pinned["metadata"]["perijove"]["pinned"] is True  # type: ignore[index]
    assert published_version(project, store) == 1


def test_a_newer_version_takes_the_stable_name_and_the_older_keeps_its_own(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    first = build(project, store)
    publish(project, first, store)
    before = kernel(store, "a.b.v1")
    second = build(make_project("a/b", "numpy=2.1"), store)
    publish(project, second, store)
    assert published_version(project, store) == 2
    assert kernel(store, "a.b.v1") == before
    assert kernel(store, "a.b")["argv"] == kernel(store, "a.b.v2")["argv"]
    publish(project, first, store)  # back again
    assert published_version(project, store) == 1
    assert {path.name for path in (store.root / "a/b/kernels").iterdir()} == {
        *("a.b", "a.b.v1", "a.b.v2")
    }


def test_nothing_but_the_files_is_left(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b")
    publish(project, build(project, store), store)
    for directory in (store.root / "a/b/kernels").iterdir():
        assert "kernel.json" in {path.name for path in directory.iterdir()}
        assert not [path for path in directory.iterdir() if path.name.startswith(".")]


def test_examples_are_the_same_as_the_projects(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b")
    published = store.project(project) / "examples"
    (project.examples / "sub/.ipynb_checkpoints").mkdir(parents=True)
    (project.examples / "one.ipynb").write_text("1")
    (project.examples / "sub/two.ipynb").write_text("2")
    (project.examples / "sub/.ipynb_checkpoints/two.ipynb").write_text("old")
    sync_examples(project, store)
    directory = published.stat().st_ino
    found = {path.relative_to(published).as_posix(): path for path in published.rglob("*")}
    assert set(found) == {"one.ipynb", "sub", "sub/two.ipynb"}
    assert stat.S_IMODE(found["one.ipynb"].stat().st_mode) == 0o444

    (project.examples / "one.ipynb").write_text("1 changed")
    (project.examples / "sub/two.ipynb").unlink()
    (published / ".copying-left").write_text("by a killed publisher")
    sync_examples(project, store)
    assert [path.name for path in published.rglob("*")] == ["one.ipynb"]
    assert (published / "one.ipynb").read_text() == "1 changed"
    assert published.stat().st_ino == directory  # running workspaces have it mounted


def test_a_directory_may_become_a_file_and_a_file_a_directory(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    (project.examples / "x").mkdir()
    (project.examples / "x/n.ipynb").write_text("1")
    (project.examples / "y").write_text("1")
    sync_examples(project, store)
    (project.examples / "x/n.ipynb").unlink()
    (project.examples / "x").rmdir()
    (project.examples / "x").write_text("2")
    (project.examples / "y").unlink()
    (project.examples / "y").mkdir()
    (project.examples / "y/n.ipynb").write_text("2")
    sync_examples(project, store)
    published = store.project(project) / "examples"
    assert (published / "x").read_text() == (published / "y/n.ipynb").read_text() == "2"


def test_a_project_needs_no_examples(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b")
    project.examples.rmdir()
    sync_examples(project, store)
    assert list((store.project(project) / "examples").iterdir()) == []


def test_an_example_that_links_out_of_the_project_is_refused(
    make_project: MakeProject, store: Store, tmp_path: Path
) -> None:
    project = make_project("a/b")
    (tmp_path / "secret").write_text("another client's")
    (project.examples / "x.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(ProjectError) as caught:
        sync_examples(project, store)
    assert str(caught.value) == (
        f"{project.examples}/x.ipynb: found a link that leaves the project's examples, expected a "
        "file of the project's own."
    )
    assert list((store.project(project) / "examples").iterdir()) == []


def test_a_store_that_cannot_be_written_is_told(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b")
    environment = build(project, store)
    (store.project(project) / "kernels").write_text("in the way")
    with pytest.raises(StoreError, match=r"a/b: the store \S+ could not be written \("):
        publish(project, environment, store)
