"""Names of workspaces: safe everywhere, and no two the same."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.names import safe_name, workspace_name

NASTY = {
    "ana": "ana",
    "Ana.Ruiz@bank.example": "-41na-2e-52uiz-40bank-2eexample",
    ".": "-2e",
    "..": "-2e-2e",
    "a--b": "a-2d-2db",
    "a-b": "a-2db",
    "a-2db": "a-2d2db",
    "a/b": "a-2fb",
    "a\0b": "a-00b",
    " ": "-20",
    "é": "-c3-a9",
    "\u65e5\u672c": "-e6-97-a5-e6-9c-ac",
}
ALPHABET = set(string.ascii_lowercase + string.digits + "-")
USERS = st.text(min_size=1, max_size=80)


@pytest.mark.parametrize(("text", "name"), NASTY.items())
def test_nasty_names_are_escaped(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_a_long_name_is_cut_and_told_apart_by_a_hash() -> None:
    names = {safe_name("a" * length) for length in range(49, 300)}
    assert len(names) == 251
    assert {len(name) for name in names} == {48}
    assert all(name.startswith("a" * 30 + "--") for name in names)


def test_a_name_must_not_be_empty() -> None:
    with pytest.raises(ValueError, match="a name must not be empty"):
        safe_name("")


@given(USERS)
def test_a_name_is_safe_for_files_and_containers(user: str) -> None:
    name = safe_name(user)
    assert 0 < len(name) <= 48
    assert set(name) <= ALPHABET


@given(USERS, st.text(max_size=80))
def test_a_workspace_name_is_safe_too(user: str, server: str) -> None:
    name = workspace_name(user, server)
    assert 0 < len(name) <= 99
    assert set(name) <= ALPHABET


@given(st.lists(USERS, unique=True, max_size=20))
def test_no_two_users_share_a_name(users: list[str]) -> None:
    assert len({safe_name(user) for user in users}) == len(users)


@given(st.lists(st.tuples(USERS, st.text(max_size=80)), unique=True, max_size=20))
def test_no_two_workspaces_share_a_name(workspaces: list[tuple[str, str]]) -> None:
    assert len({workspace_name(*workspace) for workspace in workspaces}) == len(workspaces)


@given(st.text(alphabet="a-.2d", min_size=1, max_size=12), st.text(alphabet="a-.2d", max_size=12))
def test_a_named_server_is_never_another_users_workspace(user: str, other: str) -> None:
    if other and user != other:
        assert workspace_name(user) != workspace_name(other)
        assert workspace_name(user, other) != workspace_name(other, user)
    assert workspace_name(user, "x") != workspace_name(f"{user}---x")


def test_a_name_that_is_cut_within_an_escape_is_no_named_server_of_another_user() -> None:
    long = "a" * 29 + "." + "b" * 40
    digest = safe_name(long)[-16:]
    assert workspace_name(long) != workspace_name("a" * 29, digest)
