"""Turns a person's overlay into a change of `environment.yml`, for the project's owner to take.

The text is changed line by line, so that the owner's comments and order stay; the result is read
again and compared with what was meant.
"""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workspace.overlay import Overlay, Package

LOCK = "perijove-lock.json"
YML = "perijove-environment.yml"


class ProposalError(Exception):
    """There is nothing to propose, or it cannot be written down; the text is for people."""


@dataclass(frozen=True)
class Environment:
    """What a version was built from: its `environment.yml`, and its conda packages' names."""

    text: str
    conda: frozenset[str]


def load_environment(overlay: Overlay, store: Path) -> Environment:
    """The environment that an overlay belongs to.

    Raises ProposalError if it is not in the store, or no longer for this person.
    """
    folder = store / overlay.client / overlay.project / "envs"
    prefix = next(folder.glob(f"v{overlay.version}-*"), None)
    try:
        if prefix is None:
            raise FileNotFoundError
        lock = json.loads((prefix / LOCK).read_text(encoding="utf-8"))
        text = (prefix / YML).read_text(encoding="utf-8")
    except OSError:
        raise ProposalError(
            f"Version {overlay.version} of {overlay.slug} is not here any more; install the "
            "packages in a kernel of its present version, and propose them from there."
        ) from None
    return Environment(text, frozenset(package["name"] for package in lock["conda"]))


def plan_proposal(overlay: Overlay, packages: Sequence[Package], environment: Environment) -> str:
    """The change as a unified diff of `<client>/<project>/environment.yml`; `patch -p1` applies it.

    A package that conda brings is asked for in the version that the person has; the others come
    under `pip:`. What came along with another is not named.

    Raises ProposalError if there is nothing to change.
    """
    text = environment.text
    for package in packages:
        if package.is_asked_for:
            text = _with(text, package, is_conda=package.name in environment.conda)
    if text == environment.text:
        raise ProposalError(
            f"{overlay.slug} v{overlay.version} has no package of yours that it does not ask for."
        )
    path = f"{overlay.slug}/environment.yml"
    before, after = (one.splitlines(keepends=True) for one in (environment.text, text))
    return "".join(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))


def _with(text: str, package: Package, *, is_conda: bool) -> str:
    """`environment.yml` that asks for this version of a package."""
    lines, wanted = text.splitlines(), _load(text)
    spec = f"{package.name}={package.version}" if is_conda else f"{package.name}=={package.version}"
    conda = [one for one in wanted["dependencies"] if isinstance(one, str)]
    there = conda if is_conda else _pip(wanted)
    if spec in there:
        return text
    number = _line_of(lines, [one for one in there if _named(one) == package.name])
    last = _line_of(lines, (there or conda)[-1:])
    if number is not None:
        lines[number] = _replaced(lines[number], spec)
    elif last is None:
        raise _unchangeable(spec)
    elif there:
        lines.insert(last + 1, _replaced(lines[last], spec))
    else:
        pip = _replaced(lines[last], "pip:")
        lines[last + 1 : last + 1] = [pip, "    " + pip.replace("pip:", spec)]
    changed = "\n".join(lines) + "\n"
    rest = [_rest(table, package, is_conda=is_conda) for table in (wanted, _load(changed))]
    asked = _load(changed)["dependencies"] if is_conda else _pip(_load(changed))
    if rest[0] != rest[1] or spec not in asked:
        raise _unchangeable(spec)
    return changed


def _replaced(line: str, item: str) -> str:
    """The same place in a list, with another item."""
    return re.sub(r"-\s.*", f"- {item}", line)


def _unchangeable(spec: str) -> ProposalError:
    return ProposalError(
        "environment.yml is written in a way that cannot be changed line by line; ask its owner "
        f"for '{spec}'."
    )


def _line_of(lines: Sequence[str], items: Sequence[Any]) -> int | None:
    """The line of the first of these list items, as it stands in the text."""
    for item in items:
        for number, line in enumerate(lines):
            plain = re.sub(r"\s+#.*$", "", line).strip()
            if plain.startswith("- ") and plain[2:].strip().strip("'\"") == item:
                return number
    return None


def _rest(table: dict[str, Any], package: Package, *, is_conda: bool) -> tuple[Any, ...]:
    """All of an `environment.yml` but what it says of one package."""
    conda = [one for one in table["dependencies"] if isinstance(one, str)]
    pip = _pip(table)
    if is_conda:
        conda = [one for one in conda if _named(one) != package.name]
    else:
        pip = [one for one in pip if _named(one) != package.name]
    others = {key: value for key, value in table.items() if key != "dependencies"}
    return conda, pip, others


def _load(text: str) -> dict[str, Any]:
    try:
        table = yaml.safe_load(text)
    except yaml.YAMLError:
        table = None
    return table if isinstance(table, dict) else {"dependencies": []}


def _pip(table: dict[str, Any]) -> list[Any]:
    return [
        line
        for one in table["dependencies"]
        if isinstance(one, dict)
        for line in one.get("pip") or ()
    ]


def _named(spec: Any) -> str:
    found = re.match(r"(?:\S+::)?([A-Za-z0-9._-]+)", spec) if isinstance(spec, str) else None
    return found[1].lower().replace("_", "-").replace(".", "-") if found else ""
