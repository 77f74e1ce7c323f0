"""Settled bytecode depends on the source and the Python alone."""

import marshal
import py_compile
import random
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from kernels.delivery.compiled import Bytecode, settle
from kernels.errors import BuildError, MissingPython
from kernels.site_channel.cpython import CPython, find_cpython

SOURCE = "def f(x):\n    return x in {'a', 'b', 'c', 'd'} or 'some text' + x\nG = 'some text'\n"


@pytest.fixture(name="python", params=["3.9", "3.10", "3.11", "3.12", "3.13"])
def _python(request: pytest.FixtureRequest) -> CPython:
    try:
        return find_cpython(request.param)
    except MissingPython as error:
        pytest.skip(str(error))


def compiled(python: CPython, folder: Path, order: list[str], seed: int) -> dict[str, bytes]:
    """Compiles the standard library's files in this order, and settles them."""
    for name in order:
        shutil.copyfile(python.stdlib / name, folder / name)
    subprocess.run(
        [python.executable, "-s", "-S", "-B", "-m", "compileall", "-q", "-j", "1"]
        + ["--invalidation-mode", "unchecked-hash", "-s", str(folder)]
        + [str(folder / name) for name in order],
        env={"PYTHONHASHSEED": str(seed)},
        check=True,
    )
    tag = "cpython-" + python.minor.replace(".", "")
    files = [
        Bytecode(f"__pycache__/{name[:-3]}.{tag}.pyc", name, folder / name, kept)
        for name in order
        if (kept := folder / f"__pycache__/{name[:-3]}.{tag}.pyc").exists()
    ]
    target = folder / "settled"
    target.mkdir(parents=True)
    settle(files, python.executable, target)
    return {path.name: path.read_bytes() for path in target.rglob("*.pyc")}


def test_the_same_sources_give_the_same_bytes_in_any_order(python: CPython, tmp_path: Path) -> None:
    names = sorted(path.name for path in python.stdlib.glob("*.py"))[:60]
    mixed = random.Random(1).sample(names, len(names))  # noqa: S311 - no secret
    first, second = (tmp_path / name for name in ("one", "two"))
    first.mkdir()
    second.mkdir()
    settled = compiled(python, first, names, 1)
    assert len(settled) == 60
    assert compiled(python, second, mixed, 2) == settled


def test_what_the_import_system_compiled_is_compiled_anew(tmp_path: Path) -> None:
    python = find_cpython("3.11")
    source = tmp_path / "secret-client" / "x.py"
    source.parent.mkdir()
    source.write_text(SOURCE)
    kept = tmp_path / "x.cpython-311.pyc"
    py_compile.compile(str(source), str(kept))  # by time, and with its own path
    assert b"secret-client" in kept.read_bytes()
    folder = tmp_path / "settled"
    folder.mkdir()
    settle([Bytecode("p/x.pyc", "lib/x.py", source, kept)], python.executable, folder)
    data = (folder / "p/x.pyc").read_bytes()
    assert data[4:8] == b"\1\0\0\0"
    assert b"secret-client" not in data
    assert marshal.loads(data[16:]).co_filename == "lib/x.py"  # noqa: S302 - made here


def test_bytecode_for_another_python_is_left_out(tmp_path: Path) -> None:
    kept = tmp_path / "x.pyc"
    kept.write_bytes(b"old!" + bytes(20))
    (tmp_path / "settled").mkdir()
    python = find_cpython(sysconfig.get_python_version())
    settle([Bytecode("x.pyc", "x.py", kept, kept)], python.executable, tmp_path / "settled")
    assert list((tmp_path / "settled").iterdir()) == []


def test_what_cannot_be_settled_is_told(tmp_path: Path) -> None:
    missing = Bytecode("x.pyc", "x.py", tmp_path / "none.py", None)
    python = find_cpython(sysconfig.get_python_version())
    with pytest.raises(BuildError, match=r"bytecode could not be written anew: FileNotFoundError"):
        settle([missing], python.executable, tmp_path)
