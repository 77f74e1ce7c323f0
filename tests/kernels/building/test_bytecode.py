"""Bytecode is compiled once per package, whole or not at all, and by nobody's start-up code."""

import subprocess
import sys
from pathlib import Path

import pytest

from kernels.building import bytecode
from kernels.building.bytecode import Sources, ensure_bytecode
from kernels.errors import BuildError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = "cpython-" + PYTHON.replace(".", "")


def make_prefix(directory: Path, files: dict[str, str]) -> Path:
    (directory / "bin").mkdir(parents=True)
    (directory / "bin/python").symlink_to(sys.executable)
    for name, text in files.items():
        path = directory / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def compiled(prefix: Path) -> set[str]:
    return {path.relative_to(prefix).as_posix() for path in prefix.rglob("*.pyc")}


FILES = {"a.py": "A = 1\n", "deep/b.py": "B = 2\n"}
PACKAGE = Sources("ab" * 32, ("lib/a.py", "lib/deep/b.py"))
COMPILED = {f"lib/__pycache__/a.{TAG}.pyc", f"lib/deep/__pycache__/b.{TAG}.pyc"}


def test_the_second_environment_compiles_nothing(tmp_path: Path) -> None:
    one, two = (make_prefix(tmp_path / name, FILES) for name in ("one", "two"))
    cache = tmp_path / "cache"
    assert ensure_bytecode(one, [PACKAGE], PYTHON, cache) == 1
    assert ensure_bytecode(two, [PACKAGE], PYTHON, cache) == 0
    assert compiled(one) == compiled(two) == COMPILED
    for file in COMPILED:
        assert (one / file).samefile(two / file)
    assert {path.name for path in cache.iterdir()} == {".lock", f"{PACKAGE.sha256}-{TAG}"}


def test_it_is_never_checked_against_its_source(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "p", FILES)
    ensure_bytecode(prefix, [PACKAGE], PYTHON, tmp_path / "cache")
    flags = (prefix / f"lib/__pycache__/a.{TAG}.pyc").read_bytes()[4:8]
    assert flags == b"\x01\x00\x00\x00"  # PEP 552: hash-based, unchecked


def test_files_that_name_their_prefix_are_compiled_for_each_environment(tmp_path: Path) -> None:
    package = Sources("ab" * 32, ("lib/a.py",), own=("lib/deep/b.py",))
    for name in ("one", "two"):
        prefix = make_prefix(tmp_path / name, FILES | {"deep/b.py": f"HERE = '/at/{name}'\n"})
        ensure_bytecode(prefix, [package], PYTHON, tmp_path / "cache")
        own = (prefix / f"lib/deep/__pycache__/b.{TAG}.pyc").read_bytes()
        assert f"/at/{name}".encode() in own
    kept = tmp_path / "cache" / f"{'ab' * 32}-{TAG}"
    assert compiled(kept) == {f"lib/__pycache__/a.{TAG}.pyc"}


def test_what_is_kept_does_not_name_where_it_was_compiled(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "secret-client", FILES)
    ensure_bytecode(prefix, [PACKAGE], PYTHON, tmp_path / "cache")
    for file in COMPILED:
        assert b"secret-client" not in (prefix / file).read_bytes()


def test_files_that_no_python_can_read_go_without(tmp_path: Path) -> None:
    files = FILES | {"template.py": "{{ name }} = ?\n", "zero.py": "\0"}
    prefix = make_prefix(tmp_path / "p", files)
    package = Sources("cd" * 32, (*PACKAGE.files, "lib/template.py", "lib/zero.py"))
    assert ensure_bytecode(prefix, [package], PYTHON, tmp_path / "cache") == 1
    assert compiled(prefix) == COMPILED


def test_a_package_without_python_files_is_not_kept(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "p", {})
    assert ensure_bytecode(prefix, [Sources("ab" * 32, ())], PYTHON, tmp_path / "cache") == 0
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_compiler_that_was_ended_is_told_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = make_prefix(tmp_path / "p", FILES)
    run = subprocess.run

    def run_all_but_the_compiler(argv: list[str], **keys: object) -> object:
        return None if "compileall" in argv else run(argv, **keys)  # type: ignore[call-overload]

    monkeypatch.setattr(bytecode, "_FEW", 0)
    monkeypatch.setattr(bytecode.subprocess, "run", run_all_but_the_compiler)
    with pytest.raises(BuildError, match=r"lib/a\.py was given no bytecode; the disk may be full"):
        ensure_bytecode(prefix, [PACKAGE], PYTHON, tmp_path / "cache")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".lock"}


def test_what_a_killed_builder_left_in_the_cache_is_removed(tmp_path: Path) -> None:
    (tmp_path / "cache/.compiling-left/lib").mkdir(parents=True)
    prefix = make_prefix(tmp_path / "p", FILES)
    ensure_bytecode(prefix, [PACKAGE], PYTHON, tmp_path / "cache")
    assert not (tmp_path / "cache/.compiling-left").exists()


def test_the_packages_own_start_up_code_does_not_run(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "p", FILES)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    (prefix / "bin/python").unlink()
    (prefix / "bin/python").symlink_to(tmp_path / "v/bin/python")
    site_packages = tmp_path / f"v/lib/python{PYTHON}/site-packages"
    marker = tmp_path / "ran"
    (site_packages / "x.pth").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n")
    ensure_bytecode(prefix, [PACKAGE], PYTHON, tmp_path / "cache")
    assert compiled(prefix) == COMPILED
    assert not marker.exists()
