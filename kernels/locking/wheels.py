"""The PyPI world: which wheels satisfy a list of requirements, fetching them, installing them.

The only caller of uv (which resolves) and pip (which downloads, with the machine's own index
settings, for Python versions other than ours). Only wheels: nothing is compiled, no project's code
runs here. Every wheel is fetched by its sha256.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

from installer import install as install_wheel_file
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from kernels.errors import BuildError, LockError, SolveError
from kernels.files import hold_file, remove_leftovers
from kernels.platform import Platform

_SCRATCH = (".download-", ".keep-")


@dataclass(frozen=True)
class Wheel:
    """One exact wheel: canonical package name, version, file name and sha256."""

    name: str
    version: str
    file: str
    sha256: str


def resolve(
    requirements: Sequence[str], *, constraints: Sequence[str], python: str, platform: Platform
) -> str:
    """The exact versions that satisfy `requirements`, as a requirements file with hashes.

    Args:
        requirements: PEP 508 requirements.
        constraints: versions that must not be departed from if the package is needed at all.
        python: `3.11`, the Python that will run them.
        platform: where they will run.

    Raises:
        SolveError: nothing satisfies them; the text is the resolver's own reason.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wanted, pinned = Path(scratch, "requirements.in"), Path(scratch, "constraints.txt")
        wanted.write_text("\n".join(requirements) + "\n")
        pinned.write_text("\n".join(constraints) + "\n")
        done = subprocess.run(
            [
                *_uv(),
                "pip",
                "compile",
                "--quiet",
                "--no-config",
                "--generate-hashes",
                "--no-annotate",
                "--no-header",
                "--no-emit-index-url",
                "--only-binary=:all:",
                f"--python-version={python}",
                f"--python-platform={platform.uv_name()}",
                "--constraint",
                pinned,
                wanted,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise SolveError(_reason(done.stderr))
    return done.stdout


def fetch(
    hashed: str,
    *,
    python: str,
    platform: Platform,
    cache_dir: Path,
    without: frozenset[str] = frozenset(),
) -> list[Wheel]:
    """Downloads the wheels of a requirements text with hashes into `cache_dir`.

    What is in the cache already is not asked for again, and what is called as in `without` not at
    all. Returned in the order of their names.

    Raises:
        LockError: the registry does not answer, or has no wheel for the platform.
    """
    with hold_file(cache_dir / ".lock"):
        remove_leftovers(cache_dir, *_SCRATCH)
        pins = {pin: hashes for pin, hashes in _pins(hashed).items() if _name(pin) not in without}
        return _fetch(pins, python, platform.wheel_tags(), cache_dir)


def _fetch(
    wanted: Mapping[str, Sequence[str]], python: str, tags: Sequence[str], cache_dir: Path
) -> list[Wheel]:
    have = {wheel.sha256: wheel for wheel in _cached(cache_dir)}
    supported = _supported_tags(python, tuple(tags))
    found: dict[str, Wheel] = {}
    missing: list[str] = []
    for pin, hashes in wanted.items():
        hits = [have[sha256] for sha256 in hashes if sha256 in have]
        ranked = sorted((_rank(wheel.file, supported), wheel.file, wheel) for wheel in hits)
        if ranked and ranked[0][0] < len(supported):
            found[pin] = ranked[0][2]
        else:
            missing.append(pin)
    if missing:
        lines = [
            " ".join([pin, *(f"--hash=sha256:{sha256}" for sha256 in wanted[pin])])
            for pin in missing
        ]
        for wheel in _download(lines, python, tags, cache_dir):
            found[f"{wheel.name}=={wheel.version}"] = wheel
    return sorted(found.values(), key=lambda wheel: wheel.name)


def ensure_wheel(wheel: Wheel, *, python: str, platform: Platform, cache_dir: Path) -> Path:
    """The path of exactly this wheel, fetched if the cache does not have it."""
    path = wheel_path(cache_dir, wheel)
    if not path.exists():
        line = f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
        fetch(line, python=python, platform=platform, cache_dir=cache_dir)
    if not path.exists():
        raise BuildError(
            f"The registry's wheel of {wheel.name} {wheel.version} is not the locked one "
            f"({wheel.file}); lock the project again."
        )
    return path


def wheel_path(cache_dir: Path, wheel: Wheel) -> Path:
    """Where the cache keeps a wheel: named by its content, under its own file name."""
    return cache_dir / wheel.sha256 / wheel.file


def install_wheel(path: Path, prefix: Path, *, target: Path, python: str, tool: str) -> None:
    """Unpacks a wheel into `prefix` with scripts that start `target`'s Python.

    Args:
        path: the wheel.
        prefix: where the files go.
        target: the path at which the environment will be used.
        python: `3.11`, names the library directory.
        tool: what to write as the installing tool (PEP 376's INSTALLER).

    Raises:
        BuildError: the file is damaged.
    """
    site_packages = str(prefix / f"lib/python{python}/site-packages")
    destination = SchemeDictionaryDestination(
        {
            "purelib": site_packages,
            "platlib": site_packages,
            "scripts": str(prefix / "bin"),
            "data": str(prefix),
            "headers": str(prefix / f"include/python{python}"),
        },
        interpreter=str(target / "bin/python"),
        script_kind="posix",
    )
    try:
        with WheelFile.open(path) as source, warnings.catch_warnings():
            # Bytecode that a wheel brings is left out; ours is made for this Python.
            warnings.filterwarnings("ignore", message="Skip installing .*__pycache__")
            install_wheel_file(
                source, destination, additional_metadata={"INSTALLER": tool.encode()}
            )
    except (BadZipFile, InstallerError, ValueError) as error:
        raise BuildError(f"{path.name}: not a wheel that can be installed: {error}.") from None


def _uv() -> list[str]:
    return [sys.executable, "-m", "uv"]


def _reason(stderr: str) -> str:
    """uv's explanation, as one paragraph without its ornaments."""
    text = " ".join(re.sub(r"[^\x00-\x7f]+", " ", stderr).split())
    text = text.removeprefix("error: ").removeprefix(
        "No solution found when resolving dependencies"
    )
    return text.removeprefix(": ").strip().removeprefix("cause: ") or "the resolver gave no reason"


def _pins(hashed: str) -> dict[str, list[str]]:
    pins: dict[str, list[str]] = {}
    for block in hashed.replace("\\\n", " ").splitlines():
        words = [word for word in block.split() if word]
        if words and not words[0].startswith("#"):
            hashes = [
                word.removeprefix("--hash=sha256:") for word in words[1:] if "sha256:" in word
            ]
            pins[words[0]] = hashes
    return pins


def _name(pin: str) -> str:
    return str(canonicalize_name(pin.split("==", maxsplit=1)[0]))


def _cached(cache_dir: Path) -> Iterable[Wheel]:
    for directory in cache_dir.iterdir():
        if not directory.name.startswith("."):
            for path in directory.glob("*.whl"):
                yield _described(path, directory.name)


def _described(path: Path, sha256: str) -> Wheel:
    name, version, _, _ = parse_wheel_filename(path.name)
    return Wheel(canonicalize_name(name), str(version), path.name, sha256)


def _rank(file: str, supported: Mapping[Tag, int]) -> int:
    """How far from the best a wheel is; the number of supported tags if it does not run at all."""
    _, _, _, tags = parse_wheel_filename(file)
    return min(supported.get(tag, len(supported)) for tag in tags)


@cache
def _supported_tags(python: str, platform_tags: tuple[str, ...]) -> Mapping[Tag, int]:
    """The tags that run, each with its place in the order of preference."""
    version = tuple(int(part) for part in python.split("."))
    interpreter = "cp" + python.replace(".", "")
    tags = [
        *cpython_tags(version, platforms=platform_tags),
        *compatible_tags(version, interpreter, platform_tags),
    ]
    return {tag: rank for rank, tag in enumerate(dict.fromkeys(tags))}


def _download(
    lines: Sequence[str], python: str, platform_tags: Sequence[str], cache_dir: Path
) -> list[Wheel]:
    abi = f"cp{python.replace('.', '')}"
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=_SCRATCH[0]) as scratch:
        listing, folder = Path(scratch, "requirements.txt"), Path(scratch, "wheels")
        listing.write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--require-hashes", "--only-binary=:all:", "--disable-pip-version-check"),
                *("--implementation=cp", f"--python-version={python}"),
                *(f"--abi={name}" for name in (abi, "abi3", "none")),
                *(f"--platform={tag}" for tag in platform_tags),
                *("--dest", folder, "--requirement", listing),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PIP_NO_INPUT": "1"},
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise LockError("Wheels could not be downloaded: " + " ".join(errors or [done.stderr]))
        return [_keep(path, cache_dir) for path in sorted(folder.glob("*.whl"))]


def _keep(path: Path, cache_dir: Path) -> Wheel:
    wheel = _described(path, hashlib.sha256(path.read_bytes()).hexdigest())
    kept = wheel_path(cache_dir, wheel)
    if not kept.exists():
        scratch = Path(tempfile.mkdtemp(dir=cache_dir, prefix=_SCRATCH[1]))
        shutil.move(path, scratch / path.name)
        scratch.chmod(0o755)
        scratch.rename(kept.parent)
    return wheel
