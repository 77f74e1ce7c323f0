"""Real environments from the package registry: built, checked, and used."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernels.building import build
from kernels.building.build import build_environment
from kernels.building.bytecode import ensure_bytecode
from kernels.errors import SolveError
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import Environment, Store, ensure_store
from tests.conftest import ShareCaches

MakeProject = Callable[..., Project]


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEEN = "import json, numpy, sys; print(json.dumps([numpy.__version__, sys.version.split()[0]]))"


def quiet(_step: str) -> None:
    pass


@pytest.fixture(scope="module")
def real_store(
    tmp_path_factory: pytest.TempPathFactory, walled: bool, share_caches: ShareCaches
) -> Store:
    """A store that has compiled nothing yet."""
    root = tmp_path_factory.mktemp("real") / "store"
    share_caches(root)
    (root / ".bytecode").unlink()
    return ensure_store(root, Path("/opt/perijove") if walled else root)


@pytest.fixture
def make_real(make_project: MakeProject) -> MakeProject:
    def make(slug: str, python: str, *dependencies: str, extra: str = "") -> Project:
        project: Project = make_project(slug, *dependencies, channels=("conda-forge",), extra=extra)
        text = project.environment_yml.read_text().replace("python=3.11", f"python={python}")
        project.environment_yml.write_text(text)
        return project

    return make


def run(environment: Environment, store: Store, tmp_path: Path, *argv: str) -> str:
    """What a program of the environment prints, where workspaces see it."""
    program = str(store.target(environment.path) / "bin" / argv[0])
    seen = as_seen_by_workspaces([program, *argv[1:]], store, environment.path.parents[1], tmp_path)
    return subprocess.run(seen, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


def test_two_projects_that_contradict_each_other_stand_side_by_side(
    make_real: MakeProject, real_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []

    def counted(*arguments: object) -> int:
        compiled.append(ensure_bytecode(*arguments))  # type: ignore[arg-type]
        return compiled[-1]

    monkeypatch.setattr(build, "ensure_bytecode", counted)
    made = [
        make_real("alder-bank/risk", "3.11", "numpy=1.26"),
        make_real("lakeside/imaging", "3.12", "numpy>=2.1,<3", "jupyter_client"),
    ]

    def both(project: Project) -> Environment:
        lock = make_lock(project, real_store, quiet)
        environment = build_environment(project, lock, real_store, quiet)
        publish(project, environment, real_store)
        return environment

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(both, made)
    old = json.loads(run(one, real_store, tmp_path, "python", "-c", SEEN))
    new = json.loads(run(two, real_store, tmp_path, "python", "-c", SEEN))
    assert (old[0][:5], old[1][:5]) == ("1.26.", "3.11.")
    assert (new[0][0], new[1][:5]) == ("2", "3.12.")

    # Again for a third project: nothing is compiled, and files are shared with the first.
    steps: list[str] = []
    third = make_real("alder-bank/again", "3.11", "numpy=1.26")
    copy = build_environment(third, make_lock(third, real_store, quiet), real_store, steps.append)
    assert min(compiled[:2]) > 10
    assert compiled[2] == 0
    shared = "lib/python3.11/site-packages/numpy/__init__.py"
    assert (one.path / shared).samefile(copy.path / shared)
    assert (one.path / shared).stat().st_nlink >= 3
    steps.clear()
    lock = make_lock(third, real_store, quiet)
    assert build_environment(third, lock, real_store, steps.append) == copy
    assert steps == []


def test_scripts_of_packages_start_their_own_python(
    make_real: MakeProject, real_store: Store, tmp_path: Path
) -> None:
    project = make_real("a/scripts", "3.11", extra="  - pip: [idna]\n")
    lock = make_lock(project, real_store, quiet)
    assert [wheel.name for wheel in lock.pip] == ["idna"]
    environment = build_environment(project, lock, real_store, quiet)
    target = real_store.target(environment.path)
    assert (
        (environment.path / "bin/jupyter-kernelspec")
        .read_text()
        .startswith(f"#!{target}/bin/python\n")
    )
    assert run(environment, real_store, tmp_path, "ipython", "--version").strip()


def test_a_package_that_no_registry_knows_is_told(
    make_real: MakeProject, real_store: Store
) -> None:
    project = make_real("a/none", "3.11", "perijove-no-such-package-at-all")
    with pytest.raises(SolveError) as caught:
        make_lock(project, real_store, quiet)
    assert "perijove-no-such-package-at-all" in str(caught.value)


def test_packages_are_the_same_bit_for_bit_on_another_machine(
    make_real: MakeProject, real_store: Store, tmp_path: Path, walled: bool
) -> None:
    """A second store stands for the other machine: its channel is made anew."""
    project = make_real("alder-bank/risk", "3.11", "numpy=1.26")
    root = tmp_path / "other"
    other = ensure_store(root, Path("/opt/perijove") if walled else root)
    assert make_lock(project, other, quiet) == make_lock(project, real_store, quiet)
    ours = {path.name: path for path in real_store.site_channel.rglob("*.conda")}
    theirs = {path.name: path for path in other.site_channel.rglob("*.conda")}
    assert len(theirs) > 25
    for name, path in theirs.items():
        assert path.read_bytes() == ours[name].read_bytes(), name
