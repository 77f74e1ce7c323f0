"""An archive has the same bytes wherever it is made, and runs wherever it is unpacked."""

import fcntl
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernels.building.build import build_environment
from kernels.delivery.archive import make_archive
from kernels.delivery.version import Version, find_version, holding
from kernels.errors import BuildError, StoreError
from kernels.projects import Project
from kernels.store import FINISHED, Store
from tests.kernels.delivery.conftest import deliverable, quiet

MakeProject = Callable[..., Project]


@pytest.fixture(name="version")
def _version(project: Project, store: Store) -> Version:
    return deliverable(project, store)


def unpack(archive: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    (top,) = folder.iterdir()
    return top


def run(*command: str | Path, home: Path | None = None) -> str:
    return subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home or "/nowhere")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.slow
def test_an_archive_is_the_same_from_another_store_at_another_time(
    version: Version, store: Store, other_store: Store, tmp_path: Path
) -> None:
    first = make_archive(version, store, tmp_path / "one.tar.gz", quiet)
    build_environment(version.project, version.lock, other_store, quiet)
    other = find_version(version.project, other_store, None)
    (version.project.path / "environment.yml").write_text("dependencies: [python]  # later\n")
    for path in version.project.examples.rglob("*"):
        os.utime(path, (0, 0))
    second = make_archive(other, other_store, tmp_path / "two.tar.gz", quiet)
    assert other.environment.path.stat().st_ino != version.environment.path.stat().st_ino
    assert first.sha256 == second.sha256
    assert first.file.read_bytes() == second.file.read_bytes()


@pytest.mark.slow  # an environment and an archive of its own
def test_an_archive_names_no_place_of_the_store_and_nobodys_files(
    version: Version, store: Store, tmp_path: Path
) -> None:
    made = make_archive(version, store, tmp_path / "a.tar.gz", quiet)
    with tarfile.open(made.file) as tar:
        for member in tar:
            assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 315532800)
            assert member.name.startswith("a-b-v1")
            content = tar.extractfile(member) if member.isreg() else None
            data = content.read() if content else b""
            assert str(store.root).encode() not in data, member.name
            assert (
                os.fsencode(tmp_path) not in data
                or member.name.endswith("perijove-lock.json")
                or ("conda-meta/" in member.name or "sbom" in member.name)
            ), member.name  # the channel's own address is a path here


@pytest.mark.slow
def test_it_runs_where_it_is_unpacked_and_where_it_is_moved(
    version: Version, store: Store, tmp_path: Path
) -> None:
    made = make_archive(version, store, tmp_path / "a.tar.gz", quiet)
    top = unpack(made.file, tmp_path / "a path with spaces")
    for folder in (top, tmp_path / "moved"):
        if folder != top:
            top.rename(folder)
        prefix = folder / "environment"
        code = "import sys, numpy, report; print(sys.prefix, numpy.__version__, report.__version__)"
        assert run(folder / "run", "python", "-c", code) == f"{prefix} 2.1.0 1.0\n"
        assert run(folder / "run", "report") == "report\n"
        assert str(prefix) in run(
            folder / "run",
            "python",
            "-c",
            "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))",
        )
        assert run(
            "bash", "-c", f". '{folder}/activate' && command -v python && echo $CONDA_PREFIX"
        ) == (f"{prefix}/bin/python\n{prefix}\n")
    names = {
        path.relative_to(folder / "examples").as_posix() for path in folder.glob("examples/**/*.*")
    }
    assert names == {"one.ipynb", "data/table.csv"}


@pytest.mark.slow  # an environment and an archive of its own
def test_every_source_keeps_its_bytecode_and_python_takes_it(
    version: Version, store: Store, tmp_path: Path
) -> None:
    top = unpack(make_archive(version, store, tmp_path / "a.tar.gz", quiet).file, tmp_path / "u")
    run(top / "run", "true")
    for source in (top / "environment/lib/python3.11").rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
        assert compiled.read_bytes()[4:8] == b"\1\0\0\0", source  # by content, unchecked
    told = run(top / "run", "python", "-v", "-c", "import report")
    assert told == ""
    own = next((top / "environment/lib/python3.11/__pycache__").glob("_sysconfigdata*.pyc"))
    assert os.fsencode(top / "environment") in own.read_bytes()


@pytest.mark.slow  # an environment and an archive of its own
def test_its_kernel_can_be_shown_in_another_jupyter(
    version: Version, store: Store, tmp_path: Path
) -> None:
    top = unpack(make_archive(version, store, tmp_path / "a.tar.gz", quiet).file, tmp_path / "u")
    told = run(top / "install-kernel", home=tmp_path / "home").strip()
    assert told == str(tmp_path / "home/.local/share/jupyter/kernels/a.b.v1")
    spec = json.loads((Path(told) / "kernel.json").read_text())
    assert spec["argv"][0] == f"{top}/environment/bin/python"
    assert spec["env"]["PATH"] == f"{top}/environment/bin:${{PATH}}"
    assert spec["display_name"] == "A · B (v1)"
    assert run(top / "install-kernel", tmp_path / "there").strip() == str(tmp_path / "there/a.b.v1")


@pytest.mark.slow  # an environment and an archive of its own
def test_what_was_unpacked_can_be_written_and_removed_by_its_owner(
    version: Version, store: Store, tmp_path: Path
) -> None:
    top = unpack(make_archive(version, store, tmp_path / "a.tar.gz", quiet).file, tmp_path / "u")
    for path in top.rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & stat.S_IWUSR


def test_a_damaged_environment_is_not_delivered(
    version: Version, store: Store, tmp_path: Path
) -> None:
    file = version.environment.path / "lib/python3.11/site-packages/numpy.py"
    file.unlink()
    file.write_text("__version__ = 'evil'\n")
    with pytest.raises(BuildError, match=r"numpy\.py: not the file that its package brought"):
        make_archive(version, store, tmp_path / "out/a.tar.gz", quiet)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_version_is_held_while_it_is_delivered(version: Version) -> None:
    with (
        holding(version.environment),
        (version.environment.path / FINISHED).open() as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (version.environment.path / FINISHED).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.slow  # an environment and an archive of its own
def test_two_at_once_and_what_a_killed_one_left_do_not_meet(
    version: Version, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / ".a.tar.gz.new-killed/scratch").mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        made = list(
            pool.map(lambda _: make_archive(version, store, out / "a.tar.gz", quiet), range(2))
        )
    assert made[0].sha256 == made[1].sha256
    assert list(out.iterdir()) == [out / "a.tar.gz"]


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow  # an environment and an archive of its own
def test_a_full_disk_is_told_and_what_stood_there_stays(
    version: Version, store: Store, small_disk: Path
) -> None:
    (small_disk / "a.tar.gz").write_text("the last one")
    with pytest.raises((StoreError, BuildError)) as caught:
        make_archive(version, store, small_disk / "a.tar.gz", quiet)
    assert "No space left" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in small_disk.iterdir()] == ["a.tar.gz"]
    assert (small_disk / "a.tar.gz").read_text() == "the last one"


def test_a_version_that_is_not_there_is_told(version: Version, store: Store) -> None:
    with pytest.raises(StoreError, match=r"a/b has no version v7; it has v1\."):
        find_version(version.project, store, 7)


def test_a_project_without_a_version_is_told(make_project: MakeProject, store: Store) -> None:
    with pytest.raises(StoreError, match="c/d has no built version; run 'perijove build c/d'"):
        find_version(make_project("c/d"), store, None)
