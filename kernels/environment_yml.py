"""`environment.yml`, conda's documented format, read into a value.

Source of the format: conda's user guide, "Creating an environment file manually". `name` and
`prefix` are read past: a project's place names its environment. What would make an environment
irreproducible (`-e .`, index options, files elsewhere) is refused here, with the line.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from kernels.channels import has_secret, hide_secrets, secret_refused
from kernels.conda import is_channel, is_match_spec, spec_name
from kernels.errors import ProjectError

_KEYS = ("name", "channels", "dependencies", "variables", "prefix")


@dataclass(frozen=True)
class Requirements:
    """What a project asks for: conda specs, pip requirements, channels and variables."""

    conda: tuple[str, ...]
    pip: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("conda-forge",)
    variables: dict[str, str] = field(default_factory=dict)


def load_requirements(file: Path) -> Requirements:
    """Reads and validates `file`; `ipykernel` and `pip` are added where they are not asked for.

    Raises:
        ProjectError: naming the file, the key, what was found and what was expected.
    """
    table = _load_yaml(file)
    for key in table:
        if key not in _KEYS:
            raise ProjectError(f"{file}: {key}: unknown key; expected one of: {', '.join(_KEYS)}.")
    conda, pip = _dependencies(file, table.get("dependencies"))
    if "python" not in map(spec_name, conda):
        raise ProjectError(
            f"{file}: dependencies: no python; expected its version, for example 'python=3.11'."
        )
    # Without the first there is no kernel; the second is in every Python environment of conda's.
    conda += [name for name in ("ipykernel", "pip") if name not in map(spec_name, conda)]
    return Requirements(
        conda=tuple(conda),
        pip=tuple(pip),
        channels=_channels(file, table.get("channels")),
        variables=_variables(file, table.get("variables")),
    )


def _load_yaml(file: Path) -> dict[str, Any]:
    try:
        table = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProjectError(
            f"{file}: the file is missing; it lists the project's packages."
        ) from None
    except OSError as error:
        raise ProjectError(
            f"{file}: cannot be read ({error.strerror}); expected a file that the builder may read."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        reason = hide_secrets(" ".join(str(error).split()))
        raise ProjectError(f"{file}: not valid YAML: {reason}.") from None
    if not isinstance(table, dict):
        found = hide_secrets(repr(table))
        raise ProjectError(f"{file}: found {found}, expected keys such as 'dependencies'.")
    return table


def _dependencies(file: Path, value: Any) -> tuple[list[str], list[str]]:
    if not isinstance(value, list) or not value:
        found = hide_secrets(repr(value))
        raise ProjectError(f"{file}: dependencies: found {found}, expected a list of packages.")
    conda: list[str] = []
    pip: list[str] = []
    for entry in value:
        if isinstance(entry, str):
            conda.append(_conda_spec(file, entry.strip()))
        elif isinstance(entry, dict) and set(entry) == {"pip"}:
            pip.extend(_pip_lines(file, entry["pip"]))
        else:
            raise ProjectError(
                f"{file}: dependencies: found {hide_secrets(repr(entry))}, expected a package such "
                "as 'numpy=2.1' or a 'pip:' list."
            )
    return conda, pip


def _conda_spec(file: Path, text: str) -> str:
    if has_secret(text):
        raise ProjectError(f"{file}: dependencies: {secret_refused(text)}")
    if ("://" in text and "::" not in text) or text.endswith((".conda", ".tar.bz2")):
        raise ProjectError(
            f"{file}: dependencies: found the address '{text}', expected a package name and "
            "version: what stands at an address can change."
        )
    if not is_match_spec(text):
        raise ProjectError(
            f"{file}: dependencies: found '{text}', expected a conda package such as "
            "'numpy=2.1' or 'pandas>=2,<3'."
        )
    return text


def _pip_lines(file: Path, value: Any) -> list[str]:
    lines = [] if value is None else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        found = hide_secrets(repr(value))
        raise ProjectError(f"{file}: pip: found {found}, expected a list of requirements.")
    return [_pip_line(file, line.strip()) for line in lines]


def _pip_line(file: Path, line: str) -> str:
    if has_secret(line):
        raise ProjectError(
            f"{file}: pip: found a login in '{hide_secrets(line)}', expected a requirement such as "
            "'tiktoken>=0.8': indexes and their logins are the site's own setting, and this login "
            "should be changed, for others may have read it here."
        )
    if line.startswith(("-e", "--editable", ".", "/")):
        raise ProjectError(
            f"{file}: pip: found '{line}', expected a published package: a local or editable "
            "checkout cannot be rebuilt elsewhere; publish it as a wheel and name that."
        )
    if line.startswith("-"):
        raise ProjectError(
            f"{file}: pip: found the option '{line}', expected a requirement such as "
            "'tiktoken>=0.8'; indexes are the site's own setting, and other files are listed here."
        )
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ProjectError(
            f"{file}: pip: found '{line}', expected a requirement such as "
            f"'tiktoken>=0.8': {reason}."
        ) from None
    if requirement.url:
        raise ProjectError(
            f"{file}: pip: found the address '{requirement.url}', expected a package name and "
            "version: what stands at an address can change."
        )
    return line


def _channels(file: Path, value: Any) -> tuple[str, ...]:
    if value is None:
        return ("conda-forge",)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        found = hide_secrets(repr(value))
        raise ProjectError(f"{file}: channels: found {found}, expected a list of channels.")
    for name in value:
        if has_secret(name):
            raise ProjectError(f"{file}: channels: {secret_refused(name)}")
        if not is_channel(name):
            raise ProjectError(
                f"{file}: channels: found '{name}', expected a name such as 'conda-forge' or an "
                "address."
            )
    channels = tuple(name for name in value if name != "nodefaults")
    return channels or ("conda-forge",)


def _variables(file: Path, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(item, str | int | float) for item in value.values()
    ):
        raise ProjectError(f"{file}: variables: found {value!r}, expected names with values.")
    for key, item in value.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)) or "\0" in str(item):
            raise ProjectError(
                f"{file}: variables: found {key!r} with {item!r}, expected a name of letters, "
                "digits and '_' with a text."
            )
    return {str(key): str(item) for key, item in value.items()}
