"""The lock: the exact packages, with hashes, and the platform an environment is built from.

Perijove's own JSON, one package after the other in the order of their names, so that a diff reads
as what changed. The sha256 of the file's text names the environment. A lock is solved anew only
when somebody asks, or when the project asks for something else than it did.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kernels import conda, site_channel, wheels
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements, load_requirements
from kernels.errors import LockError, ProjectError, SolveError, StoreError
from kernels.package_names import conda_name, pypi_name
from kernels.platform import Platform
from kernels.projects import Project
from kernels.store import Store, write_text
from kernels.wheels import Wheel

_FORMAT = 1

Report = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True)
class Lock:
    """What one environment is made of.

    Attributes:
        project: `<client>/<project>`.
        requirements: what was asked for.
        platform: what the packages may rely on.
        conda: the conda packages, in the order of their names.
        pip: the wheels of the `pip:` section, in the order of their names.
        tools: which versions of which tools made the lock; for people, not part of its meaning.
    """

    project: str
    requirements: Requirements
    platform: Platform
    conda: tuple[CondaPackage, ...]
    pip: tuple[Wheel, ...]
    tools: Mapping[str, str]

    @cached_property
    def text(self) -> str:
        """The file's content."""
        return json.dumps({"format": _FORMAT} | asdict(self), indent=2, ensure_ascii=False) + "\n"

    @cached_property
    def digest(self) -> str:
        """The sha256 of the file's content."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def python(self) -> str:
        """The Python version, `3.11.7`."""
        return next(package.version for package in self.conda if package.name == "python")

    @property
    def python_minor(self) -> str:
        """`3.11`."""
        return ".".join(self.python.split(".")[:2])

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels its packages come from, for people; `site` is the site channel."""
        return tuple(sorted({package.channel for package in self.conda}))

    def is_for(self, project: Project, requirements: Requirements) -> bool:
        """Whether it answers what the project asks for now."""
        return (self.requirements, self.platform) == (requirements, project.platform)


def load_lock(file: Path) -> Lock:
    """Reads a lock. Raises StoreError if it is not one."""
    try:
        table = dict(json.loads(file.read_text(encoding="utf-8")))
        if table.pop("format") != _FORMAT:
            raise StoreError(f"{file}: a lock of another format; lock the project again.")
        return Lock(
            project=table["project"],
            requirements=Requirements(**_tuples(table["requirements"])),
            platform=Platform(**table["platform"]),
            conda=tuple(CondaPackage(**_tuples(entry)) for entry in table["conda"]),
            pip=tuple(Wheel(**entry) for entry in table["pip"]),
            tools=table["tools"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{file}: not a lock ({error!r}); lock the project again.") from None


def ensure_lock(project: Project, store: Store, report: Report) -> Lock:
    """The project's lock as it is if it still answers what is asked for, else a new one."""
    file = store.lock_file(project)
    if file.exists():
        lock = load_lock(file)
        if lock.is_for(project, load_requirements(project.environment_yml)):
            return lock
    return make_lock(project, store, report)


def make_lock(project: Project, store: Store, report: Report) -> Lock:
    """Solves the project anew and keeps the result as its newest lock.

    Raises:
        ProjectError: `environment.yml` is not as it must be.
        LockError: there is no solution, or nobody to ask.
        StoreError: the store cannot be written.
    """
    requirements = load_requirements(project.environment_yml)
    with store.writing(project.slug):
        packages = _solve_conda(project, requirements, store, report)
        lock = Lock(
            project=project.slug,
            requirements=requirements,
            platform=project.platform,
            conda=tuple(packages),
            pip=tuple(_solve_pip(project, requirements, packages, store, report)),
            tools={tool: installed_version(tool) for tool in ("py-rattler", "uv")},
        )
        last = _last_lock(store.lock_file(project))
        if last and replace(last, tools=lock.tools) == lock:
            return last  # a newer tool alone is no reason for a new version
        store.ensure_project(project)
        write_text(store.lock_file(project), lock.text)
        return lock


def _last_lock(file: Path) -> Lock | None:
    """The newest lock, unless there is none or it cannot be read: then a new one replaces it."""
    try:
        return load_lock(file) if file.exists() else None
    except StoreError:
        return None


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _solve_conda(
    project: Project, requirements: Requirements, store: Store, report: Report
) -> list[CondaPackage]:
    silent = [name for name in requirements.channels if not conda.is_answering(name)]
    # A channel given by its address is somebody's own: what it holds is not what PyPI calls so.
    own = [name for name in silent if "/" in name]
    if own or (silent and len(silent) < len(requirements.channels)):
        raise LockError(
            f"{project.slug}: the channel {(own or silent)[0]} does not answer; without it the "
            "result would not be what environment.yml asks for."
        )
    try:
        if silent:
            return _solve_on_site_channel(project, requirements, store, report)
        report("solving")
        return conda.solve(requirements.conda, requirements.channels, project.platform)
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
    python = next(package.version for package in packages if package.name == "python")
    minor = ".".join(python.split(".")[:2])
    report("solving the pip: part")
    try:
        hashed = wheels.resolve(
            requirements.pip,
            constraints=[f"{name}=={version}" for name, version in provided.items()],
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
