"""A build is a finished environment or nothing: also of a full disk, and of many at once."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.building import build
from kernels.building.build import LOCK_COPY, build_environment
from kernels.errors import BuildError, KernelsError, StoreError
from kernels.locking.lock import load_lock, make_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import FINISHED, Environment, Store, ensure_store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]


def quiet(_step: str) -> None:
    pass


def make(project: Project, store: Store) -> Environment:
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def snapshot(environment: Environment, store: Store) -> dict[str, object]:
    """Every file's mode and content, but for the notes of who built it from what and when."""
    found: dict[str, object] = {}
    target = str(store.target(environment.path)).encode()
    for path in sorted(environment.path.rglob("*")):
        name = path.relative_to(environment.path).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            is_note = name.startswith("conda-meta/") or name in {FINISHED, LOCK_COPY}
            is_note |= "_sysconfigdata" in name and name.endswith(".pyc")  # compiled from its paths
            data = b"" if is_note else path.read_bytes().replace(target, b"<prefix>")
            found[name] = (path.stat().st_mode, data)
    return found


def test_an_environment_is_named_by_its_version_and_its_lock(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    steps: list[str] = []
    environment = build_environment(project, lock, store, steps.append)
    path = store.project(project) / "envs" / f"v1-{lock.digest[:12]}"
    assert environment == Environment("a", "b", 1, lock.digest[:12], path)
    assert store.environments(project) == [environment]
    assert load_lock(path / LOCK_COPY) == lock
    assert steps == [
        *("installing packages", "compiling bytecode", "starting its kernel", "finishing")
    ]
    assert list((store.root / ".staging").iterdir()) == []


def test_all_may_read_an_environment_and_none_may_write(
    make_project: MakeProject, store: Store
) -> None:
    environment = make(make_project("a/b"), store)
    for path in environment.path.rglob("*"):
        if not path.is_symlink() and path.name != FINISHED:
            mode = path.stat().st_mode & 0o777
            assert mode in ({0o755} if path.is_dir() else {0o444, 0o555}), path


def test_paths_inside_are_those_of_workspaces(make_project: MakeProject, store: Store) -> None:
    environment = make(make_project("a/b"), store)
    for path in environment.path.rglob("*"):
        if path.is_file() and path.name != FINISHED and store.mount != store.root:
            assert str(store.root).encode() not in path.read_bytes() or (
                path.parent.name == "conda-meta" or path.name == LOCK_COPY  # where it came from
            )


def test_a_second_build_of_the_same_lock_does_nothing(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    first = build_environment(project, lock, store, quiet)
    before = first.path.stat().st_mtime_ns
    steps: list[str] = []
    assert build_environment(project, lock, store, steps.append) == first
    assert steps == []
    assert first.path.stat().st_mtime_ns == before


def test_a_version_can_be_built_under_the_number_it_had(
    make_project: MakeProject, store: Store
) -> None:
    old = make_lock(make_project("a/b", "numpy=1.26.4"), store, quiet)
    project = make_project("a/b")
    environment = build_environment(project, old, store, quiet, version=3)
    assert environment.path.name == f"v3-{old.digest[:12]}"
    assert build_environment(project, old, store, quiet, version=3) == environment
    other = make_lock(project, store, quiet)
    with pytest.raises(BuildError, match="a/b: there is another v3 already"):
        build_environment(project, other, store, quiet, version=3)
    assert build_environment(project, other, store, quiet).version == 4


def test_another_lock_is_another_version_and_the_first_one_stays(
    make_project: MakeProject, store: Store
) -> None:
    first = make(make_project("a/b", "numpy=1.26"), store)
    second = make(make_project("a/b", "numpy=2.1"), store)
    assert [first.version, second.version] == [1, 2]
    assert store.environments(make_project("a/b")) == [first, second]


def test_environments_share_packages_and_bytecode_by_hard_links(
    make_project: MakeProject, store: Store
) -> None:
    one, two = (make(make_project(slug), store) for slug in ("a/b", "a/c"))
    name = "lib/python3.11/site-packages/zmq/__init__.py"
    compiled = "lib/python3.11/site-packages/zmq/__pycache__/__init__.cpython-311.pyc"
    for file in (name, compiled):
        assert (one.path / file).samefile(two.path / file)
        assert (one.path / file).stat().st_nlink >= 3  # and the cache's own


def test_every_python_file_has_its_bytecode(make_project: MakeProject, store: Store) -> None:
    environment = make(make_project("a/b"), store)
    sources = list(environment.path.glob("lib/python3.11/**/*.py"))
    assert len(sources) > 100
    for path in sources:
        assert (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc").exists(), path


def test_bytecode_names_no_other_environment(make_project: MakeProject, store: Store) -> None:
    first = make(make_project("secret-client/one"), store)
    second = make(make_project("a/two"), store)
    assert b"secret-client" not in b"".join(
        path.read_bytes() for path in second.path.rglob("*.pyc")
    )
    (own,) = second.path.glob("lib/python3.11/__pycache__/_sysconfigdata*.pyc")
    assert str(store.target(second.path)).encode() in own.read_bytes()
    for environment in (first, second):
        for path in environment.path.rglob("*.pyc"):
            assert str(store.root).encode() not in path.read_bytes()


def test_the_pip_part_is_installed_with_scripts_and_bytecode(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("report", "1.0", scripts="report = report:main")
    environment = make(make_project("a/b", extra="  - pip: [report]\n"), store)
    target = store.target(environment.path)
    script = (environment.path / "bin/report").read_text()
    assert script.startswith(f"#!{target}/bin/python\n")
    site_packages = environment.path / "lib/python3.11/site-packages"
    assert (site_packages / "report-1.0.dist-info/INSTALLER").read_text() == "pip"
    assert (site_packages / "__pycache__/report.cpython-311.pyc").exists()


def test_a_wheel_that_is_not_the_locked_one_is_told(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("report", "1.0")
    project = make_project("a/b", extra="  - pip: [report]\n")
    lock = make_lock(project, store, quiet)
    other = replace(lock, pip=(replace(lock.pip[0], sha256="ab" * 32),))
    with pytest.raises(KernelsError, match="DO NOT MATCH THE HASHES"):
        build_environment(project, other, store, quiet)
    assert_nothing_is_visible(project, store)


def test_a_damaged_wheel_is_told(
    make_project: MakeProject, store: Store, make_wheel: MakeWheel
) -> None:
    make_wheel("report", "1.0")
    project = make_project("a/b", extra="  - pip: [report]\n")
    lock = make_lock(project, store, quiet)
    (kept,) = store.wheels.glob("*/*.whl")
    kept.write_bytes(b"damaged")
    with pytest.raises(BuildError, match=r"report-1\.0-py3-none-any\.whl: not a wheel that can be"):
        build_environment(project, lock, store, quiet)
    assert_nothing_is_visible(project, store)


def test_a_conda_package_that_is_not_the_locked_one_is_told(
    make_project: MakeProject, cold_store: Store
) -> None:
    project = make_project("a/b")
    lock = make_lock(project, cold_store, quiet)
    changed = tuple(
        replace(package, sha256="ab" * 32) if package.name == "pyzmq" else package
        for package in lock.conda
    )
    with pytest.raises(BuildError, match=r"pyzmq-.*: not the package that was locked; lock the pr"):
        build_environment(project, replace(lock, conda=changed), cold_store, quiet)
    assert_nothing_is_visible(project, cold_store)


def test_a_package_that_is_gone_is_told(make_project: MakeProject, cold_store: Store) -> None:
    project = make_project("a/b")
    lock = make_lock(project, cold_store, quiet)
    changed = tuple(
        replace(package, file=package.file.replace("-0", "-9")) for package in lock.conda
    )
    with pytest.raises(BuildError, match=r"ipykernel-7\.0-9.conda: the locked package is gone"):
        build_environment(project, replace(lock, conda=changed), cold_store, quiet)
    assert_nothing_is_visible(project, cold_store)


def test_an_environment_whose_kernel_does_not_start_does_not_stay(
    make_project: MakeProject, store: Store
) -> None:
    good = make(make_project("a/b"), store)
    project = make_project("a/b", "ipykernel=6.0")
    with pytest.raises(BuildError, match="the broken kernel says no"):
        make(project, store)
    assert store.environments(project) == [good]
    assert list(good.path.parent.iterdir()) == [good.path]


def test_whatever_goes_wrong_in_the_check_nothing_stays(
    make_project: MakeProject, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "check_kernel", interrupted)
    project = make_project("a/b")
    with pytest.raises(KeyboardInterrupt):
        make(project, store)
    assert_nothing_is_visible(project, store)


def test_what_a_killed_builder_left_is_removed(make_project: MakeProject, store: Store) -> None:
    project = make_project("a/b")
    envs = store.project(project) / "envs"
    (envs / "v1-aaaaaaaaaaaa/bin").mkdir(parents=True)
    (envs / "stray").write_text("x")
    (envs / "link").symlink_to("nowhere")
    environment = make(project, store)
    assert environment.version == 1
    assert list(envs.iterdir()) == [environment.path]


def test_two_builders_of_one_project_make_one_version(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    steps: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        built = list(
            pool.map(lambda _: build_environment(project, lock, store, steps.append), range(4))
        )
    assert len(set(built)) == 1
    assert store.environments(project) == built[:1]
    assert steps.count("installing packages") == 1


@pytest.mark.slow
def test_ten_builds_at_once_from_cold_caches_are_all_the_same(
    make_project: MakeProject, cold_store: Store
) -> None:
    made = [make_project(f"client/p{number}", "numpy=2.1") for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        built = list(pool.map(lambda project: make(project, cold_store), made))
    assert [environment.version for environment in built] == [1] * 10
    first = snapshot(built[0], cold_store)
    assert len(first) > 500
    for environment in built[1:]:
        assert snapshot(environment, cold_store) == first
    for cache in (cold_store.packages, cold_store.bytecode, cold_store.root / ".staging"):
        left = [path.name for path in cache.iterdir() if path.name.startswith(".")]
        assert set(left) <= {".lock", ".cache.lock"}  # rattler's own


def test_a_publication_while_the_next_version_is_built_does_not_wait_for_ever(
    make_project: MakeProject, store: Store
) -> None:
    project = make_project("a/b")
    first = make(project, store)
    second = make_project("a/b", "numpy=2.1")
    builder = threading.Thread(target=make, args=(second, store))
    builder.start()
    publish(project, first, store)
    builder.join()
    assert len(store.environments(project)) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for half an environment."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def grow(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize(
    "megabytes",
    [0, pytest.param(16, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.slow)],
)
def test_a_full_disk_is_told_and_leaves_nothing_and_the_next_build_works(
    make_project: MakeProject,
    small_disk: Path,
    walled: bool,
    megabytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        build, "ensure_room", lambda *_: None
    )  # it is an estimate, and others write
    grow(small_disk, "200m")
    root = small_disk / "store"
    store = ensure_store(root, Path("/opt/perijove") if walled else root)
    project = make_project("a/b")
    lock = make_lock(project, store, quiet)
    grow(small_disk, f"{megabytes}m" if megabytes else "64k")
    with pytest.raises(KernelsError) as caught:
        build_environment(project, lock, store, quiet)
    assert "No space left on device" in str(caught.value) or "bytecode" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_is_visible(project, store)
    grow(small_disk, "200m")
    environment = build_environment(project, lock, store, quiet)
    assert environment.version == 1
    compiled = list(environment.path.rglob("*.pyc"))
    sources = list((environment.path / "lib/python3.11").rglob("*.py"))
    assert len(compiled) == len(sources)


def test_a_disk_too_full_for_a_lock_is_told(
    make_project: MakeProject, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ensure_store(small_disk / "store")
    project = make_project("a/b")
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    with pytest.raises(StoreError) as caught:
        make_lock(project, store, quiet)
    assert "No space left on device" in str(caught.value)
    assert not store.lock_file(project).exists()


def assert_nothing_is_visible(project: Project, store: Store) -> None:
    assert store.environments(project) == []
    assert list((store.project(project) / "envs").glob("*")) == []
    assert list(store.project(project).glob("kernels/*/kernel.json")) == []
    assert list((store.root / ".staging").glob("*")) == []
