"""Compiled Python for every environment, compiled once per package.

py-rattler writes no bytecode, and a kernel in a read-only environment would compile its imports at
every start (1.6 s instead of 0.5 s). So bytecode is kept by package content and Python version and
hard-linked into each environment. It is unchecked-hash bytecode (PEP 552): it never looks at the
source's time, so it survives copies and any prefix. The few files into which the installer wrote
the prefix itself are compiled for each environment.
"""

import os
import py_compile
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kernels.errors import BuildError
from kernels.files import hold_file, remove_leftovers

_SCRATCH = ".compiling-"
_FEW = 20
"""As many files are compiled faster by one process than by several."""
_IS_READABLE = """
import sys
for file in sys.stdin.read().splitlines():
    try:
        with open(file, "rb") as source:
            compile(source.read(), file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        continue
    sys.exit(print(file) or 1)
"""
"""Fails with the first file that Python can read: it should have got bytecode."""


@dataclass(frozen=True)
class Sources:
    """The Python files that one package put into a prefix.

    Attributes:
        sha256: the package's.
        files: those that are the same in every environment.
        own: those that name the prefix they are in.
    """

    sha256: str
    files: tuple[str, ...]
    own: tuple[str, ...] = ()


def ensure_bytecode(prefix: Path, packages: Sequence[Sources], python: str, cache_dir: Path) -> int:
    """Gives every Python file of `packages` in `prefix` its bytecode.

    Args:
        prefix: the environment.
        packages: what it is made of.
        python: `3.11`.
        cache_dir: bytecode kept from earlier environments.

    Returns:
        How many packages had to be compiled; the others were linked.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    tag = "cpython-" + python.replace(".", "")
    missing = _link_kept(prefix, packages, tag, cache_dir)
    if missing:
        missing = _compile_and_keep(prefix, missing, tag, cache_dir)
    _compile(prefix, [file for package in packages for file in package.own], tag)
    return len(missing)


def _compile_and_keep(
    prefix: Path, packages: Sequence[Sources], tag: str, cache_dir: Path
) -> list[Sources]:
    """Compiles what nobody has kept meanwhile; returns which packages these were."""
    with hold_file(cache_dir / ".lock"):  # what another builder compiles now is not done twice
        remove_leftovers(cache_dir, _SCRATCH)
        missing = _link_kept(prefix, packages, tag, cache_dir)
        _compile(prefix, [file for package in missing for file in package.files], tag)
        for package in missing:
            _keep(prefix, package, tag, cache_dir)
    return missing


def _link_kept(
    prefix: Path, packages: Sequence[Sources], tag: str, cache_dir: Path
) -> list[Sources]:
    """Links what is kept; returns the packages that are not."""
    missing = []
    for package in packages:
        kept = cache_dir / f"{package.sha256}-{tag}"
        if kept.is_dir():
            _link_tree(kept, prefix)
        elif package.files:
            missing.append(package)
    return missing


def _compile(prefix: Path, files: Sequence[str], tag: str) -> None:
    if len(files) <= _FEW and tag == sys.implementation.cache_tag:
        _compile_here(prefix, files)  # to start a Python takes longer
    elif files:  # compileall would take none for all
        _compile_there(prefix, files, tag)


def _compile_here(prefix: Path, files: Sequence[str]) -> None:
    """By our own Python, which is of the version that will read it."""
    for file in files:
        # Files that no Python can read (templates, tests of syntax errors) are left without.
        with suppress(py_compile.PyCompileError, ValueError, RecursionError, MemoryError):
            py_compile.compile(
                str(prefix / file),
                dfile=file,  # what is kept names nobody's environment
                doraise=True,
                quiet=1,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


def _compile_there(prefix: Path, files: Sequence[str], tag: str) -> None:
    # `-S` keeps the packages' own start-up code (`.pth` files) from running in a builder.
    python = [str(prefix / "bin/python"), "-I", "-S", "-B"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(str(prefix / file) for file in files))
        listing.flush()
        # Files that no Python can read (templates, tests of syntax errors) are left without.
        subprocess.run(
            [
                *(*python, "-m", "compileall", "-q", "-q", "-j", "0" if len(files) > _FEW else "1"),
                *("--invalidation-mode", "unchecked-hash", "-i", listing.name),
                *("-s", str(prefix)),  # what is kept names nobody's environment
            ],
            stdout=subprocess.DEVNULL,
            check=False,
        )
    missing = [file for file in files if not (prefix / _bytecode_path(file, tag)).exists()]
    if missing:
        done = subprocess.run(
            [*python, "-c", _IS_READABLE],
            input="\n".join(str(prefix / file) for file in missing),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BuildError(
                f"{done.stdout.strip() or prefix} was given no bytecode; the disk may be full, or "
                "the compiler was ended."
            )


def _bytecode_path(file: str, tag: str) -> str:
    directory, name = os.path.split(file)
    return os.path.join(directory, "__pycache__", f"{name.removesuffix('.py')}.{tag}.pyc")  # noqa: PTH118 - relative text, by the thousand


def _keep(prefix: Path, package: Sources, tag: str, cache_dir: Path) -> None:
    """Links what was compiled into the cache, whole or not at all."""
    scratch = Path(tempfile.mkdtemp(dir=cache_dir, prefix=_SCRATCH))
    for file in package.files:
        compiled = _bytecode_path(file, tag)
        if (prefix / compiled).exists():
            (scratch / compiled).parent.mkdir(parents=True, exist_ok=True)
            os.link(prefix / compiled, scratch / compiled)
    scratch.chmod(0o755)
    scratch.rename(cache_dir / f"{package.sha256}-{tag}")


def _link_tree(kept: Path, prefix: Path) -> None:
    base = str(kept)
    for directory, _, files in os.walk(base):
        if not files:
            continue
        destination = str(prefix) + directory[len(base) :]
        os.makedirs(destination, exist_ok=True)  # noqa: PTH103 - by the thousand: text is faster
        for name in files:
            try:
                os.link(f"{directory}/{name}", f"{destination}/{name}")
            except FileExistsError:
                continue  # the package brought its own
