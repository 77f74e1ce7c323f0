"""The plan of a workspace: everything it may see and use, as one value. Pure.

The plan is the whole wall between clients. An engine only translates it: what is not in the plan
does not exist for the workspace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kernels.projects import Limits, Project
from kernels.store import Store
from spawner.access import Grant, plan_grants, plan_projects
from spawner.limits import plan_limits
from spawner.names import safe_name, workspace_name


@dataclass(frozen=True)
class Mount:
    """A directory of the host (`source`) as the workspace sees it (`target`)."""

    source: Path
    target: PurePosixPath
    read_only: bool = True


@dataclass(frozen=True)
class Workspace:
    """A user's single-user server and all it may see.

    Attributes:
        user: whose it is.
        name: of the workspace; safe for files, containers and hosts.
        home: where the user's own files are, as the workspace sees it.
        grants: what the user was entitled to when it was planned.
        mounts: all it sees besides the operating system and the server itself, outermost first.
        environment: variables it starts with.
        limits: what it may take.
        labels: how to find it again among other things that run.
    """

    user: str
    name: str
    home: PurePosixPath
    grants: tuple[Grant, ...]
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    limits: Limits
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def examples(self) -> PurePosixPath:
        """The read-only folder in the home that holds the projects' example notebooks."""
        return self.home / "examples"


def plan_workspace(
    user: str,
    server: str,
    groups: Iterable[str],
    projects: Iterable[Project],
    *,
    store: Store,
    homes: Path,
) -> Workspace:
    """What `user` may see and use.

    Args:
        user: the user's name in the hub.
        server: the name of the server, empty for the default one.
        groups: the hub groups the user is in, now.
        projects: all projects that the store holds.
        store: where environments and kernels are.
        homes: where users' own files are.
    """
    grants = plan_grants(groups)
    entitled = plan_projects(grants, projects)
    home = PurePosixPath("/home", safe_name(user))
    return Workspace(
        user=user,
        name=workspace_name(user, server),
        home=home,
        grants=grants,
        mounts=(
            Mount(homes / safe_name(user), home, read_only=False),
            *_store_mounts(grants, entitled, store),
            *(
                Mount(
                    store.project(project) / "examples",
                    home / "examples" / project.client / project.name,
                )
                for project in entitled
            ),
        ),
        environment={
            "HOME": str(home),
            "USER": user,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "PERIJOVE_STORE": str(store.mount),
        },
        limits=plan_limits(entitled),
        labels={"perijove.user": user, "perijove.server": server},
    )


def _store_mounts(
    grants: Iterable[Grant], entitled: Iterable[Project], store: Store
) -> Iterable[Mount]:
    """Parents of what is granted: a version published later appears without a restart."""
    there = tuple(entitled)
    for grant in grants:
        if any(grant.covers(project) for project in there):
            source = store.root / grant.client / grant.project
            yield Mount(source, PurePosixPath(store.target(source)))
