"""Which packages of a lock advisories speak of; pure.

conda packages are looked up under their PyPI names too, by the kept map. What several databases say
of the same fault is one finding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kernels.conda import CondaPackage
from kernels.locking.lock import Lock
from kernels.locking.package_names import conda_name
from kernels.locking.wheels import Wheel
from kernels.reviewing.advisories import CONDA, PYPI, Advisory, Affected, Hit, find_hit
from kernels.reviewing.advisory_files import Advisories
from kernels.reviewing.review import Finding, Severity, is_distribution
from kernels.site_channel import NAME as SITE

_Package = CondaPackage | Wheel


def plan_wanted(locks: Iterable[Lock]) -> Callable[[Affected], bool]:
    """Whether an advisory may concern one of `locks`; quick, for there are many advisories."""
    conda: set[str] = set()
    pypi: set[str] = set()
    for lock in locks:
        conda |= {package.name for package in lock.conda}
        pypi |= {wheel.name for wheel in lock.pip}
        pypi |= {canonicalize_name(one.name) for one in lock.conda if one.channel == SITE}

    def is_wanted(affected: Affected) -> bool:
        if affected.ecosystem == CONDA:
            return affected.name in conda
        return affected.name in pypi or conda_name(affected.name) in conda

    return is_wanted


def plan_exposures(lock: Lock, known: Advisories) -> tuple[Finding, ...]:
    """What is vulnerable in a lock, or was yanked, one finding for each package and fault."""
    findings: list[Finding] = []
    packages: list[_Package] = [*lock.conda, *lock.pip]
    for package in packages:
        hits = [
            (advisory, hit)
            for advisory in known.advisories
            for affected in advisory.affected
            if _is_about(affected, package) and (hit := find_hit(affected, package.version))
        ]
        findings += (_vulnerable(package, group) for group in _by_fault(hits))
        findings += _yanked(package, known)
    return tuple(findings)


def _is_about(affected: Affected, package: _Package) -> bool:
    if isinstance(package, CondaPackage):
        if affected.ecosystem == CONDA:
            return affected.name == package.name
        return is_distribution(package, affected.name)
    return affected.ecosystem == PYPI and affected.name == package.name


def _by_fault(hits: Sequence[tuple[Advisory, Hit]]) -> list[list[tuple[Advisory, Hit]]]:
    """Brings together what is the same fault by its names, in the order found."""
    groups: list[tuple[set[str], list[tuple[Advisory, Hit]]]] = []
    for advisory, hit in hits:
        names, members = {advisory.id, *advisory.aliases}, [(advisory, hit)]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names, members = names | group[0], [*group[1], *members]
        groups.append((names, members))
    return [members for _, members in groups]


def _vulnerable(package: _Package, group: Sequence[tuple[Advisory, Hit]]) -> Finding:
    certain = [(advisory, hit) for advisory, hit in group if hit.is_certain]
    names = _names(advisory for advisory, _ in group)
    summary = next((advisory.summary for advisory, _ in group if advisory.summary), "")
    about = f"{names}: {summary}" if summary else names
    if not certain:
        return Finding(
            Severity.WARNING,
            "unclear",
            f"{package.name} {package.version}",
            f"{about}: its versions cannot be compared with this one; look for yourself.",
        )
    severity = next((advisory.severity for advisory, _ in group if advisory.severity), None)
    fixes = {hit.fixed for _, hit in certain if hit.fixed}
    fixed = f"fixed in {', '.join(sorted(fixes))}" if fixes else "no version without it is known"
    return Finding(
        Severity.ERROR,
        "vulnerable",
        f"{package.name} {package.version}",
        f"{about} ({severity or 'of unknown severity'}); {fixed}.",
    )


def _names(advisories: Iterable[Advisory]) -> str:
    """The fault's CVE first, if it has one, then how the databases call it."""
    found = list(advisories)
    own = {advisory.id for advisory in found}
    others = {alias for advisory in found for alias in advisory.aliases}
    cves = sorted(name for name in own | others if name.startswith("CVE-"))
    names = [*cves, *sorted(own - {*cves})]
    return names[0] + (f" ({', '.join(names[1:])})" if names[1:] else "")


def _yanked(package: _Package, known: Advisories) -> Iterator[Finding]:
    reason = known.files.get(package.sha256)
    for release in known.releases.values():
        is_release = (
            is_distribution(package, release.name)
            if isinstance(package, CondaPackage)
            else package.name == release.name
        )
        if is_release and _is_same(package.version, release.version):
            reason = release.reason
    if reason is None:
        return
    is_rebuilt = isinstance(package, CondaPackage) and package.channel != SITE
    yield Finding(
        # conda's packages are builds of their own, and what was wrong may have been PyPI's file.
        Severity.WARNING if is_rebuilt else Severity.ERROR,
        "yanked",
        f"{package.name} {package.version}",
        f"its authors took this release back ({reason or 'they gave no reason'}); lock the "
        "project again for another.",
    )


def _is_same(first: str, second: str) -> bool:
    try:
        return Version(first) == Version(second)
    except InvalidVersion:
        return first == second
