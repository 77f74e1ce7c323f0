"""A publication is a `kernel.json` that appears whole, and examples that are the project's."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from kernels.building.build import build_environment
from kernels.errors import ProjectError, StoreError
from kernels.history import load_history
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.publishing.publish import (
    pinned_environments,
    publish,
    published_version,
    retire,
    sync_examples,
)
from kernels.store import Environment, Store, ensure_store
from tests.kernels import pretend
from workspace.kernelspecs import StoreKernelSpecManager

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
    overlay = "${HOME}/.local/share/perijove/overlays/a/b/v1"
    stable = {
        "argv": [f"{prefix}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "A · B",
        "language": "python",
        "interrupt_mode": "signal",
        "env": {
            "PATH": f"{overlay}/bin:{prefix}/bin:${{PATH}}",
            "CONDA_PREFIX": prefix,
            "CONDA_SHLVL": "1",
            "CONDA_DEFAULT_ENV": "a_b_v1",
            "CONDA_PROMPT_MODIFIER": "(a_b_v1) ",
            "PYTHONUSERBASE": overlay,
        },
        "metadata": {
            "debugger": True,
            "perijove": {
                "client": "a",
                "project": "b",
                "version": 1,
                "pinned": False,
                "description": "A test.",
                "owner": "a@b.example",
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


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Store:
    return ensure_store(tmp_path / "place", tmp_path / "place")


@pytest.fixture(name="three")
def _three(make_project: MakeProject, place: Store) -> Project:
    """A project of which three versions are published."""
    project: Project = make_project("a/b", channels=("conda-forge",))
    for version in (1, 2, 3):
        publish(project, pretend.build(project, place, version), place)
    return project


def shown(place: Store) -> set[str]:
    return {file.parent.name for file in place.root.glob("a/b/kernels/*/kernel.json")}


def test_a_retired_version_is_gone_from_the_launchers_and_its_environment_stays(
    three: Project, place: Store
) -> None:
    retire(three, [1, 2], place)
    assert shown(place) == {"a.b", "a.b.v3"}
    assert {path.name for path in (place.root / "a/b/kernels").iterdir()} == shown(place)
    assert [one.version for one in place.environments(three)] == [1, 2, 3]
    assert [one.version for one in pinned_environments(three, place)] == [3]
    told = [(event.what, event.version) for event in load_history(three, place)]
    assert told[-2:] == [("retired", 1), ("retired", 2)]
    assert list((place.root / ".staging").iterdir()) == []


def test_a_notebook_on_a_retired_version_finds_no_kernel_until_it_is_published_again(
    three: Project, place: Store
) -> None:
    manager = StoreKernelSpecManager(store=str(place.root))
    argv = manager.get_kernel_spec("a.b.v1").argv
    retire(three, [1], place)
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("a.b.v1")
    publish(three, place.environments(three)[0], place)
    assert manager.get_kernel_spec("a.b.v1").argv == argv


def test_what_the_stable_kernel_means_is_not_retired_and_then_nothing_is(
    three: Project, place: Store
) -> None:
    with pytest.raises(StoreError) as caught:
        retire(three, [1, 3], place)
    assert str(caught.value) == (
        "a/b: v3 is what its kernel means now; publish another version, or roll back, before you "
        "retire it."
    )
    with pytest.raises(StoreError) as caught:
        retire(three, [1, 9], place)
    assert str(caught.value) == ("a/b: v9 is not in the launchers; these versions are: v1, v2, v3.")
    assert shown(place) == {"a.b", "a.b.v1", "a.b.v2", "a.b.v3"}


def test_every_publication_is_in_the_history(three: Project, place: Store) -> None:
    assert [(one.what, one.version) for one in load_history(three, place)] == [
        ("published", version) for version in (1, 2, 3)
    ]
    digests = [one.lock[:12] for one in load_history(three, place)]
    assert digests == [one.digest for one in place.environments(three)]


def test_a_stable_kernel_that_is_none_of_ours_is_told(three: Project, place: Store) -> None:
    file = place.root / "a/b/kernels/a.b/kernel.json"
    file.write_text("{}")
    with pytest.raises(StoreError, match=r"kernel.json: not a kernel that was published"):
        published_version(three, place)
    publish(three, place.environments(three)[1], place)  # which is what the sentence says
    assert published_version(three, place) == 2


PUBLISHER = """
import sys
from pathlib import Path
from kernels.projects import load_projects
from kernels.publishing.publish import publish
from kernels.store import Store

root, projects, *versions = sys.argv[1:]
store, project = Store(Path(root), Path(root)), load_projects(Path(projects)).find("a/b")
built = {one.version: one for one in store.environments(project)}
for version in versions * 5:
    publish(project, built[int(version)], store)
"""


def test_two_publishers_at_once_leave_what_one_of_them_published(
    three: Project, place: Store, projects: Path
) -> None:
    places = [str(place.root), str(projects)]
    publishers = [
        subprocess.Popen([sys.executable, "-c", PUBLISHER, *places, *versions])
        for versions in (("1", "2"), ("3", "1"))
    ]
    while any(publisher.poll() is None for publisher in publishers):
        assert published_version(three, place) in {1, 2, 3}  # whole at every moment
        assert shown(place) == {"a.b", "a.b.v1", "a.b.v2", "a.b.v3"}
    assert [publisher.returncode for publisher in publishers] == [0, 0]
    told = load_history(three, place)
    assert len(told) == 3 + 20
    assert told[-1].version == published_version(three, place)


def test_a_retirement_that_is_killed_leaves_whole_kernels_and_the_next_clears_up(
    three: Project, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_arguments: object, **_keys: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("kernels.history.record", kill)
        patch.setattr("kernels.store.shutil.rmtree", lambda *_a, **_k: None)
        with pytest.raises(Killed):
            retire(three, [1, 2], place)
    assert shown(place) == {"a.b", "a.b.v2", "a.b.v3"}
    assert list(place.root.glob(".staging/a.b/*/v1/kernel.json"))  # what a kill leaves
    retire(three, [2], place)
    assert shown(place) == {"a.b", "a.b.v3"}
    assert list((place.root / ".staging").iterdir()) == []
