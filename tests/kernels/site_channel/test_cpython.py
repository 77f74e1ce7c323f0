"""A CPython of this machine is found, and moves with its prefix."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import conda
from kernels.conda import install, solve
from kernels.errors import MissingPython
from kernels.platform import Platform
from kernels.site_channel import cpython
from kernels.site_channel.cpython import CPython, ensure_python_package, find_cpython

USED = "ssl sqlite3 ctypes lzma bz2 zlib readline curses uuid hashlib decimal multiprocessing"
ASK = f"""
import {", ".join(USED.split())}, json, site, sys, sysconfig
print(json.dumps([sys.prefix, sys.base_prefix, site.getsitepackages(),
                  sysconfig.get_path("purelib"), ssl.OPENSSL_VERSION.split()[0]]))
"""


def test_a_missing_python_is_told() -> None:
    with pytest.raises(MissingPython) as caught:
        find_cpython("3.99")
    assert str(caught.value) == (
        "Python 3.99 is not on this machine, and no conda channel answers that could supply it; "
        "install Python 3.99 (pyenv, uv or the system's package), or ask for another version in "
        "environment.yml."
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_pythons_that_may_not_be_read_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "versions/3.99.1/bin").mkdir(parents=True)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    os.seteuid(65534)
    try:
        with pytest.raises(MissingPython):
            find_cpython("3.99")
    finally:
        os.seteuid(0)


def test_the_running_python_is_found_first() -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = find_cpython(minor)
    assert found.minor == minor
    assert found.base == Path(sys.base_prefix)


def test_a_program_that_only_looks_like_a_python_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.98"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.98: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPython):
        find_cpython("3.98")


def relocate(python: CPython, tmp_path: Path) -> list[object]:
    """What the repackaged interpreter says of itself in a prefix of its own."""
    channel, prefix = tmp_path / "channel", tmp_path / "a prefix"
    (channel / "noarch").mkdir(parents=True)
    ensure_python_package(channel, python, Platform())
    conda.index(channel)
    packages = solve([f"python={python.minor}"], [channel.as_uri()], Platform())
    install(
        packages,
        prefix,
        target=prefix,
        cache_dir=tmp_path / "cache",
        requested=(),
        channels={},
    )
    done = subprocess.run(
        [prefix / "bin/python", "-c", ASK],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    inside = [
        path
        for path in prefix.rglob("*")
        if path.suffix in {".py", ".pc", ".h"} and str(python.base).encode() in path.read_bytes()
    ]
    assert python.base == Path("/usr") or inside == []
    told: list[object] = json.loads(done.stdout)
    site_packages = f"{prefix}/lib/python{python.minor}/site-packages"
    assert told[:2] == [str(prefix), str(prefix)]
    assert site_packages in {os.path.realpath(path) for path in told[2]}  # type: ignore[attr-defined]
    (Path(site_packages) / "found_here.py").write_text("")
    found = subprocess.run([prefix / "bin/python", "-c", "import found_here"], check=False)
    assert found.returncode == 0
    return told


@pytest.mark.slow
@pytest.mark.parametrize("minor", ["3.10", "3.11", "3.12", "3.13"])
def test_a_repackaged_python_runs_where_it_is_put(tmp_path: Path, minor: str) -> None:
    try:
        python = find_cpython(minor)
    except MissingPython:
        pytest.skip(f"Python {minor} is not on this machine")
    assert relocate(python, tmp_path)[4] == "OpenSSL"


@pytest.mark.slow
def test_debians_python_runs_where_it_is_put(tmp_path: Path) -> None:
    if not Path("/etc/debian_version").exists() or not shutil.which("/usr/bin/python3.11"):
        pytest.skip("this machine has no Debian Python 3.11")
    python = cpython._ask(Path("/usr/bin/python3.11"))
    assert python
    assert relocate(python, tmp_path)[4] == "OpenSSL"


@pytest.mark.slow
def test_the_same_python_gives_the_same_package_bit_for_bit(tmp_path: Path) -> None:
    python = find_cpython("3.11")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ensure_python_package(tmp_path / name, python, Platform())
        made += (tmp_path / name).rglob("*.conda")
    assert made[0].name == made[1].name
    assert made[0].read_bytes() == made[1].read_bytes()
