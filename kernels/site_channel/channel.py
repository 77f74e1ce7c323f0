"""Makes sure that the site channel holds what a project asks for."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from kernels import conda
from kernels.errors import MissingPython
from kernels.files import remove_leftovers
from kernels.locking import wheels
from kernels.platform import Platform
from kernels.site_channel.cpython import ensure_python_package, find_cpython
from kernels.site_channel.package import SCRATCH, PackageIndex, is_written, write_package
from kernels.site_channel.resolution import Asked, translate
from kernels.site_channel.wheel import ensure_wheel_package, load_metadata

NAME = "site"
"""How a lock names this channel: its packages are found by their hash, wherever it stands."""


def ensure_packages(
    channel: Path,
    wheel_cache: Path,
    specs: Sequence[str],
    platform: Platform,
    report: Callable[[str], None],
) -> None:
    """Adds packages until the channel can satisfy `specs`; what it has already stays.

    Not for two callers at once: hold the channel's lock.

    Raises:
        MissingPython: this machine has no CPython of the version or the processor asked for.
        SolveError: no wheels satisfy the specs.
        LockError: the registry does not answer, or a spec has no counterpart there.
    """
    asked = translate(specs)
    if platform.machine != os.uname().machine:
        raise MissingPython(
            f"The project is for {platform.subdir} and no conda channel answers that could supply "
            f"its Python; the site channel has only that of this machine ({os.uname().machine})."
        )
    python = find_cpython(asked.python)
    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    remove_leftovers(channel, SCRATCH)
    report(f"packaging Python {python.version}")
    ensure_python_package(channel, python, platform)
    report("asking the PyPI registry")
    hashed = wheels.resolve(
        asked.requirements, constraints=(), python=asked.python, platform=platform
    )
    report("fetching wheels")
    found = wheels.fetch(hashed, python=asked.python, platform=platform, cache_dir=wheel_cache)
    report(f"packaging {len(found)} wheels")
    _add_wheels(channel, wheel_cache, found, asked, platform)
    conda.index(channel)


def _add_wheels(
    channel: Path,
    wheel_cache: Path,
    found: Sequence[wheels.Wheel],
    asked: Asked,
    platform: Platform,
) -> None:
    paths = {wheel.name: wheels.wheel_path(wheel_cache, wheel) for wheel in found}
    metadata = {name: load_metadata(path) for name, path in paths.items()}
    for wheel in found:
        ensure_wheel_package(
            channel,
            wheel,
            paths[wheel.name],
            python=asked.python,
            platform=platform,
            metadata=metadata,
        )
    versions = {wheel.name: wheel.version for wheel in found}
    for conda_name, pypi_name in asked.aliases.items():
        _ensure_alias(channel, conda_name, pypi_name, versions[pypi_name])


def _ensure_alias(channel: Path, conda_name: str, pypi_name: str, version: str) -> None:
    """An empty package under conda's name that brings the one under PyPI's."""
    index = PackageIndex(
        name=conda_name,
        version=version,
        build="site_0",
        subdir="noarch",
        noarch="generic",
        depends=(f"{pypi_name} =={version}",),
    )
    if not is_written(channel, index):
        write_package(channel, index, tree=None)
