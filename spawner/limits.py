"""How much a workspace may take: the most that any of its projects asks for. Pure."""

from collections.abc import Iterable

from kernels.projects import Limits, Project

DEFAULT = Limits(memory=2 * 1024**3, cpu=1.0)
"""For a workspace whose projects ask for nothing."""


def plan_limits(projects: Iterable[Project], default: Limits = DEFAULT) -> Limits:
    """The limits of a workspace that may use `projects`."""
    asked = [default, *(project.limits for project in projects)]
    return Limits(
        memory=max((limits.memory for limits in asked if limits.memory is not None), default=None),
        cpu=max((limits.cpu for limits in asked if limits.cpu is not None), default=None),
    )
