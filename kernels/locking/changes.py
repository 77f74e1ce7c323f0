"""What is different between two locks, as people say it: added, removed, up, down, rebuilt.

Pure, but for `read_sizes`. A package that moves between conda and pip is one removed and one added.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from kernels.conda import CondaPackage, version_key
from kernels.environment_yml import Requirements
from kernels.locking.lock import Lock
from kernels.locking.wheels import Wheel, wheel_path
from kernels.platform import Platform
from kernels.store import Store

Kind = Literal["added", "removed", "up", "down", "rebuilt"]
Sizes = Mapping[str, int]
"""Bytes of packages, by their sha256."""


@dataclass(frozen=True)
class Change:
    """What becomes of one package.

    Attributes:
        kind: `rebuilt` is the same version in another file.
        tool: who installs it, `conda` or `pip`.
        name: the package.
        before: its version in the first lock, with the build if that is all that changes.
        after: the same in the second.
        size_before: the size of its file in bytes; 0 without one, None where nobody knows.
        size_after: the same in the second.
    """

    kind: Kind
    tool: Literal["conda", "pip"]
    name: str
    before: str | None
    after: str | None
    size_before: int | None
    size_after: int | None

    @property
    def growth(self) -> int | None:
        """How many bytes more there are to fetch and keep; None where nobody knows."""
        if self.size_before is None or self.size_after is None:
            return None
        return self.size_after - self.size_before


@dataclass(frozen=True)
class Changes:
    """What a new lock changes.

    Attributes:
        packages: one entry for each package that changes, in the order of their names.
        asked: what is asked for in another way, in sentences.
        total: bytes of all packages of the new lock whose size is known.
        growth: how many bytes that is more than before; None if a size of a changed one is unknown.
        unknown: packages of the new lock whose size nobody knows.
    """

    packages: tuple[Change, ...]
    asked: tuple[str, ...]
    total: int
    growth: int | None
    unknown: int

    def count(self, kind: Kind) -> int:
        """How many packages change in this way."""
        return sum(change.kind == kind for change in self.packages)


def plan_changes(before: Lock | None, after: Lock, sizes: Sizes) -> Changes:
    """What `after` changes; everything is added where there was no lock before."""
    old, new = _packages(before) if before else {}, _packages(after)
    changes = tuple(
        _change(tool, name, old.get((name, tool)), new.get((name, tool)), sizes)
        for name, tool in sorted(old.keys() | new.keys())
        if old.get((name, tool)) != new.get((name, tool))
    )
    growths = [change.growth for change in changes]
    known = [size for package in new.values() if (size := _size(package, sizes)) is not None]
    asked = (
        plan_differences(before.requirements, before.platform, after.requirements, after.platform)
        if before
        else ()
    )
    return Changes(
        packages=changes,
        asked=asked,
        total=sum(known),
        growth=None if None in growths else sum(filter(None, growths)),
        unknown=len(new) - len(known),
    )


def plan_differences(
    before: Requirements, platform: Platform, after: Requirements, now: Platform
) -> tuple[str, ...]:
    """What is asked for now and was not before, and the other way round, in sentences."""
    return (
        *_list("dependencies", before.conda, after.conda),
        *_list("pip", before.pip, after.pip),
        *_value("channels", ", ".join(before.channels), ", ".join(after.channels)),
        *_table("variables", before.variables, after.variables),
        *_table("platform", asdict(platform), asdict(now)),
    )


def read_sizes(lock: Lock, store: Store) -> dict[str, int]:
    """What is known of the sizes of a lock's packages, in bytes by sha256."""
    sizes = {package.sha256: package.size for package in lock.conda if package.size is not None}
    for wheel in lock.pip:
        path = wheel_path(store.wheels, wheel)
        if path.exists():
            sizes[wheel.sha256] = path.stat().st_size
    return sizes


Package = CondaPackage | Wheel
_Tool = Literal["conda", "pip"]


def _packages(lock: Lock) -> dict[tuple[str, _Tool], Package]:
    found: dict[tuple[str, _Tool], Package] = {(one.name, "conda"): one for one in lock.conda}
    return found | {(one.name, "pip"): one for one in lock.pip}


def _change(
    tool: _Tool, name: str, old: Package | None, new: Package | None, sizes: Sizes
) -> Change:
    kind = _kind(old, new)
    before, after = (_version(package, with_build=kind == "rebuilt") for package in (old, new))
    return Change(kind, tool, name, before, after, _size(old, sizes), _size(new, sizes))


def _kind(old: Package | None, new: Package | None) -> Kind:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    if old.version == new.version:
        return "rebuilt"
    return "down" if _is_older(new.version, old.version) else "up"


def _is_older(first: str, second: str) -> bool:
    try:
        return Version(first) < Version(second)
    except InvalidVersion:  # conda has versions such as 2024a
        keys = version_key(first), version_key(second)
        return bool(keys[0] < keys[1]) if keys[0] and keys[1] else first < second


def _version(package: Package | None, *, with_build: bool) -> str | None:
    if package is None:
        return None
    if not with_build:
        return package.version
    build = package.build if isinstance(package, CondaPackage) else package.sha256[:8]
    return f"{package.version} ({build})"


def _size(package: Package | None, sizes: Sizes) -> int | None:
    return 0 if package is None else sizes.get(package.sha256)


def _list(key: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    new = [item for item in after if item not in before]
    gone = [item for item in before if item not in after]
    if new or gone:
        parts = [f"now {', '.join(new)}"] * bool(new) + [f"no more {', '.join(gone)}"] * bool(gone)
        yield f"{key}: {', '.join(parts)}"
    elif before != after:
        yield f"{key}: in another order"


def _value(key: str, before: object, after: object) -> Iterator[str]:
    if before != after:
        nothing = "nothing"
        yield f"{key}: now {nothing if after is None else after}, was " + (
            nothing if before is None else str(before)
        )


def _table(key: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        yield from _value(f"{key}.{name}", before.get(name), after.get(name))
