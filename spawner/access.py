"""The tenancy rule: which hub groups open which projects. Pure; nothing else decides this.

A member of the group `<client>` may use all of the client's projects, a member of
`<client>/<project>` that one. Any other group (of another purpose, or misspelt) opens nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kernels.names import is_name
from kernels.projects import Project


@dataclass(frozen=True, order=True)
class Grant:
    """Leave to use one project of a client, or with `project` empty all of them."""

    client: str
    project: str = ""

    def covers(self, project: Project) -> bool:
        """Whether it opens this project."""
        return self.client == project.client and self.project in ("", project.name)

    def includes(self, other: "Grant") -> bool:
        """Whether it opens everything that `other` opens."""
        return self.client == other.client and self.project in ("", other.project)


def plan_grants(groups: Iterable[str]) -> tuple[Grant, ...]:
    """What membership in `groups` opens, without repetition, in the order of names."""
    parsed = {grant for group in groups if (grant := _parse(group))}
    return tuple(
        sorted(
            grant
            for grant in parsed
            if not any(other != grant and other.includes(grant) for other in parsed)
        )
    )


def plan_projects(grants: Iterable[Grant], projects: Iterable[Project]) -> tuple[Project, ...]:
    """Those of `projects` that `grants` open."""
    granted = tuple(grants)
    return tuple(project for project in projects if any(grant.covers(project) for grant in granted))


def is_still_granted(held: Iterable[Grant], now: Iterable[Grant]) -> bool:
    """Whether everything that was `held` is granted `now` too."""
    current = tuple(now)
    return all(any(grant.includes(old) for grant in current) for old in held)


def _parse(group: str) -> Grant | None:
    client, _, project = group.partition("/")
    if not is_name(client) or (project and not is_name(project)) or group.endswith("/"):
        return None
    return Grant(client, project)
