"""A damaged cache never makes a wrong environment: it is repaired from the source, or told."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.building import build as building
from kernels.building.build import build_environment
from kernels.errors import BuildError
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.store import Environment, Store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]

pytestmark = pytest.mark.slow  # each builds twice from nothing

MODULE = "lib/python3.11/site-packages/numpy.py"


def quiet(_step: str) -> None:
    pass


def build(project: Project, store: Store) -> Environment:
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


@pytest.fixture
def package(make_project: MakeProject, cold_store: Store) -> Path:
    """A package in the cache, which an environment that is gone was made of."""
    environment = build(make_project("a/b", "numpy=2.1"), cold_store)
    shutil.rmtree(environment.path)
    return cold_store.packages / "numpy-2.1.0-0"


def remove_file(package: Path) -> None:
    (package / MODULE).unlink()


def truncate(package: Path) -> None:
    (package / MODULE).chmod(0o644)
    (package / MODULE).write_text("")


def remove_record(package: Path) -> None:
    (package / "info/paths.json").unlink()


def garble_record(package: Path) -> None:
    (package / "info/paths.json").chmod(0o644)
    (package / "info/paths.json").write_text("{")


def remove_all(package: Path) -> None:
    shutil.rmtree(package)


def shorten(package: Path) -> None:
    """As a machine that lost its power leaves the middle of a write."""
    (package / MODULE).chmod(0o644)
    (package / MODULE).write_text("__version__ = '")


@pytest.mark.parametrize(
    "damage", [remove_file, truncate, shorten, remove_record, garble_record, remove_all]
)
def test_a_damaged_package_is_mended_from_its_channel(
    make_project: MakeProject, cold_store: Store, package: Path, damage: Callable[[Path], None]
) -> None:
    damage(package)
    environment = build(make_project("a/c", "numpy=2.1"), cold_store)
    assert (environment.path / MODULE).read_text() == "__version__ = '2.1.0'\n"


def test_bytecode_of_a_damaged_package_goes_with_it(
    make_project: MakeProject, cold_store: Store, package: Path
) -> None:
    truncate(package)
    shutil.rmtree(cold_store.bytecode)  # it is compiled from what is damaged
    environment = build(make_project("a/c", "numpy=2.1"), cold_store)
    compiled = environment.path / MODULE.replace("numpy.py", "__pycache__/numpy.cpython-311.pyc")
    assert b"2.1.0" in compiled.read_bytes()


def test_a_damaged_python_is_told_as_damage_and_mended(
    make_project: MakeProject, cold_store: Store, package: Path
) -> None:
    (python,) = cold_store.packages.glob("python-3.11*site_cp311/bin/python3.11")
    python.chmod(0o755)
    python.write_bytes(python.read_bytes()[:1000])
    assert build(make_project("a/c", "numpy=2.1"), cold_store).version == 1


def test_a_damaged_unpacked_wheel_is_unpacked_again(
    make_project: MakeProject, make_wheel: MakeWheel, cold_store: Store
) -> None:
    make_wheel("report", "1.0")
    extra = "  - pip: [report]\n"
    shutil.rmtree(build(make_project("a/b", extra=extra), cold_store).path)
    module = "lib/python3.11/site-packages/report.py"
    (kept,) = cold_store.unpacked.glob(f"*/{module}")
    kept.chmod(0o644)
    kept.write_text("")
    environment = build(make_project("a/c", extra=extra), cold_store)
    assert "__version__ = '1.0'" in (environment.path / module).read_text()


def test_what_cannot_be_mended_is_one_sentence(
    make_project: MakeProject,
    cold_store: Store,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "forget_packages", lambda *_: None)
    truncate(package)
    with pytest.raises(BuildError, match=r"The cached files of numpy are damaged, and fetching"):
        build(make_project("a/c", "numpy=2.1"), cold_store)
    assert cold_store.all_environments() == []
