"""Applies the tenancy rule to a running hub: at every spawn, and for as long as a workspace runs.

`plan_at_spawn` is the hub's `pre_spawn_hook`, the last gate before a start: user options and what
the database replays have been applied by then, and none of it is asked here. The plan is made from
the groups as they are at that moment.
"""

from typing import Any

from kernels.errors import ProjectError
from kernels.projects import Project, load_projects
from spawner.access import Grant, is_still_granted, plan_grants
from spawner.plan import plan_workspace
from spawner.settings import Settings


def plan_at_spawn(spawner: Any) -> None:
    """Gives the spawner the plan it has to carry out (JupyterHub's `Spawner.pre_spawn_hook`)."""
    spawner.workspace = plan_workspace(
        spawner.user.name,
        spawner.name,
        current_groups(spawner),
        load_catalogue(spawner.settings),
        store=spawner.settings.store,
        homes=spawner.settings.homes,
    )


def load_catalogue(settings: Settings) -> tuple[Project, ...]:
    """The projects that the store holds something of, built or being built."""
    try:
        projects = load_projects(settings.projects).projects
    except ProjectError:
        return ()
    return tuple(project for project in projects if settings.store.project(project).is_dir())


def current_groups(spawner: Any) -> list[str]:
    """The groups the spawner's user is in, as the hub's database says now."""
    spawner.db.expire(spawner.user.orm_user, ["groups"])
    return [group.name for group in spawner.user.orm_user.groups]


def is_entitled(spawner: Any, held: tuple[Grant, ...]) -> bool:
    """Whether the user may still see everything that the running workspace sees."""
    return is_still_granted(held, plan_grants(current_groups(spawner)))
