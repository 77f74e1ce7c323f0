"""The check: a kernel that does not start where workspaces see it is told with its own words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.building import build, check
from kernels.building.build import build_environment
from kernels.building.check import check_kernel, kernel_argv
from kernels.errors import CheckError
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.store import Environment, Store

MakeProject = Callable[..., Project]


def quiet(_step: str) -> None:
    pass


@pytest.fixture
def built(make_project: MakeProject, store: Store) -> Environment:
    project = make_project("a/b")
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def test_a_kernel_is_started_by_the_path_of_workspaces(built: Environment, store: Store) -> None:
    python = f"{store.mount}/a/b/envs/{built.path.name}/bin/python"
    assert kernel_argv(built, store) == [
        *(python, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    ]


def test_a_good_kernel_is_no_news(built: Environment, store: Store) -> None:
    check_kernel(built, store, {"PATH": "${PATH}"})


def test_a_kernel_that_ends_at_once_is_told_with_its_last_words(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b", "ipykernel=6.0")
    with pytest.raises(CheckError) as caught:
        build_environment(project, make_lock(project, store, quiet), store, quiet)
    told = str(caught.value)
    assert told.startswith("a_b_v1: its kernel does not start (it ended before it answered")
    assert told.endswith(": the broken kernel says no")


def test_a_kernel_that_says_nothing_is_told_so(
    built: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ["/bin/sh", "-c", "exit 3 # {connection_file}"]
    monkeypatch.setattr(check, "kernel_argv", lambda *_arguments: silent)
    with pytest.raises(CheckError, match=r"its kernel does not start .*: it said nothing"):
        check_kernel(built, store, {})


def test_a_kernel_that_hangs_is_given_up(
    built: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_READY_SECONDS", 1)
    hanging = ["/bin/sh", "-c", "exec sleep 60 # {connection_file}"]
    monkeypatch.setattr(check, "kernel_argv", lambda *_arguments: hanging)
    with pytest.raises(CheckError, match=r"its kernel does not start .* in 1 seconds"):
        check_kernel(built, store, {})


def test_a_cell_that_hangs_is_given_up(
    built: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_READY_SECONDS", 2)
    monkeypatch.setattr(check, "_CELL", "import time; time.sleep(60)")
    with pytest.raises(CheckError, match="its kernel does not start"):
        check_kernel(built, store, {})


def test_a_kernel_that_runs_elsewhere_is_told(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b", "ipykernel=5.0")
    with pytest.raises(CheckError) as caught:
        build_environment(project, make_lock(project, store, quiet), store, quiet)
    assert "a_b_v1: its kernel runs in /elsewhere, expected " in str(caught.value)


def test_what_a_kernel_says_beside_its_output_is_not_taken_for_it(
    built: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = "import sys; print('a warning', file=sys.stderr); print(sys.prefix)"
    monkeypatch.setattr(check, "_CELL", noisy)
    check_kernel(built, store, {})


def test_a_missing_wall_is_told(built: Environment, store: Store, walled: bool) -> None:
    if not walled:
        pytest.skip("bubblewrap does not run here, so there is no wall to miss")
    with pytest.raises(CheckError, match=r"its kernel does not start \(.*'/no/bwrap'\)"):
        check_kernel(built, replace(store, bwrap="/no/bwrap"), {})


def test_a_kernel_checks_out_without_walls_too(
    make_project: MakeProject, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwalled = Store(store.root, store.root)
    project = make_project("a/b", "sets-variable")
    environment = build_environment(project, make_lock(project, unwalled, quiet), unwalled, quiet)
    assert build.check_kernel is check_kernel
    assert kernel_argv(environment, unwalled)[0] == f"{environment.path}/bin/python"


def test_nothing_stays_of_a_check(
    built: Environment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "t"
    scratch.mkdir()
    monkeypatch.setattr(check.tempfile, "tempdir", str(scratch))
    before = sorted(built.path.rglob("*"))
    check_kernel(built, store, {})
    assert list(scratch.iterdir()) == []
    assert sorted(built.path.rglob("*")) == before
