"""The store knows what it takes, and a build that would not fit is refused before it starts."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kernels import conda
from kernels.building.build import build_environment
from kernels.disk.room import load_size, measure_store, show_size
from kernels.errors import StoreError
from kernels.locking.lock import Lock, make_lock
from kernels.projects import Project
from kernels.store import FINISHED, Environment, Store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]


def quiet(_step: str) -> None:
    pass


def build(project: Project, store: Store) -> Environment:
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def on_disk(path: Path) -> int:
    """What `du` says, which counts every file once."""
    told = subprocess.run(["du", "-s", "-B512", path], capture_output=True, check=True, text=True)
    return int(told.stdout.split()[0]) * 512


def folders(path: Path) -> int:
    return sum(one.stat().st_blocks * 512 for one in (path, *path.rglob("*")) if one.is_dir())


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1024, "1 kB"), (5 * 1024**2, "5 MB"), (1.5 * 1024**3, "1.5 GB")],
)
def test_sizes_are_for_people(size: float, shown: str) -> None:
    assert show_size(size) == shown


@pytest.mark.slow
def test_ten_environments_that_share_packages_take_little_more_than_one(
    make_project: MakeProject, cold_store: Store
) -> None:
    made = [build(make_project(f"a/p{number}", "numpy=2.1"), cold_store) for number in range(10)]
    sizes = [load_size(one) for one in made]
    for one, size in zip(made, sizes, strict=True):
        assert size.apparent == on_disk(one.path) - folders(one.path)
        assert size.own < size.apparent / 10
    store = measure_store(cold_store, made)
    files = on_disk(cold_store.root) - folders(cold_store.root)
    assert store.real == pytest.approx(files, rel=0.02)  # locks and kernels are not counted
    assert store.real < 0.3 * store.apparent


@pytest.mark.slow
def test_wheels_of_a_pip_part_are_shared_too_and_their_scripts_are_not(
    make_project: MakeProject, make_wheel: MakeWheel, store: Store
) -> None:
    make_wheel(
        "report", "1.0", files={"report_data.bin": "x" * 100_000}, scripts="report = report:main"
    )
    first, second = (
        build(make_project(slug, extra="  - pip: [report]\n"), store) for slug in ("a/b", "a/c")
    )
    data = "lib/python3.11/site-packages/report_data.bin"
    assert (first.path / data).samefile(second.path / data)
    for environment in (first, second):
        script = (environment.path / "bin/report").read_text()
        assert script.startswith(f"#!{store.target(environment.path)}/bin/python")
        record = next(environment.path.glob("lib/*/site-packages/report-*/RECORD")).read_text()
        assert "../../../bin/report,,\n" in record


def test_an_environment_of_before_sizes_were_kept_is_measured(
    make_project: MakeProject, store: Store
) -> None:
    environment = build(make_project("a/b"), store)
    told = json.loads((environment.path / FINISHED).read_text())
    (environment.path / FINISHED).unlink()
    (environment.path / FINISHED).write_text(json.dumps({key: told[key] for key in ("version",)}))
    assert load_size(environment).apparent == pytest.approx(told["size"]["apparent"], rel=0.01)


@pytest.fixture
def lock(make_project: MakeProject, cold_store: Store) -> Lock:
    return make_lock(make_project("a/b"), cold_store, quiet)


def test_a_build_over_the_budget_is_refused_with_the_numbers(
    make_project: MakeProject, cold_store: Store, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(cold_store, max_size=20 * 1024**2)
    monkeypatch.setattr(conda, "install", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(
        StoreError,
        match=r"a/b: the build would take about \d+ MB \(4 new packages\), and the store has "
        r"20 MB left of the 20 MB it may take; run 'perijove gc'",
    ):
        build_environment(make_project("a/b"), lock, small, quiet)


@pytest.mark.slow
def test_a_build_whose_packages_are_cached_fits_where_the_first_just_did(
    make_project: MakeProject, cold_store: Store
) -> None:
    first = build(make_project("a/b"), cold_store)
    used = measure_store(cold_store, [first]).real
    build(make_project("a/c"), replace(cold_store, max_size=used + 10 * 1024**2))
    with pytest.raises(StoreError, match="0 new packages"):
        build(make_project("a/d"), replace(cold_store, max_size=used + 1024**2))


def test_a_disk_without_room_is_told_before_anything_is_written(
    make_project: MakeProject, cold_store: Store, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(
        "kernels.disk.room.shutil.disk_usage", lambda _: type("U", (), {"free": 1024**2})
    )
    with pytest.raises(StoreError, match=r"has 1 MB left; run 'perijove gc', or make room"):
        build_environment(make_project("a/b"), lock, cold_store, quiet)
    assert not cold_store.packages.exists()
