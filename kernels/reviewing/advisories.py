"""Advisories in the OSV format, and which of them a version is affected by. Pure.

The rules are those of the OSV schema, "Evaluation": a version is affected if it is listed, or if it
lies in a range of events. Withdrawn advisories say nothing, and git ranges nothing about releases.
Versions are ordered as their ecosystem orders them: PyPI by `packaging`, conda by py-rattler.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4, CVSSError
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kernels.conda import version_key

PYPI, CONDA = "pypi", "conda"
_ECOSYSTEMS = {"pypi": PYPI, "conda": CONDA, "conda-forge": CONDA}
_SUMMARY = 120
"""As many characters of what is wrong are enough for a table; databases tell long stories."""
_EVENTS = ("introduced", "fixed", "last_affected", "limit")


@dataclass(frozen=True)
class Event:
    """One end of a range: its kind as OSV names it, and the version."""

    kind: str
    version: str


@dataclass(frozen=True)
class Affected:
    """A package that an advisory is about.

    Attributes:
        ecosystem: `pypi` or `conda`.
        name: its name there, canonical.
        versions: those that are listed one by one.
        ranges: the others, each by its events.
    """

    ecosystem: str
    name: str
    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[Event, ...], ...] = ()


@dataclass(frozen=True)
class Advisory:
    """What somebody says about versions of packages.

    Attributes:
        id: its name in its own database.
        aliases: what others call the same.
        summary: what is wrong, in a line; may be empty.
        severity: how bad it is, in words; None if it does not say.
        affected: of which packages, in the ecosystems that we know.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str | None
    affected: tuple[Affected, ...]


@dataclass(frozen=True)
class Hit:
    """A version that an advisory speaks of.

    Attributes:
        is_certain: False if the versions cannot be compared, so that nobody knows.
        fixed: the first later version without the fault, if there is one.
    """

    is_certain: bool
    fixed: str | None = None


def parse_advisory(
    record: Mapping[str, Any], is_wanted: Callable[[Affected], bool] = bool
) -> Advisory | None:
    """An OSV record; None if it was withdrawn, or is about no package that `is_wanted`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is not one.
    """
    identity, entries = str(record["id"]), record.get("affected") or []
    affected = tuple(found for entry in entries if (found := _affected(entry)))
    if record.get("withdrawn") or not any(map(is_wanted, affected)):
        return None
    text = record.get("summary") or str(record.get("details") or "").strip().partition("\n")[0]
    return Advisory(
        id=identity,
        aliases=tuple(str(alias) for alias in record.get("aliases") or ()),
        summary=shorten(str(text), _SUMMARY, placeholder=" ..."),
        severity=_severity(record),
        affected=affected,
    )


def find_hit(affected: Affected, version: str) -> Hit | None:
    """Whether a version is affected; None if it is not."""
    key = _key(affected.ecosystem, version)
    is_listed = version in affected.versions or (
        key is not None and key in (_key(affected.ecosystem, one) for one in affected.versions)
    )
    hits = [hit for events in affected.ranges if (hit := _in_range(affected, events, key))]
    certain = [hit for hit in hits if hit.is_certain]
    if certain:
        return certain[0]
    if is_listed:
        return Hit(is_certain=True)
    return hits[0] if hits else None


def _in_range(affected: Affected, events: tuple[Event, ...], key: Any) -> Hit | None:
    placed = [
        (_key(affected.ecosystem, event.version), event)
        for event in events
        if (event.kind, event.version) != ("limit", "*")  # which is no limit
    ]
    if key is None or any(at is None for at, _ in placed):
        # A list of versions next to a range holds all that are in it.
        return None if affected.versions else Hit(is_certain=False)
    limits = [at for at, event in placed if event.kind == "limit"]
    if limits and not any(key < limit for limit in limits):
        return None
    is_affected = False
    for at, event in sorted(placed, key=lambda item: item[0]):
        if event.kind == "introduced" and (event.version == "0" or key >= at):
            is_affected = True
        elif (event.kind == "fixed" and key >= at) or (event.kind == "last_affected" and key > at):
            is_affected = False
    if not is_affected:
        return None
    fixes = sorted((at, event.version) for at, event in placed if event.kind == "fixed")
    return Hit(is_certain=True, fixed=next((name for at, name in fixes if at > key), None))


def _key(ecosystem: str, version: str) -> Any:
    """What orders versions; None if it cannot be one."""
    if ecosystem == CONDA:
        return version_key(version)
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _affected(entry: Mapping[str, Any]) -> Affected | None:
    package = entry.get("package") or {}
    ecosystem = _ECOSYSTEMS.get(str(package.get("ecosystem", "")).split(":")[0].lower())
    if ecosystem is None:
        return None
    name = str(package["name"])
    return Affected(
        ecosystem=ecosystem,
        name=str(canonicalize_name(name)) if ecosystem == PYPI else name.lower(),
        versions=tuple(str(version) for version in entry.get("versions") or ()),
        ranges=tuple(
            tuple(_events(one["events"]))
            for one in entry.get("ranges") or ()
            if one.get("type") != "GIT"
        ),
    )


def _events(events: list[Mapping[str, Any]]) -> Iterator[Event]:
    for event in events:
        for kind, version in event.items():
            if kind in _EVENTS:
                yield Event(kind, str(version))


def _severity(record: Mapping[str, Any]) -> str | None:
    """In words: what the database says itself, else what its CVSS vectors come to."""
    parts = [record, *(record.get("affected") or ())]
    scores = [
        rated
        for part in parts
        for entry in part.get("severity") or ()
        if (rated := _rate(str(entry.get("score", ""))))
    ]
    score, word = max(scores, default=(None, None))
    told = [
        (part.get(place) or {}).get("severity")
        for part in parts
        for place in ("database_specific", "ecosystem_specific")
    ]
    said = next((one.lower() for one in told if isinstance(one, str)), None)
    if said and word:
        return f"{said}, CVSS {score}"
    return said or (f"{word}, CVSS {score}" if word else None)


def _rate(vector: str) -> tuple[float, str] | None:
    """Score and word of a CVSS vector; None if it is none."""
    kinds = {"CVSS:4": CVSS4, "CVSS:3": CVSS3, "AV:": CVSS2}
    kind = next((kinds[start] for start in kinds if vector.startswith(start)), None)
    if kind is None:
        return None
    try:
        rated = kind(vector)
    except CVSSError:
        return None
    return float(rated.base_score), str(rated.severities()[0]).lower()
