from pathlib import Path

from kernels.projects import Limits, Project
from spawner.limits import plan_limits

GIB = 1024**3


def asking(limits: Limits) -> Project:
    return Project("a", "b", Path("/p"), "A", "B", "d", "o", limits=limits)


def test_who_asks_for_nothing_gets_the_default() -> None:
    assert plan_limits([]) == plan_limits([asking(Limits())]) == Limits()


def test_the_most_that_is_asked_for_wins_each_for_itself() -> None:
    projects = [
        asking(Limits(memory=8 * GIB, cpu=2)),
        asking(Limits(memory=4 * GIB, cpu=6)),
        asking(Limits(gpus=1)),
    ]
    assert plan_limits(projects) == Limits(memory=8 * GIB, cpu=6, gpus=1)


def test_a_project_may_ask_for_less_than_the_default() -> None:
    assert plan_limits([asking(Limits(memory=GIB, cpu=0.5))]) == Limits(memory=GIB, cpu=0.5)
