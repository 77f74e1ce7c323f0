"""A workspace may take the most that any of its projects asks for."""

from pathlib import Path

from kernels.projects import Limits, Project
from spawner.limits import DEFAULT, plan_limits

GIB = 1024**3


def asking(memory: int | None = None, cpu: float | None = None) -> Project:
    return Project("a", "b", Path("/p"), "A", "B", "d", "o", limits=Limits(memory, cpu))


def test_who_asks_for_nothing_gets_the_default() -> None:
    assert plan_limits([]) == plan_limits([asking()]) == DEFAULT


def test_the_most_that_is_asked_for_wins_each_for_itself() -> None:
    projects = [asking(memory=8 * GIB, cpu=2), asking(memory=4 * GIB, cpu=6)]
    assert plan_limits(projects) == Limits(memory=8 * GIB, cpu=6)


def test_a_workspace_never_gets_less_than_the_default() -> None:
    assert plan_limits([asking(memory=GIB, cpu=0.5)]) == DEFAULT


def test_a_site_may_set_no_default() -> None:
    assert plan_limits([], Limits()) == Limits()
    assert plan_limits([asking(memory=GIB)], Limits()) == Limits(memory=GIB)
