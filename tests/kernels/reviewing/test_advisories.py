"""Which versions an advisory in the OSV format speaks of."""

from typing import Any

import pytest

from kernels.reviewing.advisories import Hit, find_hit, parse_advisory


def record(**keys: Any) -> dict[str, Any]:
    return {
        "id": "PYSEC-1",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "Some_Thing"}, **keys}],
    }


def hit(version: str, ecosystem: str = "PyPI", **keys: Any) -> Hit | None:
    table = record(**keys)
    table["affected"][0]["package"]["ecosystem"] = ecosystem
    advisory = parse_advisory(table)
    assert advisory
    return find_hit(advisory.affected[0], version)


def ranged(*events: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": [{key: value} for key, value in events]}]}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0", None),
        ("1.1", Hit(is_certain=True, fixed="1.10")),
        ("1.9", Hit(is_certain=True, fixed="1.10")),  # as versions, not as texts
        ("1.10rc1", Hit(is_certain=True, fixed="1.10")),
        ("1.10", None),
        ("2.0", Hit(is_certain=True, fixed="2.5")),
        ("2.5", None),
    ],
)
def test_a_version_is_affected_from_what_introduced_it_to_what_fixed_it(
    version: str, expected: Hit | None
) -> None:
    events = [("introduced", "1.1"), ("fixed", "1.10"), ("introduced", "2.0"), ("fixed", "2.5")]
    assert hit(version, **ranged(*events)) == expected
    assert hit(version, **ranged(*reversed(events))) == expected  # in any order


def test_the_last_affected_version_is_affected_and_the_next_is_not() -> None:
    events = ranged(("introduced", "0"), ("last_affected", "1.4"))
    assert hit("0.0.1.dev1", **events) == Hit(is_certain=True)
    assert hit("1.4", **events) == Hit(is_certain=True)
    assert hit("1.4.post1", **events) is None


def test_what_was_never_fixed_is_affected_for_good() -> None:
    assert hit("99", **ranged(("introduced", "0"))) == Hit(is_certain=True)


def test_a_limit_ends_what_is_said() -> None:
    assert hit("2.0", **ranged(("introduced", "0"), ("limit", "2.0"))) is None
    assert hit("1.9", **ranged(("introduced", "0"), ("limit", "2.0"))) == Hit(is_certain=True)
    assert hit("9.9", **ranged(("introduced", "0"), ("limit", "*"))) == Hit(is_certain=True)


def test_listed_versions_are_affected_however_they_are_written() -> None:
    assert hit("1.0", versions=["1.0.0", "1.2"]) == Hit(is_certain=True)
    assert hit("1.1", versions=["1.0.0", "1.2"]) is None
    assert hit("2004d", versions=["2004d"]) == Hit(is_certain=True)


def test_a_git_range_says_nothing_about_releases() -> None:
    assert hit("1.0", **ranged(("introduced", "0"), kind="GIT")) is None


def test_versions_that_cannot_be_compared_are_not_taken_for_safe() -> None:
    assert hit("9e", **ranged(("introduced", "8"))) == Hit(is_certain=False)
    assert hit("1.0", **ranged(("introduced", "0"), ("fixed", "r17"))) == Hit(is_certain=False)
    # the list holds all that the range means
    assert hit("1.0", versions=["0.9"], **ranged(("introduced", "0"), ("fixed", "r17"))) is None


def test_condas_versions_are_ordered_as_conda_does() -> None:
    events = ranged(("introduced", "1.1.1a"), ("fixed", "1.1.1w"))
    assert hit("1.1.1q", "conda", **events) == Hit(is_certain=True, fixed="1.1.1w")
    assert hit("1.1.1w", "conda-forge", **events) is None


def test_names_are_canonical_and_other_ecosystems_are_left_out() -> None:
    table = record()
    table["affected"].append({"package": {"ecosystem": "npm", "name": "left-pad"}})
    table["affected"].append({"package": {"ecosystem": "PyPI:mirror", "name": "Two"}})
    found = parse_advisory(table)
    assert found
    assert [one.name for one in found.affected] == ["some-thing", "two"]


def test_a_withdrawn_advisory_says_nothing() -> None:
    assert parse_advisory(record() | {"withdrawn": "2024-01-01T00:00:00Z"}) is None


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, None),
        ({"database_specific": {"severity": "HIGH"}}, "high"),
        (
            {
                "severity": [
                    {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}
                ]
            },
            "high, CVSS 7.5",
        ),
        (
            {
                "database_specific": {"severity": "CRITICAL"},
                "severity": [
                    {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:N/I:N/A:C"},
                    {
                        "type": "CVSS_V4",
                        "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N",
                    },
                ],
            },
            "critical, CVSS 8.7",
        ),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/nonsense"}]}, None),
        ({"severity": [{"type": "Ubuntu", "score": "low"}]}, None),
    ],
)
def test_how_severe_it_is_in_words(keys: dict[str, Any], expected: str | None) -> None:
    found = parse_advisory(record() | keys)
    assert found
    assert found.severity == expected


def test_the_summary_is_one_line() -> None:
    found = parse_advisory(record() | {"details": "\nBad things\nhappen"})
    assert found
    assert found.summary == "Bad things"
    found = parse_advisory(record() | {"details": "word " * 200})
    assert found
    assert found.summary.endswith("word ...")
    assert len(found.summary) <= 120


@pytest.mark.parametrize("table", [{}, {"id": "X", "affected": ["y"]}, {"id": "X", "affected": 7}])
def test_what_is_no_record_is_an_error(table: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        parse_advisory(table)
