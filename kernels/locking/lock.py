"""The lock: the exact packages, with hashes, and the platform an environment is built from.

Perijove's own JSON, one package after the other in the order of their names, so that a diff reads
as what changed. The sha256 of the file's text names the environment. A lock is solved anew only
when somebody asks, or when the project asks for something else than it did.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from kernels import history
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements, load_requirements
from kernels.errors import StoreError
from kernels.locking import solving
from kernels.locking.wheels import Wheel
from kernels.platform import Platform
from kernels.projects import Project
from kernels.store import CACHES, Store, write_text

_FORMAT = 1

Report = solving.Report
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
    return parse_lock(file.read_text(encoding="utf-8"), file)


def parse_lock(text: str, file: Path) -> Lock:
    """The lock that `file` holds. Raises StoreError if it is not one."""
    try:
        table = dict(json.loads(text))
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
    with store.writing(project.slug), store.hold(CACHES, shared=True):  # until the lock stands
        lock = solve_lock(project, store, report)
        with store.hold(project.kernel_name):
            last = find_lock(project, store)
            if last is None or last.digest != lock.digest:
                store.ensure_project(project)
                write_text(store.lock_file(project), lock.text)
                history.record(project, store, "locked", version=None, lock=lock.digest)
    return lock


def solve_lock(project: Project, store: Store, report: Report) -> Lock:
    """Solves the project anew and keeps nothing of it but packages in the caches.

    The newest lock is returned as it is if it has the same packages.

    Raises:
        ProjectError: `environment.yml` is not as it must be.
        LockError: there is no solution, or nobody to ask.
        StoreError: the store cannot be written.
    """
    requirements = load_requirements(project.environment_yml)
    with store.writing(project.slug):
        solution = solving.solve(project, requirements, store, report)
        lock = Lock(
            project=project.slug,
            requirements=requirements,
            platform=project.platform,
            conda=solution.conda,
            pip=solution.pip,
            tools={tool: installed_version(tool) for tool in ("py-rattler", "uv")},
        )
        last = find_lock(project, store)
        is_same = last is not None and replace(last, tools=lock.tools) == lock
        return last if last and is_same else lock  # a newer tool alone is no new version


def find_lock(project: Project, store: Store) -> Lock | None:
    """The newest lock; None if there is none, or none that can be read."""
    file = store.lock_file(project)
    try:
        return load_lock(file) if file.exists() else None
    except StoreError:
        return None


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
