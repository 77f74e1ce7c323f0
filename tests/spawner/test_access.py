"""Groups open projects, and nothing else does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.projects import Project
from spawner.access import Grant, is_still_granted, plan_grants, plan_projects


def make(slug: str) -> Project:
    client, name = slug.split("/")
    return Project(client, name, Path("/p"), client, slug, "d", "o")


PROJECTS = [make(slug) for slug in ("a/one", "a/two", "a-b/one", "b/one")]


def opened(*groups: str) -> list[str]:
    return [project.slug for project in plan_projects(plan_grants(groups), PROJECTS)]


def test_a_clients_group_opens_all_its_projects_and_no_others() -> None:
    assert opened("a") == ["a/one", "a/two"]


def test_a_projects_group_opens_that_one() -> None:
    assert opened("a/two") == ["a/two"]
    assert opened("a/two", "b/one") == ["a/two", "b/one"]


@pytest.mark.parametrize(
    "group",
    [
        *(
            "",
            "/",
            "A",
            "a/",
            "/one",
            "a//one",
            "a/one/",
            "a/one/two",
            "a/*",
            "*",
            "..",
            "a/..",
            ".",
        ),
        *(" a", "a ", "a\n", "a/one\n", "a.one", "a_b", "admin users", "a/\u0661", "a\0"),
    ],
)
def test_any_other_group_opens_nothing(group: str) -> None:
    assert plan_grants([group]) == ()
    assert opened(group) == []


def test_nobody_sees_nothing() -> None:
    assert opened() == []


def test_grants_are_in_order_and_not_repeated() -> None:
    assert plan_grants(["b/one", "a/two", "b/one", "a/one", "c"]) == (
        *(Grant("a", "one"), Grant("a", "two"), Grant("b", "one"), Grant("c")),
    )


def test_a_clients_grant_takes_up_those_of_its_projects() -> None:
    assert plan_grants(["a/one", "a", "a/two"]) == (Grant("a"),)


@pytest.mark.parametrize(
    ("held", "now", "still"),
    [
        ([], [], True),
        (["a"], ["a"], True),
        (["a"], ["a", "b"], True),
        (["a/one"], ["a"], True),
        (["a"], ["a/one", "a/two"], False),
        (["a", "b"], ["a"], False),
        (["a/one"], ["a/two"], False),
        (["a/one"], [], False),
    ],
)
def test_what_is_held_must_still_be_granted(held: list[str], now: list[str], still: bool) -> None:
    assert is_still_granted(plan_grants(held), plan_grants(now)) is still


WORDS = st.sampled_from(["a", "b", "a-b", "one", "two", "", "..", "A", "*"])
GROUPS = st.lists(st.one_of(WORDS, st.builds("{}/{}".format, WORDS, WORDS), st.text()), max_size=6)


@given(GROUPS)
def test_only_the_exact_names_open_a_project(groups: list[str]) -> None:
    for project in PROJECTS:
        member = project.client in groups or project.slug in groups
        assert (project.slug in opened(*groups)) is member


@given(GROUPS, GROUPS)
def test_more_groups_never_take_anything_away(groups: list[str], more: list[str]) -> None:
    assert set(opened(*groups)) <= set(opened(*groups, *more))
    assert is_still_granted(plan_grants(groups), plan_grants([*groups, *more]))
