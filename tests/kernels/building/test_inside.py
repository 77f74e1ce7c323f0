"""What runs inside every environment: a person's own packages go to that person alone."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.building.build import build_environment
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import FINISHED, Environment, Store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]

pytestmark = pytest.mark.slow  # environments with a real pip in them

INSTALL = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', 'report'], check=True)"  # noqa: E501
USE = "import report; print(report.__version__)"


def quiet(_step: str) -> None:
    pass


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def build(make_project: MakeProject, store: Store, slug: str, *specs: str) -> Environment:
    project = make_project(slug, "real-pip", *specs)
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def run(
    environment: Environment, store: Store, home: Path, *arguments: str, **more: str
) -> "subprocess.CompletedProcess[str]":
    """A program of the environment, with the variables of its kernel."""
    told = json.loads((environment.path / FINISHED).read_text())["variables"]
    base = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PIP_NO_INDEX": "1"}
    given = {
        key: re.sub(r"\$\{(\w+)\}", lambda found: base[found[1]], value)
        for key, value in told.items()
    }
    program, *rest = arguments
    argv = [str(store.target(environment.path) / "bin" / program), *rest]
    return subprocess.run(
        as_seen_by_workspaces(argv, store, environment.path.parents[1], home),
        env=base | given | more,
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )


@pytest.fixture
def wheels(make_wheel: MakeWheel, wheelhouse: Path, home: Path) -> Path:
    """A wheel called `report` that can be seen from inside."""
    make_wheel("report", "1.0", scripts="report = report:main")
    return wheelhouse.rename(home / "wheelhouse")


def test_a_package_is_there_at_once_for_this_version_and_no_other(
    make_project: MakeProject, store: Store, home: Path, wheels: Path
) -> None:
    links = {"PIP_FIND_LINKS": str(wheels)}
    first = build(make_project, store, "a/b")
    second = build(make_project, store, "a/b", "numpy=2.1")
    other = build(make_project, store, "a/c")
    done = run(first, store, home, "python", "-c", f"{INSTALL}; {USE}", **links)
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr
    assert "shared and read-only, so this goes to a folder of your own" in done.stderr
    assert "your a_b_v1 kernels alone" in done.stderr
    assert run(first, store, home, "python", "-c", USE).stdout == "1.0\n"
    for stranger in (second, other):
        assert "No module named 'report'" in run(stranger, store, home, "python", "-c", USE).stderr
    (script,) = (home / ".local/share/perijove/overlays").rglob("bin/report")
    assert script.parents[1].name == "v1"
    assert not (home / ".local/lib").exists()


def test_pip_as_a_program_goes_the_same_way(
    make_project: MakeProject, store: Store, home: Path, wheels: Path
) -> None:
    environment = build(make_project, store, "a/b")
    (environment.path / "bin").chmod(0o755)
    script = environment.path / "bin/pip"
    script.unlink(missing_ok=True)  # that of the Python it was copied from
    python = store.target(environment.path) / "bin/python"
    script.write_text(f"#!{python}\nfrom pip._internal.cli.main import main\nmain()\n")
    script.chmod(0o755)
    done = run(environment, store, home, "pip", "install", "report", PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 0, done.stderr
    assert "your a_b_v1 kernels alone" in done.stderr


def test_packages_in_the_home_of_old_do_not_leak_in(
    make_project: MakeProject, store: Store, home: Path
) -> None:
    folder = home / ".local/lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    (folder / "report.py").write_text("__version__ = 'from the home'\n")
    environment = build(make_project, store, "a/b")
    assert "No module named" in run(environment, store, home, "python", "-c", USE).stderr


def test_a_home_that_is_full_keeps_no_kernel_from_starting(
    make_project: MakeProject, store: Store, home: Path
) -> None:
    environment = build(make_project, store, "a/b")
    (home / ".local").write_text("a file where a folder should be")
    done = run(environment, store, home, "python", "-c", "print(1)")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_it_costs_next_to_nothing_to_start(
    make_project: MakeProject, store: Store, home: Path
) -> None:
    environment = build(make_project, store, "a/b")
    told = run(environment, store, home, "python", "-X", "importtime", "-c", "pass")
    loaded = [line.split("|")[-1].strip() for line in told.stderr.splitlines()]
    mine = loaded.index("_perijove")
    assert loaded[mine - 1 : mine] == ["fcntl"]  # all else is there already
    cached = environment.path / "lib/python3.11/site-packages/__pycache__"
    assert (cached / "_perijove.cpython-311.pyc").stat().st_nlink > 1  # compiled once for all
