"""What nobody needs goes, as much as is asked for; what anybody needs stays, whoever is killed."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernels import conda
from kernels.building.build import build_environment
from kernels.building.check import check_kernel
from kernels.disk import collect as collecting
from kernels.disk.collect import Plan, collect, plan_collection
from kernels.disk.room import measure_store
from kernels.history import load_history
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import FINISHED, Environment, Store, ensure_store
from tests.kernels.cut import cut_off

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]

pytestmark = pytest.mark.slow  # most of it builds three versions from nothing

OLD, NEW, NEWEST = "numpy=1.26", "numpy=2.1", "matplotlib-base=3.9"


def quiet(_step: str) -> None:
    pass


def build(project: Project, store: Store) -> Environment:
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def withdraw(project: Project, store: Store, version: int) -> None:
    shutil.rmtree(store.project(project) / f"kernels/{project.kernel_name}.v{version}")


@pytest.fixture
def versions(make_project: MakeProject, cold_store: Store) -> list[Environment]:
    """Three versions, published one after the other; the pinned kernel of the first is gone."""
    made = []
    for spec in (OLD, NEW, NEWEST):
        project = make_project("a/b", spec)
        made.append(build(project, cold_store))
        publish(project, made[-1], cold_store)
    withdraw(project, cold_store, 1)
    return made


def plan(store: Store, keep: int = 1, max_size: int | None = None) -> Plan:
    return plan_collection(store, keep=keep, max_size=max_size)


def titles(planned: Plan) -> list[str]:
    return [removal.title for removal in planned.removals]


def starts(environment: Environment, store: Store) -> None:
    told = json.loads((environment.path / FINISHED).read_text())
    check_kernel(environment, store, told["variables"])


@contextmanager
def running(environment: Environment, store: Store, tmp_path: Path) -> Iterator[None]:
    """A Python of the environment, started as a person in a workspace would."""
    python = str(store.target(environment.path) / "bin/python")
    argv = as_seen_by_workspaces(
        [python, "-c", "print(1, flush=True); input()"],
        store,
        environment.path.parents[1],
        tmp_path,
    )
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"1\n"
        yield
        process.stdin.close()


def test_what_is_neither_published_nor_among_the_newest_goes_with_what_only_it_needs(
    versions: list[Environment], cold_store: Store
) -> None:
    before = measure_store(cold_store, versions).real
    planned = plan(cold_store)
    assert titles(planned) == ["a/b v1"]
    names = {path.name for path in planned.removals[0].paths}
    assert {versions[0].path.name, "numpy-1.26.4-0"} <= names
    assert "python-3.11.7-0_site_cp311" not in " ".join(names)
    collect(cold_store, planned, keep=1)
    assert [one.version for one in cold_store.all_environments()] == [2, 3]
    assert not (cold_store.packages / "numpy-1.26.4-0").exists()
    after = measure_store(cold_store, cold_store.all_environments()).real
    assert before - after == planned.freed
    assert list(cold_store.removed.iterdir()) == []
    for environment in versions[1:]:
        starts(environment, cold_store)


def test_a_removal_is_in_the_history(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    collect(cold_store, plan(cold_store), keep=1)
    event = load_history(make_project("a/b", NEWEST), cold_store)[-1]
    assert (event.what, event.version) == ("removed", 1)


def test_the_newest_versions_stay_published_or_not(
    versions: list[Environment], cold_store: Store
) -> None:
    assert titles(plan(cold_store, keep=3)) == []
    assert titles(plan(cold_store, keep=2)) == ["a/b v1"]


def test_a_version_that_is_removed_never_gives_its_number_away(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    shutil.rmtree(cold_store.root / "a/b/kernels")
    for environment in versions[1:]:
        shutil.rmtree(environment.path)
    assert build(make_project("a/b", NEW), cold_store).version == 4


def test_a_version_that_a_python_runs_in_stays_and_is_told(
    versions: list[Environment], cold_store: Store, tmp_path: Path
) -> None:
    planned = plan(cold_store)
    with running(versions[0], cold_store, tmp_path):
        assert titles(plan(cold_store)) == []
        assert plan(cold_store).kept == ("a/b v1",)
        assert collect(cold_store, planned, keep=1) == []  # it was started after the plan was made
        starts(versions[0], cold_store)
    assert [one.title for one in collect(cold_store, plan(cold_store), keep=1)] == ["a/b v1"]


def test_what_was_published_again_meanwhile_stays(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    planned = plan(cold_store)
    publish(make_project("a/b", NEWEST), versions[0], cold_store)
    assert collect(cold_store, planned, keep=1) == []
    starts(versions[0], cold_store)


def test_packages_that_were_locked_meanwhile_stay(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    planned = plan(cold_store)
    make_lock(make_project("a/other", OLD), cold_store, quiet)
    collect(cold_store, planned, keep=1)
    assert (cold_store.packages / "numpy-1.26.4-0").is_dir()


def test_a_budget_takes_no_more_than_it_must_and_the_longest_built_first(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    withdraw(make_project("a/b", NEWEST), cold_store, 2)
    size = plan(cold_store).size
    assert titles(plan(cold_store, max_size=size)) == []
    assert titles(plan(cold_store, max_size=size - 1)) == ["a/b v1"]
    assert titles(plan(cold_store, max_size=1)) == ["a/b v1", "a/b v2"]


def test_what_no_version_is_made_of_goes_first(
    versions: list[Environment], cold_store: Store, make_project: MakeProject
) -> None:
    shutil.copytree(cold_store.packages / "numpy-2.1.0-0", cold_store.packages / "numpy-0.1-0")
    planned = plan(cold_store, max_size=plan(cold_store).size - 1)
    assert titles(planned) == ["package numpy-0.1-0"]
    collect(cold_store, planned, keep=1)
    assert not (cold_store.packages / "numpy-0.1-0").exists()


def test_a_wheel_of_a_pip_part_stays_as_long_as_a_version_has_it(
    make_project: MakeProject, make_wheel: MakeWheel, cold_store: Store
) -> None:
    make_wheel("report", "1.0")
    build(make_project("a/b", extra="  - pip: [report]\n"), cold_store)
    build(make_project("a/b"), cold_store)
    assert titles(plan(cold_store, keep=2)) == []
    planned = plan(cold_store)
    kinds = {path.relative_to(cold_store.root).parts[0] for path in planned.removals[0].paths}
    assert kinds == {"a", ".wheels", ".unpacked", ".bytecode"}


def test_a_package_that_came_from_nobody_is_no_reason_to_fail(cold_store: Store) -> None:
    assert plan(cold_store).removals == ()


def collect_all(_step: object, root: Path, mount: Path) -> None:
    place = ensure_store(root, mount)
    collect(place, plan(place), keep=1)


@pytest.mark.parametrize("at", [1, 2, 3, 20])
def test_a_collector_may_be_killed_at_any_point(
    versions: list[Environment], cold_store: Store, at: int, make_project: MakeProject
) -> None:
    steps = ("Path.rename", "os.unlink")
    assert cut_off(collect_all, cold_store.root, cold_store.mount, at=at, counted=steps).is_cut
    for environment in versions[1:]:
        starts(environment, cold_store)
    collect(cold_store, plan(cold_store), keep=1)
    assert list(cold_store.removed.iterdir()) == []
    assert [one.version for one in cold_store.all_environments()] == [2, 3]
    assert titles(plan(cold_store)) == []
    assert build(make_project("a/b", OLD), cold_store).version == 4  # all of it can be had again


def test_a_python_that_starts_while_a_collector_looks_waits_a_moment_and_holds(
    versions: list[Environment], cold_store: Store, tmp_path: Path
) -> None:
    with collecting._taking(versions[1]) as is_free:
        assert is_free
        started = time.monotonic()
        with running(versions[1], cold_store, tmp_path):  # not kept out by whoever holds it alone
            assert time.monotonic() - started < 30
    with running(versions[1], cold_store, tmp_path), collecting._taking(versions[1]) as is_free:
        assert not is_free


def test_the_site_channel_is_indexed_anew_without_what_went(
    make_project: MakeProject,
    make_wheel: MakeWheel,
    cold_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_wheel("ipykernel", "7.0")
    make_wheel("pip", "25.0")
    old = make_wheel("numpy", "1.26.4")
    monkeypatch.setattr(conda, "is_answering", lambda *_: False)
    silent = ("conda-forge",)
    lock = make_lock(make_project("a/b", OLD, channels=silent), cold_store, quiet)
    assert "site" in lock.channels
    old.unlink()
    make_wheel("numpy", "2.1.0")
    make_lock(make_project("a/b", NEW, channels=silent), cold_store, quiet)
    planned = plan(cold_store)
    assert any(title.startswith("package file numpy-1.26.4-") for title in titles(planned))
    assert f"wheel {old.name}" in titles(planned)
    assert not any("numpy-2.1.0" in title for title in titles(planned))
    collect(cold_store, planned, keep=1)
    index = (cold_store.site_channel / "linux-64/repodata.json").read_text()
    assert "numpy-2.1.0" in index
    assert "numpy-1.26.4" not in index
    assert os.listdir(cold_store.removed) == []  # noqa: PTH208
