"""Reads advisories from files: what CI has fetched before, for nothing here uses a network.

    *.json          an OSV record, a list of them, or `{"vulns": [...]}` as OSV's interface answers
    *.yaml, *.yml   an OSV record, as PyPA's advisory database keeps them
    *.zip           any number of these, as OSV exports each ecosystem (`all.zip`)
    *.json          a package's page of a registry's simple interface (PEP 691): which files of it
                    were yanked (PEP 592)

A directory is read with all below it. A file that cannot be read hides no other.
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from kernels.errors import ProjectError
from kernels.reviewing.advisories import Advisory, Affected, parse_advisory

_JSON, _YAML = (".json",), (".yaml", ".yml")


@dataclass(frozen=True)
class Release:
    """A release that its authors took back: the package's canonical name, its version, and why."""

    name: str
    version: str
    reason: str


@dataclass
class Advisories:
    """All that was read.

    Attributes:
        advisories: those not withdrawn.
        releases: those yanked as a whole, by name and version.
        files: why a file was yanked, by its sha256.
        problems: what could not be read.
    """

    advisories: list[Advisory] = field(default_factory=list)
    releases: dict[tuple[str, str], Release] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    problems: list[ProjectError] = field(default_factory=list)


def load_advisories(paths: Iterable[Path], is_wanted: Callable[[Affected], bool]) -> Advisories:
    """Reads files and directories; what is not understood is among the problems.

    Args:
        paths: files, and directories of files.
        is_wanted: for which packages; all that is said of others is let go.
    """
    found = Advisories()
    for path in paths:
        before, count = len(found.problems), 0
        for name, text in _texts(path, found):
            _add(name, text, is_wanted, found)
            count += 1
        if not count and len(found.problems) == before:
            found.problems.append(
                ProjectError(f"{path}: no advisories in it; expected .json, .yaml or .zip files.")
            )
    return found


def _texts(path: Path, found: Advisories) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file that may hold advisories."""
    try:
        if path.is_dir():
            for child in sorted(path.iterdir()):
                is_wanted = child.is_dir() or child.suffix in (*_JSON, *_YAML, ".zip")
                if is_wanted and not child.name.startswith("."):
                    yield from _texts(child, found)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith((*_JSON, *_YAML)):
                        yield f"{path}:{name}", archive.read(name)
        else:
            yield str(path), path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        found.problems.append(
            ProjectError(f"{path}: advisories cannot be read ({reason}); fetch them again.")
        )


def _add(name: str, text: bytes, is_wanted: Callable[[Affected], bool], found: Advisories) -> None:
    try:
        content = _parse(name, text)
        if isinstance(content, Mapping) and "files" in content and "id" not in content:
            _add_page(content, found)
            return
        records = content.get("vulns", [content]) if isinstance(content, Mapping) else content
        for record in records:
            if advisory := parse_advisory(record, is_wanted):
                found.advisories.append(advisory)
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        found.problems.append(
            ProjectError(f"{name}: not advisories in the OSV format ({reason}); fetch them again.")
        )


def _parse(name: str, text: bytes) -> Any:
    if name.endswith(_YAML):
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    return json.loads(text)


def _add_page(page: Mapping[str, Any], found: Advisories) -> None:
    """Notes what is yanked of a package; a release is if all its files are."""
    name = str(canonicalize_name(page["name"]))
    reasons: dict[str, list[str | None]] = defaultdict(list)
    for file in page["files"]:
        yanked = file.get("yanked", False)
        reason = (yanked if isinstance(yanked, str) else "") if yanked is not False else None
        version = _version(file["filename"])
        if version:
            reasons[version].append(reason)
        sha256 = (file.get("hashes") or {}).get("sha256")
        if sha256 and reason is not None:
            found.files[sha256] = reason
    for version, told in reasons.items():
        if None not in told:
            found.releases[name, version] = Release(name, version, told[0] or "")


def _version(file: str) -> str | None:
    try:
        if file.endswith(".whl"):
            return str(parse_wheel_filename(file)[1])
        return str(parse_sdist_filename(file)[1])
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None  # an old kind of file, which nothing here installs
