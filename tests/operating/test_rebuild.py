"""A restored store is built again: the same environments, under the same numbers."""

import json
import re
import shutil
from pathlib import Path

import pytest

from kernels.building.build import build_environment
from kernels.errors import BuildError
from kernels.history import load_history
from kernels.locking.lock import ensure_lock, make_lock
from kernels.projects import Project
from kernels.publishing.publish import publish, published_version
from kernels.store import Store, ensure_store
from operating.rebuild import find_waiting, rebuild_restored
from operating.versions import read_versions, write_restored
from tests.kernels.conftest import MakeProject
from tests.operating.conftest import quiet

pytestmark = pytest.mark.slow  # real versions, built twice


def build(project: Project, store: Store) -> int:
    return build_environment(project, make_lock(project, store, quiet), store, quiet).version


def kernels(store: Store) -> dict[str, object]:
    return {
        path.parent.name: json.loads(path.read_text()) for path in store.root.rglob("kernel.json")
    }


@pytest.fixture(name="project")
def _project(make_project: MakeProject, store: Store) -> Project:
    """A project of two versions: both are published, and 1 is the last that was."""
    for version, numpy in enumerate(("1.26.4", "2.1.0"), start=1):
        project = make_project("acme/one", f"numpy={numpy}")
        assert build(project, store) == version
    for environment in reversed(store.environments(project)):
        publish(project, environment, store)
    return project


@pytest.fixture(name="new")
def _new(project: Project, store: Store, tmp_path: Path) -> Store:
    """A store with nothing in it but what a restore writes, where the old one was."""
    versions = read_versions(store)
    shutil.move(store.root, tmp_path / "old")
    new = ensure_store(store.root, store.mount)
    for cache in (new.packages, new.bytecode):
        cache.symlink_to((tmp_path / "old" / cache.name).readlink())
    assert write_restored(new, versions) == 2
    assert write_restored(new, versions) == 2
    return new


def test_versions_and_kernels_come_back_as_they_were(
    project: Project, new: Store, tmp_path: Path
) -> None:
    old = Store(tmp_path / "old", new.mount)
    assert find_waiting(new) == ["acme.one"]
    published = rebuild_restored(project, new, quiet)
    assert published is not None
    assert published.version == published_version(project, new) == 1
    assert kernels(new) == kernels(old)
    names = [environment.path.name for environment in old.environments(project)]
    assert [environment.path.name for environment in new.environments(project)] == names
    assert find_waiting(new) == []
    past = load_history(project, old)
    assert load_history(project, new)[: len(past)] == past
    assert rebuild_restored(project, new, quiet) is None
    # And nothing is solved anew afterwards.
    lock = ensure_lock(project, new, quiet)
    assert lock.text == old.lock_file(project).read_text()
    assert build_environment(project, lock, new, quiet).version == 2


def test_a_version_that_cannot_be_built_does_not_keep_the_others_away(
    project: Project, new: Store
) -> None:
    file = new.root / ".restored/acme.one/v1.json"
    good = file.read_text()
    file.write_text(re.sub('("sha256": ")....', r"\g<1>0000", good))
    with pytest.raises(BuildError, match=rf"acme/one: v1 could not be built.*remove {file}"):
        rebuild_restored(project, new, quiet)
    assert [one.version for one in new.environments(project)] == [2]
    assert published_version(project, new) == 2
    file.write_text(good)
    rebuild_restored(project, new, quiet)
    assert [one.version for one in new.environments(project)] == [1, 2]
    assert published_version(project, new) == 1


def test_a_builder_that_was_killed_between_is_taken_up(
    project: Project, new: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operating.rebuild.publish", killed)
    with pytest.raises(KeyboardInterrupt):
        rebuild_restored(project, new, quiet)
    monkeypatch.undo()
    assert len(new.environments(project)) == 2
    rebuild_restored(project, new, quiet)
    assert published_version(project, new) == 1
