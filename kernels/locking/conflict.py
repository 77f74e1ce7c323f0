"""Why requirements contradict each other, and the smallest change of them that solves.

A solver's reason is exact and hard to read. So the requirements it names are tried one by one: what
each of them brings alone shows who pulls which version. Then the versions of one requirement, and
after that of two, are let go, until something comes out; the number of tries is bounded. What is
tried is a function given by the caller; nothing here knows a channel.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kernels.conda import spec_name, spec_version
from kernels.environment_yml import Requirements
from kernels.errors import LockError, ProjectError
from kernels.locking.package_names import pypi_name

_MOST_ALONE = 6
_MOST_TRIES = 24

Attempt = Callable[[Requirements], Mapping[str, str]]
"""The version of every package that comes out, by name. Raises LockError if none does."""


@dataclass(frozen=True)
class Pull:
    """What one requirement brings if it is asked for alone: `version` is None for nothing."""

    requirement: str
    package: str
    version: str | None


@dataclass(frozen=True)
class Conflict:
    """What is known of requirements that cannot be satisfied together.

    Attributes:
        pulls: which requirement brings which version of the packages in dispute.
        changes: requirements and what to ask for in their place; none if nothing was found.
    """

    pulls: tuple[Pull, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The same in sentences; empty if nothing is known."""
        nothing = [pull.requirement for pull in self.pulls if pull.version is None]
        brought = [
            f"'{pull.requirement}' brings {pull.package} {pull.version}"
            for pull in self.pulls
            if pull.version is not None
        ]
        said = [f"Nothing satisfies {_listed(nothing)}, even alone."] if nothing else []
        said += [f"Alone, {', '.join(brought)}."] if brought else []
        if self.changes:
            changes = [f"'{new}' in place of '{old}'" for old, new in self.changes]
            said.append(f"It solves with {' and '.join(changes)}.")
        elif self.pulls:
            said.append("Letting go of one or two versions does not help.")
        return " ".join(said)


@dataclass(frozen=True)
class _Asked:
    """One requirement: its text, the package it is about, and where it stands."""

    text: str
    name: str
    is_pip: bool
    has_version: bool

    @property
    def freed(self) -> str:
        """The same requirement, of any version."""
        if self.is_pip:
            requirement = Requirement(self.text)
            requirement.specifier = SpecifierSet()
            return str(requirement)
        channel, colons, _ = self.text.rpartition("::")
        return f"{channel}{colons}{self.name}"

    def pinned(self, found: Mapping[str, str]) -> str:
        """The requirement that asks for what came out, up to its second number."""
        version = found.get(self.name)
        if version is None:
            return self.freed
        short = re.match(r"[0-9]+(\.[0-9]+)?(?=\.|$)", version)
        if self.is_pip:
            return f"{self.freed}=={short[0]}.*" if short else f"{self.freed}=={version}"
        return f"{self.freed}={short[0] if short else version}"

    def is_named(self, reason: str) -> bool:
        """Whether a solver's reason speaks of it, by either of its names."""
        names = {self.name}
        with suppress(LockError):
            names.add(pypi_name(self.name))
        return any(_occurs(name, reason) for name in names)


def explain_conflict(
    requirements: Requirements, reason: str, attempt: Attempt, *, wanted: Sequence[str] = ()
) -> Conflict:
    """Finds out who pulls what, and the smallest relaxation.

    Args:
        requirements: what could not be satisfied.
        reason: what the solver said of it; requirements that it names are looked at first.
        attempt: tries other requirements.
        wanted: the requirements that a person asked for just now; these are let go of last.
    """
    asked = list(_asked(requirements))
    named = [one for one in asked if one.is_named(reason)] or asked
    looked_at = [one for one in named if one.name != "python"][:_MOST_ALONE]
    alone = {one.text: _brings(one, requirements, attempt) for one in looked_at}
    candidates = sorted(
        (one for one in asked if one.has_version),
        # Let go of later: python, what the reason does not name, what was just asked for.
        key=lambda one: (one.name == "python", one not in named, one.text in wanted),
    )
    return Conflict(
        (*_impossible(looked_at, alone), *_pulls(alone, reason)),
        _relax(requirements, candidates, attempt),
    )


def _asked(requirements: Requirements) -> Iterator[_Asked]:
    for text in requirements.conda:
        yield _Asked(text, spec_name(text), is_pip=False, has_version=bool(spec_version(text)))
    for text in requirements.pip:
        parsed = Requirement(text)
        name = str(canonicalize_name(parsed.name))
        yield _Asked(text, name, is_pip=True, has_version=bool(parsed.specifier))


def _brings(one: _Asked, requirements: Requirements, attempt: Attempt) -> Mapping[str, str] | None:
    """All that comes with one requirement and Python; None if it cannot be had."""
    python = tuple(spec for spec in requirements.conda if spec_name(spec) == "python")
    part = replace(
        requirements,
        conda=python if one.is_pip else (*python, one.text),
        pip=(one.text,) if one.is_pip else (),
    )
    return _try(part, attempt)


def _try(requirements: Requirements, attempt: Attempt) -> Mapping[str, str] | None:
    try:
        return attempt(requirements)
    except (LockError, ProjectError):
        return None


def _impossible(
    looked_at: Sequence[_Asked], alone: Mapping[str, Mapping[str, str] | None]
) -> Iterator[Pull]:
    for one in looked_at:
        if alone[one.text] is None:
            yield Pull(one.text, one.name, None)


def _pulls(alone: Mapping[str, Mapping[str, str] | None], reason: str) -> Iterator[Pull]:
    """What they bring of the packages that the reason names, where they do not agree."""
    results = {text: found for text, found in alone.items() if found is not None}
    for package in dict.fromkeys(name for found in results.values() for name in found):
        versions = {text: found[package] for text, found in results.items() if package in found}
        if len(set(versions.values())) > 1 and _occurs(package, reason):
            for text, version in versions.items():
                yield Pull(text, package, version)


def _relax(
    requirements: Requirements, candidates: Sequence[_Asked], attempt: Attempt
) -> tuple[tuple[str, str], ...]:
    """The first set of requirements without whose versions it solves, the small ones first."""
    sets = chain(combinations(candidates, 1), combinations(candidates, 2))
    for chosen in islice(sets, _MOST_TRIES):
        freed = {(one.text, one.is_pip): one.freed for one in chosen}
        found = _try(
            replace(
                requirements,
                conda=tuple(freed.get((text, False), text) for text in requirements.conda),
                pip=tuple(freed.get((text, True), text) for text in requirements.pip),
            ),
            attempt,
        )
        if found is not None:
            return tuple((one.text, one.pinned(found)) for one in chosen)
    return ()


def _occurs(name: str, reason: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", reason) is not None


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(f"'{text}'" for text in texts)
