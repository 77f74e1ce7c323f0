"""How much a workspace may take: the most that any of its projects asks for. Pure."""

from collections.abc import Iterable

from kernels.projects import Limits, Project


def plan_limits(projects: Iterable[Project]) -> Limits:
    """The limits of a workspace that may use `projects`; the default without any."""
    asked = [project.limits for project in projects] or [Limits()]
    return Limits(
        memory=max(limits.memory for limits in asked),
        cpu=max(limits.cpu for limits in asked),
        gpus=max(limits.gpus for limits in asked),
    )
