"""Says in PyPI's words what a project asks for in conda's."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.conda import spec_name, spec_version
from kernels.errors import LockError
from kernels.locking.package_names import pypi_name


@dataclass(frozen=True)
class Asked:
    """A project's conda specs for the PyPI registry.

    Attributes:
        python: the minor version, `3.11`.
        requirements: PEP 508 requirements.
        aliases: conda name to PyPI name, for the packages that the two worlds call differently.
    """

    python: str
    requirements: tuple[str, ...]
    aliases: dict[str, str]


def translate(specs: Sequence[str]) -> Asked:
    """The same packages and versions as PEP 508 requirements.

    Raises:
        LockError: a spec has no counterpart, such as a choice between versions (`|`).
    """
    python = ""
    requirements: list[str] = []
    aliases: dict[str, str] = {}
    for spec in specs:
        name, version = spec_name(spec), spec_version(spec)
        if name == "python":
            python = _minor(spec, version)
            continue
        pypi = pypi_name(name)
        requirements.append(pypi + _specifier(spec, version))
        if pypi != name:
            aliases[name] = pypi
    return Asked(python, tuple(requirements), aliases)


def _minor(spec: str, version: str | None) -> str:
    parts = (version or "").removeprefix("==").split(".")
    if len(parts) < 2 or not (parts[0] == "3" and parts[1].isdigit()):  # noqa: PLR2004 - major.minor
        raise LockError(
            f"'{spec}': no conda channel answers, and the site channel needs one minor version of "
            "Python, for example 'python=3.11'."
        )
    return ".".join(parts[:2])


def _specifier(spec: str, version: str | None) -> str:
    if version is None:
        return ""
    if "|" in version:
        raise LockError(
            f"'{spec}': no conda channel answers, and a choice between versions ('|') cannot be "
            "asked of the PyPI registry; give one range."
        )
    terms = [term for term in version.strip("()").split(",") if term != "*"]
    return ",".join(term if term[0] in "<>=!~" else f"=={term}" for term in terms)
