"""No two projects share a name, whatever they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import names

WORDS = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,4}){0,3}", fullmatch=True)
PROJECTS = st.tuples(WORDS, WORDS)
VERSIONS = st.integers(min_value=1, max_value=999)


@given(PROJECTS, PROJECTS, VERSIONS, VERSIONS)
def test_names_of_different_projects_and_versions_never_collide(
    one: tuple[str, str], other: tuple[str, str], first: int, second: int
) -> None:
    kernels = {names.kernel_name(*project) for project in (one, other)}
    pinned = {names.kernel_name(*one, first), names.kernel_name(*other, second)}
    environments = {names.environment_name(*one, first), names.environment_name(*other, second)}
    assert len(kernels) == len({one, other})
    assert len(pinned) == len(environments) == len({(one, first), (other, second)})
    assert not kernels & pinned


@given(st.text(max_size=60))
def test_what_is_a_name_is_safe_everywhere(text: str) -> None:
    if names.is_name(text):
        assert 0 < len(text) <= 40
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert not text.startswith("-")
        assert not text.endswith("-")


@given(WORDS)
def test_words_joined_by_single_hyphens_are_names(text: str) -> None:
    assert names.is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", "a_b", "A", "a--b", "-a", "a-", "a b", "a/b", "ä", "a\n", "\u0661"],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert not names.is_name(text)


def test_a_prefix_is_named_by_its_version_and_its_lock() -> None:
    digest = "0123456789abcdef" * 4
    assert names.prefix_name(12, digest) == "v12-0123456789ab"
    assert names.parse_prefix_name("v12-0123456789ab") == (12, "0123456789ab")


@pytest.mark.parametrize(
    "text", ["", "v0-0123456789ab", "v1-0123456789a", "v1-0123456789abc", "1-0123456789ab", "v1"]
)
def test_other_directories_are_no_prefixes(text: str) -> None:
    assert names.parse_prefix_name(text) is None
