"""A lock is a stable text whose sha256 names the environment, and it is exact or it is not made."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels import conda
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements, load_requirements
from kernels.errors import LockError, ProjectError, SolveError, StoreError
from kernels.locking import lock as lock_module
from kernels.locking import solving
from kernels.locking.lock import Lock, ensure_lock, load_lock, make_lock
from kernels.locking.wheels import Wheel
from kernels.platform import Platform
from kernels.projects import Project
from kernels.store import Store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]


from_conda = CondaPackage(
    name="numpy",
    version="2.1.0",
    build="py311_0",
    build_number=0,
    channel="https://conda.example/",
    file="linux-64/numpy-2.1.0-py311_0.conda",
    sha256="ab" * 32,
    md5=None,
    size=7,
    noarch=None,
    license="BSD-3-Clause",
    depends=("python 3.11.*",),
    constrains=(),
    site_packages=None,
)
LOCK = Lock(
    project="alder-bank/credit-risk",
    requirements=Requirements(conda=("python=3.11",), pip=("x",), variables={"B": "ü", "A": "1"}),
    platform=Platform(cuda="12.4"),
    conda=(from_conda, replace(from_conda, name="python", version="3.11.7", channel="site")),
    pip=(Wheel("x", "1.0", "x-1.0-py3-none-any.whl", "cd" * 32),),
    tools={"uv": "0.1"},
)


def quiet(_step: str) -> None:
    pass


def test_the_text_is_stable_and_reads_as_lines() -> None:
    assert LOCK.text == replace(LOCK).text
    assert LOCK.text.endswith("}\n")
    assert '\n      "name": "numpy",\n' in LOCK.text
    assert '"B": "ü"' in LOCK.text


def test_the_digest_is_the_files_sha256(tmp_path: Path) -> None:
    file = tmp_path / "lock.json"
    file.write_text(LOCK.text, encoding="utf-8")
    assert LOCK.digest == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_lock_comes_back_from_its_file_the_same(tmp_path: Path) -> None:
    file = tmp_path / "lock.json"
    file.write_text(LOCK.text, encoding="utf-8")
    again = load_lock(file)
    assert again == LOCK
    assert again.text == LOCK.text


def test_every_part_of_its_meaning_changes_the_digest() -> None:
    others = [
        replace(LOCK, platform=Platform()),
        replace(LOCK, pip=()),
        replace(LOCK, conda=LOCK.conda[1:]),
        replace(LOCK, requirements=replace(LOCK.requirements, variables={})),
    ]
    assert len({LOCK.digest, *(lock.digest for lock in others)}) == 5


def test_it_knows_its_python_and_where_packages_come_from() -> None:
    assert (LOCK.python, LOCK.python_minor) == ("3.11.7", "3.11")
    assert LOCK.channels == ("https://conda.example/", "site")


@pytest.mark.parametrize(
    "text", ["", "[]", '"x"', "{}", '{"format": 1}', LOCK.text.replace('"md5"', '"md6"')]
)
def test_a_file_that_is_no_lock_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lock.json"
    file.write_text(text)
    with pytest.raises(StoreError) as caught:
        load_lock(file)
    assert str(caught.value).startswith(f"{file}: not a lock (")
    assert str(caught.value).endswith("; lock the project again.")


def test_a_lock_of_another_format_is_told(tmp_path: Path) -> None:
    file = tmp_path / "lock.json"
    file.write_text('{"format": 99}')
    with pytest.raises(StoreError, match=r"lock\.json: a lock of another format; lock the project"):
        load_lock(file)


def test_a_lock_holds_the_exact_packages_of_a_channel(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b", "numpy=1.26")
    lock = make_lock(project, store, quiet)
    names = [package.name for package in lock.conda]
    assert names == ["ipykernel", "numpy", "pip", "python", "pyzmq"]
    numpy = lock.conda[1]
    assert numpy.version == "1.26.4"
    file = Path(load_requirements(project.environment_yml).channels[0].removeprefix("file://"))
    archive = Path(str(file).replace("%20", " ")) / numpy.file
    assert numpy.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert store.lock_file(project).read_text() == lock.text
    assert lock.is_for(project, load_requirements(project.environment_yml))


def test_a_lock_is_kept_until_the_project_asks_for_something_else(
    make_project: MakeProject, store: Store, channel: Any
) -> None:
    steps: list[str] = []
    first = ensure_lock(make_project("a/b", "numpy=1.26"), store, steps.append)
    again = ensure_lock(make_project("a/b", "numpy=1.26"), store, steps.append)
    assert (again, steps) == (first, ["solving"])
    other = ensure_lock(make_project("a/b", "numpy=2.1"), store, steps.append)
    assert (other.digest != first.digest, steps) == (True, ["solving", "solving"])
    platform = '[platform]\nglibc = "2.36"\n'
    third = ensure_lock(make_project("a/b", "numpy=2.1", toml=platform), store, steps.append)
    assert (third.platform.glibc, len(steps)) == ("2.36", 3)


def test_newer_tools_alone_are_no_reason_for_a_new_lock(
    make_project: MakeProject, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_lock(make_project("a/b"), store, quiet)
    monkeypatch.setattr(lock_module, "installed_version", lambda _tool: "99")
    assert make_lock(make_project("a/b"), store, quiet) == first


def test_a_lock_that_cannot_be_read_is_replaced_when_somebody_locks_again(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    store.lock_file(project).write_text("{}")
    with pytest.raises(StoreError, match="lock the project again"):
        ensure_lock(project, store, quiet)
    assert make_lock(project, store, quiet) == lock
    assert load_lock(store.lock_file(project)) == lock


def test_pins_that_cannot_be_are_told_with_the_solvers_reason(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b", "numpy=2.1", "wants-old-numpy")
    with pytest.raises(SolveError) as caught:
        make_lock(project, store, quiet)
    told = str(caught.value)
    assert told.startswith(f"{project.environment_yml}: no packages satisfy it: ")
    assert "wants-old-numpy 1.0 would require" in " ".join(told.split())
    assert "numpy <2" in told
    assert not store.lock_file(project).exists()


def test_a_package_that_does_not_exist_is_told_by_name(
    make_project: MakeProject, store: Store
) -> None:
    with pytest.raises(SolveError, match="No candidates were found for no-such-package"):
        make_lock(make_project("a/b", "no-such-package"), store, quiet)


def test_a_lock_is_solved_for_the_declared_platform(
    make_project: MakeProject, store: Store
) -> None:
    with pytest.raises(SolveError, match=r"__glibc >=2\.99"):
        make_lock(make_project("a/b", "wants-new-libc"), store, quiet)
    with pytest.raises(SolveError, match="__cuda"):
        make_lock(make_project("a/b", "wants-cuda"), store, quiet)
    cuda = '[platform]\ncuda = "12.4"\n'
    lock = make_lock(make_project("a/b", "wants-cuda", toml=cuda), store, quiet)
    assert "wants-cuda" in {package.name for package in lock.conda}


def test_a_channel_may_be_asked_for_by_its_package(
    make_project: MakeProject, store: Store, channel: Any
) -> None:
    project = make_project("a/b", f"{channel.url}::numpy")
    assert "numpy" in {package.name for package in make_lock(project, store, quiet).conda}


def test_a_channel_of_somebodys_own_is_never_replaced_by_the_registry(
    make_project: MakeProject, store: Store, tmp_path: Path
) -> None:
    absent = f"file://{tmp_path}/absent"
    with pytest.raises(LockError) as caught:
        make_lock(make_project("a/b", channels=(absent,)), store, quiet)
    assert str(caught.value) == (
        f"a/b: the channel {absent} does not answer; without it the result would not be what "
        "environment.yml asks for."
    )


def test_one_silent_channel_among_others_is_told(
    make_project: MakeProject, store: Store, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conda, "is_answering", lambda name, _settings: name != "conda-forge")
    project = make_project("a/b", channels=(channel.url, "conda-forge"))
    with pytest.raises(LockError, match="a/b: the channel conda-forge does not answer"):
        make_lock(project, store, quiet)


def test_a_broken_channel_is_told(
    make_project: MakeProject, store: Store, own_channel: Any
) -> None:
    for file in own_channel.path.glob("*/repodata*"):
        file.unlink()
    (own_channel.path / "linux-64/repodata.json").write_text("{broken")
    with pytest.raises(LockError, match=r"a/b: A channel of file:\S+ could not be read: "):
        make_lock(make_project("a/b", channels=(own_channel.url,)), store, quiet)


def pip(*lines: str) -> str:
    return "  - pip:\n" + "".join(f"    - {line}\n" for line in lines)


def test_the_pip_part_is_solved_around_the_conda_part(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("report", "1.0", "numpy>=1", "table")
    for version in ("1.26.4", "2.1.0"):  # the registry's own, which is not asked for
        make_wheel("numpy", version)
    table = make_wheel("table", "2.0")
    lock = make_lock(make_project("a/b", "numpy=1.26", extra=pip("report")), store, quiet)
    assert [(wheel.name, wheel.version) for wheel in lock.pip] == [
        ("report", "1.0"),
        ("table", "2.0"),
    ]
    assert lock.pip[1].sha256 == hashlib.sha256(table.read_bytes()).hexdigest()
    assert (store.wheels / lock.pip[1].sha256 / table.name).read_bytes() == table.read_bytes()
    kept = {wheel.sha256 for wheel in lock.pip}
    assert {path.name for path in store.wheels.iterdir()} == {".lock", *kept}


def test_a_pip_line_that_would_override_a_conda_package_is_refused(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b", "numpy=2.1", extra=pip("numpy<2"))
    with pytest.raises(ProjectError) as caught:
        make_lock(project, store, quiet)
    assert str(caught.value) == (
        f"{project.environment_yml}: pip: 'numpy<2' would replace conda's numpy 2.1.0; expected "
        "the version under 'dependencies'."
    )


def test_it_is_refused_under_the_other_name_too(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b", "matplotlib-base", extra=pip("matplotlib==3.8"))
    with pytest.raises(ProjectError, match=r"would replace conda's matplotlib 3\.9\.2"):
        make_lock(project, store, quiet)


def test_a_pip_line_that_conda_satisfies_brings_nothing(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("numpy", "2.1.0")
    lock = make_lock(make_project("a/b", "numpy=2.1", extra=pip("numpy>=2")), store, quiet)
    assert lock.pip == ()


def test_what_a_wheel_needs_is_not_put_over_conda_either(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("report", "1.0", "matplotlib<3.9")
    make_wheel("matplotlib", "3.8.0")
    project = make_project("a/b", "matplotlib-base", extra=pip("report"))
    with pytest.raises(SolveError) as caught:
        make_lock(project, store, quiet)
    told = str(caught.value)
    assert told.startswith(
        f"{project.environment_yml}: pip: nothing satisfies it together with the conda packages: "
    )
    assert "report depend on matplotlib<3.9" in told
    assert "matplotlib==3.9.2" in told
    assert "\n" not in told


def test_a_pip_package_that_does_not_exist_is_told(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    project = make_project("a/b", extra=pip("no-such-wheel"))
    with pytest.raises(SolveError, match=r"pip: nothing satisfies .* no-such-wheel was not found"):
        make_lock(project, store, quiet)


def test_a_name_that_conda_gives_to_something_else_is_no_counterpart() -> None:
    database = replace(from_conda, name="tzdata", version="2025b")
    assert solving._counterpart(database) is None
    assert solving._counterpart(replace(database, name="python-tzdata")) == "tzdata"
    assert solving._counterpart(replace(database, channel="site")) == "tzdata"
    assert solving._counterpart(replace(database, name="typing_extensions")) == (
        "typing-extensions"
    )


def test_the_order_of_keys_is_no_reason_for_a_new_lock(tmp_path: Path) -> None:
    turned = json.loads(LOCK.text)
    turned["requirements"]["variables"] = {"A": "1", "B": "ü"}
    file = tmp_path / "lock.json"
    file.write_text(json.dumps(turned))
    assert load_lock(file) == LOCK
