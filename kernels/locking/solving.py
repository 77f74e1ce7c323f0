"""What a project asks for, solved: conda's part, and then pip's against it.

The conda part is solved on the project's channels, or on the site channel where none answers. Its
packages are constraints of the `pip:` part, so that pip never replaces what conda brought.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kernels import conda, site_channel
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements
from kernels.errors import LockError, ProjectError, SolveError
from kernels.locking import wheels
from kernels.locking.conflict import Attempt, explain_conflict
from kernels.locking.package_names import conda_name, pypi_name
from kernels.locking.wheels import Wheel
from kernels.projects import Project
from kernels.store import Store

Report = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True)
class Solution:
    """The exact packages, conda's and pip's, each in the order of their names."""

    conda: tuple[CondaPackage, ...]
    pip: tuple[Wheel, ...]


def solve(
    project: Project,
    requirements: Requirements,
    store: Store,
    report: Report,
    *,
    wanted: Sequence[str] = (),
) -> Solution:
    """The exact packages that satisfy `requirements` on the project's platform.

    Nothing is kept of it but packages in the store's caches.

    Args:
        project: whose requirements they are.
        requirements: what is asked for.
        store: where caches and the site channel stand.
        report: told what is being done.
        wanted: the requirements that a person asked for just now; a way out leaves them in peace
            if it can.

    Raises:
        ProjectError: the `pip:` part would replace a conda package.
        SolveError: nothing satisfies them; with the reason, and a way out where there is one.
        LockError: a channel or the registry does not answer, or refuses us.
    """
    is_on_site = _is_on_site(project, requirements, store)
    try:
        packages = _solve_conda(project, requirements, store, report, is_on_site=is_on_site)
        return Solution(
            tuple(packages), tuple(_solve_pip(project, requirements, packages, store, report))
        )
    except SolveError as error:
        report("looking for a way out")
        attempt = _attempts(project, requirements, store, is_on_site=is_on_site)
        conflict = explain_conflict(requirements, str(error), attempt, wanted=wanted)
        text = "\n".join(part for part in (str(error).rstrip(), conflict.text) if part)
        raise SolveError(text, conflict.changes) from None


def _is_on_site(project: Project, requirements: Requirements, store: Store) -> bool:
    """Whether no channel answers, so that the site channel stands in for all of them."""
    settings = store.channels
    try:
        silent = [name for name in requirements.channels if not conda.is_answering(name, settings)]
    except LockError as error:
        raise LockError(f"{project.slug}: {error}") from None
    # A channel that is somebody's own: what it holds is not what PyPI calls so.
    own = [name for name in silent if conda.is_own(name, settings)]
    if own or (silent and len(silent) < len(requirements.channels)):
        raise LockError(
            f"{project.slug}: the channel {(own or silent)[0]} does not answer; without it the "
            "result would not be what environment.yml asks for."
        )
    return bool(silent)


def _solve_conda(
    project: Project,
    requirements: Requirements,
    store: Store,
    report: Report,
    *,
    is_on_site: bool,
) -> list[CondaPackage]:
    try:
        if is_on_site:
            return _solve_on_site_channel(project, requirements, store, report)
        report("solving")
        return conda.solve(
            requirements.conda, requirements.channels, project.platform, store.channels
        )
    except SolveError as error:
        raise SolveError(f"{project.environment_yml}: no packages satisfy it: {error}") from None
    except LockError as error:
        raise type(error)(f"{project.slug}: {error}") from None


def _solve_on_site_channel(
    project: Project, requirements: Requirements, store: Store, report: Report
) -> list[CondaPackage]:
    channel = store.site_channel
    specs = [_without_channel(spec) for spec in requirements.conda]
    with store.hold("site-channel"):
        site_channel.ensure_packages(channel, store.wheels, specs, project.platform, report)
        report("solving")
        found = conda.solve(specs, [channel.as_uri()], project.platform)
    return [replace(package, channel=site_channel.NAME) for package in found]


def _without_channel(spec: str) -> str:
    version = conda.spec_version(spec)
    return conda.spec_name(spec) + (f" {version}" if version else "")


def _solve_pip(
    project: Project,
    requirements: Requirements,
    packages: Sequence[CondaPackage],
    store: Store,
    report: Report,
) -> list[Wheel]:
    if not requirements.pip:
        return []
    provided = _provided(requirements.pip, packages)
    _refuse_overrides(project, requirements.pip, provided)
    minor = _minor(packages)
    report("solving the pip: part")
    try:
        hashed = wheels.resolve(
            requirements.pip,
            constraints=_constraints(provided),
            python=minor,
            platform=project.platform,
        )
    except SolveError as error:
        raise SolveError(
            f"{project.environment_yml}: pip: nothing satisfies it together with the conda "
            f"packages: {error}"
        ) from None
    report("fetching wheels")
    return wheels.fetch(
        hashed,
        python=minor,
        platform=project.platform,
        cache_dir=store.wheels,
        without=frozenset(provided),
    )


def _attempts(
    project: Project, requirements: Requirements, store: Store, *, is_on_site: bool
) -> Attempt:
    """Tries requirements with nothing fetched or made: only versions come out."""
    solver = (
        None
        if is_on_site
        else conda.Solver(requirements.channels, project.platform, store.channels)
    )

    def attempt(changed: Requirements) -> dict[str, str]:
        if solver is None:
            found, provided, python = _resolve_like_site(project, changed.conda)
        else:
            packages = solver.solve(changed.conda)
            found = {package.name: package.version for package in packages}
            provided, python = _provided(changed.pip, packages), _minor(packages)
        if changed.pip:
            _refuse_overrides(project, changed.pip, provided)
            found |= _versions(
                wheels.resolve(
                    changed.pip,
                    constraints=_constraints(provided),
                    python=python,
                    platform=project.platform,
                )
            )
        return found

    return attempt


def _resolve_like_site(
    project: Project, specs: Sequence[str]
) -> tuple[dict[str, str], dict[str, str], str]:
    """What the site channel would have: under conda's names, under PyPI's, and the Python."""
    asked = site_channel.translate([_without_channel(spec) for spec in specs])
    provided = _versions(
        wheels.resolve(
            asked.requirements, constraints=(), python=asked.python, platform=project.platform
        )
    )
    aliases = {name: provided[pypi] for name, pypi in asked.aliases.items() if pypi in provided}
    return provided | aliases, provided, asked.python


def _versions(hashed: str) -> dict[str, str]:
    """Name and version of everything in a requirements text with hashes."""
    pins: list[tuple[str, str]] = re.findall(r"^([\w.-]+)==([^\s;\\]+)", hashed, re.MULTILINE)
    return {str(canonicalize_name(name)): version for name, version in pins}


def _minor(packages: Sequence[CondaPackage]) -> str:
    python = next(package.version for package in packages if package.name == "python")
    return ".".join(python.split(".")[:2])


def _constraints(provided: Mapping[str, str]) -> list[str]:
    return [f"{name}=={version}" for name, version in provided.items()]


def _provided(pip: Sequence[str], packages: Sequence[CondaPackage]) -> dict[str, str]:
    """Which PyPI packages the conda part brings, as canonical name and version.

    A conda package is taken for its PyPI counterpart by the kept map; the names that `pip:` itself
    mentions are looked up in that direction too, which settles the packages known by two names.
    """
    versions = {package.name: package.version for package in packages}
    by_name = {name: package.name for package in packages if (name := _counterpart(package))}
    asked = {str(canonicalize_name(Requirement(line).name)) for line in pip}
    by_name |= {name: conda_name(name) for name in asked if conda_name(name) in versions}
    provided = {}
    for name, conda_package in by_name.items():
        try:
            provided[name] = str(Version(versions[conda_package]))
        except InvalidVersion:
            continue  # not a Python package: no wheel could have such a version
    provided.pop("python", None)
    return provided


def _counterpart(package: CondaPackage) -> str | None:
    """The PyPI name of a conda package, if it is one that PyPI may know."""
    if package.channel == site_channel.NAME:
        return str(canonicalize_name(package.name))  # made from the wheel of that name
    try:
        name = pypi_name(package.name)
    except LockError:
        return None  # known by several names: those that are asked for are looked up
    is_same = canonicalize_name(conda_name(name)) == canonicalize_name(package.name)
    return name if is_same else None


def _refuse_overrides(project: Project, pip: Sequence[str], provided: Mapping[str, str]) -> None:
    for line in pip:
        requirement = Requirement(line)
        version = provided.get(canonicalize_name(requirement.name))
        if version and not requirement.specifier.contains(version, prereleases=True):
            raise ProjectError(
                f"{project.environment_yml}: pip: '{line}' would replace conda's "
                f"{requirement.name} {version}; expected the version under 'dependencies'."
            )
