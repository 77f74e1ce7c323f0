"""Where no conda channel answers, the site builds its own from wheels: here without a network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import conda, site_channel
from kernels.errors import LockError, MissingPython, SolveError
from kernels.locking.lock import make_lock
from kernels.platform import Platform
from kernels.projects import Project
from kernels.site_channel import channel as channel_module
from kernels.site_channel import cpython, ensure_packages
from kernels.site_channel.cpython import find_cpython
from kernels.store import Store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]


def quiet(_step: str) -> None:
    pass


@pytest.fixture(autouse=True)
def _nothing_answers(monkeypatch: pytest.MonkeyPatch, make_wheel: MakeWheel) -> None:
    """Nor is a real interpreter packaged: these tests solve, and install nothing."""

    def only_a_name(channel: Path, python: cpython.CPython, platform: Platform) -> None:
        index = channel_module.PackageIndex("python", python.version, "0", platform.subdir)
        channel_module.write_package(channel, index, tree=None)

    monkeypatch.setattr(conda, "is_answering", lambda _channel, _settings: False)
    monkeypatch.setattr(channel_module, "ensure_python_package", only_a_name)
    make_wheel("pip", "25.0")  # every project gets it


def test_a_project_is_locked_from_wheels(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("ipykernel", "7.0", "jupyter-client>=8")
    make_wheel("jupyter-client", "8.6")
    make_wheel("matplotlib", "3.9.2")
    wanted = ("matplotlib-base>=3.9,<4", "jupyter_client")
    project = make_project("a/b", *wanted, channels=("conda-forge",))
    steps: list[str] = []
    lock = make_lock(project, store, steps.append)
    python = find_cpython("3.11").version
    assert [(package.name, package.version, package.channel) for package in lock.conda] == [
        ("ipykernel", "7.0", "site"),
        ("jupyter-client", "8.6", "site"),
        ("jupyter_client", "8.6", "site"),
        ("matplotlib", "3.9.2", "site"),
        ("matplotlib-base", "3.9.2", "site"),
        ("pip", "25.0", "site"),
        ("python", python, "site"),
    ]
    assert lock.channels == ("site",)
    assert steps == [
        f"packaging Python {python}",
        *("asking the PyPI registry", "fetching wheels", "packaging 4 wheels", "solving"),
    ]


@pytest.mark.slow
def test_pip_lines_know_what_site_packages_are(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("ipykernel", "7.0")
    make_wheel("matplotlib", "3.9.2")
    make_wheel("report", "1.0", "matplotlib")
    project = make_project(
        "a/b", "matplotlib-base", channels=("conda-forge",), extra="  - pip: [report]\n"
    )
    assert [wheel.name for wheel in make_lock(project, store, quiet).pip] == ["report"]


def test_what_a_killed_builder_left_in_the_channel_is_removed(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("ipykernel", "7.0")
    for left in (store.site_channel / ".package-left", store.wheels / ".download-left"):
        left.mkdir(parents=True)
    make_lock(make_project("a/b", channels=("conda-forge",)), store, quiet)
    assert not (store.site_channel / ".package-left").exists()
    assert not (store.wheels / ".download-left").exists()


@pytest.mark.slow
def test_packages_are_written_once(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("ipykernel", "7.0")
    first = make_lock(make_project("a/b", channels=("conda-forge",)), store, quiet)
    before = {path: path.stat().st_mtime_ns for path in store.site_channel.rglob("ipyk*.conda")}
    make_wheel("table", "1.0")
    make_lock(make_project("a/c", "table", channels=("conda-forge",)), store, quiet)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert make_lock(make_project("a/b", channels=("conda-forge",)), store, quiet) == first


def test_pins_that_no_wheel_satisfies_are_told(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("ipykernel", "7.0")
    make_wheel("numpy", "2.1.0")
    project = make_project("a/b", "numpy=1.26", channels=("conda-forge",))
    with pytest.raises(SolveError) as caught:
        make_lock(project, store, quiet)
    told = str(caught.value)
    assert told.startswith(f"{project.environment_yml}: no packages satisfy it: ")
    assert "numpy==1.26.*" in told
    assert told.endswith(
        "\nNothing satisfies 'numpy=1.26', even alone. "
        "It solves with 'numpy=2.1' in place of 'numpy=1.26'."
    )


def test_a_missing_python_is_told_with_what_to_do(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b", channels=("conda-forge",))
    text = project.environment_yml.read_text().replace("python=3.11", "python=3.99")
    project.environment_yml.write_text(text)
    with pytest.raises(MissingPython) as caught:
        make_lock(project, store, quiet)
    assert str(caught.value) == (
        "a/b: Python 3.99 is not on this machine, and no conda channel answers that could supply "
        "it; install Python 3.99 (pyenv, uv or the system's package), or ask for another version "
        "in environment.yml."
    )


def test_the_python_of_another_processor_is_not_made_up(
    make_project: MakeProject, store: Store
) -> None:
    other = '[platform]\nsubdir = "linux-aarch64"\n'
    project = make_project("a/b", channels=("conda-forge",), toml=other)
    with pytest.raises(MissingPython, match=r"the site channel has only that of this machine"):
        make_lock(project, store, quiet)


def test_a_choice_between_versions_is_told_for_the_project(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b", '"numpy=1|2"', channels=("conda-forge",))
    with pytest.raises(LockError, match=r"a/b: 'numpy 1.*\|==2': no conda channel answers"):
        make_lock(project, store, quiet)


def test_the_way_in_is_one_function() -> None:
    assert site_channel.ensure_packages is ensure_packages
    assert site_channel.NAME == "site"
