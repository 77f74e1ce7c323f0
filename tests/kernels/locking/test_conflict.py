"""Who pulls which version, and the smallest change that solves; on a real channel and on none."""

from collections.abc import Mapping
from typing import Any

import pytest

from kernels import conda
from kernels.environment_yml import Requirements
from kernels.errors import SolveError
from kernels.locking.conflict import Conflict, Pull, explain_conflict
from kernels.platform import Platform


@pytest.fixture
def shelf(own_channel: Any) -> Any:
    """numpy, pandas and what contradicts them."""
    for name, version, *depends in (
        ("numpy", "1.26.4"),
        ("numpy", "2.1.0"),
        ("pandas", "1.5.3", "numpy <2"),
        ("pandas", "2.2.0", "numpy >=1.26"),
        ("old", "1.0", "numpy <2"),
        ("lib", "1.0"),
        ("lib", "2.0"),
        ("needs-lib-one", "1.0", "lib <2"),
        ("needs-lib-two", "1.0", "lib >=2"),
        ("needs-lib-two", "0.9", "lib <2"),
    ):
        own_channel.add(name, version, depends=tuple(depends))
    own_channel.index()
    return own_channel


def explained(channel: Any, *specs: str, wanted: tuple[str, ...] = ()) -> Conflict:
    solver = conda.Solver([channel.url], Platform())
    asked = Requirements(conda=("python=3.11", *specs), channels=(channel.url,))

    def attempt(changed: Requirements) -> Mapping[str, str]:
        return {package.name: package.version for package in solver.solve(changed.conda)}

    with pytest.raises(SolveError) as caught:
        attempt(asked)
    found = explain_conflict(asked, str(caught.value), attempt, wanted=wanted)
    changes = dict(found.changes)
    if changes:  # what is proposed is tried: it must be true
        attempt(Requirements(conda=tuple(changes.get(spec, spec) for spec in asked.conda)))
    return found


def test_who_pulls_what_and_which_single_change_solves(shelf: Any) -> None:
    found = explained(shelf, "numpy>=2", "old")
    assert found == Conflict(
        pulls=(Pull("numpy>=2", "numpy", "2.1.0"), Pull("old", "numpy", "1.26.4")),
        changes=(("numpy>=2", "numpy=1.26"),),
    )
    assert found.text == (
        "Alone, 'numpy>=2' brings numpy 2.1.0, 'old' brings numpy 1.26.4. "
        "It solves with 'numpy=1.26' in place of 'numpy>=2'."
    )


def test_a_dispute_over_what_nobody_asked_for_is_found(shelf: Any) -> None:
    found = explained(shelf, "needs-lib-one", "needs-lib-two=1.0")
    assert {pull.package for pull in found.pulls} == {"lib"}
    assert found.changes == (("needs-lib-two=1.0", "needs-lib-two=0.9"),)


def test_what_was_just_asked_for_is_let_go_of_last(shelf: Any) -> None:
    specs = ("numpy>=2", "pandas<2")
    assert explained(shelf, *specs).changes == (("numpy>=2", "numpy=1.26"),)
    assert explained(shelf, *specs, wanted=("numpy>=2",)).changes == (("pandas<2", "pandas=2.2"),)


def test_two_are_let_go_of_where_one_is_not_enough(shelf: Any) -> None:
    found = explained(shelf, "numpy>=3", "pandas>=3")
    assert found.changes == (("numpy>=3", "numpy=2.1"), ("pandas>=3", "pandas=2.2"))
    assert found.text == (
        "Nothing satisfies 'numpy>=3', even alone. It solves with 'numpy=2.1' in place of "
        "'numpy>=3' and 'pandas=2.2' in place of 'pandas>=3'."
    )


def test_a_package_that_is_not_there_cannot_be_helped(shelf: Any) -> None:
    assert explained(shelf, "nopackage").text == (
        "Nothing satisfies 'nopackage', even alone. Letting go of one or two versions does not "
        "help."
    )


def test_python_is_let_go_of_when_nothing_else_helps(shelf: Any) -> None:
    shelf.add("modern", "1.0", depends=("python >=3.12",))
    shelf.index()
    assert explained(shelf, "modern").changes == (("python=3.11", "python=3.12"),)


def test_a_channel_named_with_the_package_stays(shelf: Any) -> None:
    found = explained(shelf, f"{shelf.url}::numpy>=2", "old")
    assert found.changes == ((f"{shelf.url}::numpy>=2", f"{shelf.url}::numpy=1.26"),)


def test_pip_lines_are_let_go_of_in_their_own_words() -> None:
    asked = Requirements(conda=("python=3.11",), pip=("Report[pdf]>=2",))

    def attempt(changed: Requirements) -> Mapping[str, str]:
        if changed.pip and ">=2" in changed.pip[0]:
            raise SolveError("report>=2 is not to be had")
        return {"python": "3.11.7", "report": "1.4.2"}

    found = explain_conflict(asked, "report>=2 is not to be had", attempt)
    assert found.changes == (("Report[pdf]>=2", "Report[pdf]==1.4.*"),)


def test_the_number_of_tries_is_bounded() -> None:
    asked = Requirements(conda=("python=3.11", *(f"p{number}=1" for number in range(40))))
    tries: list[Requirements] = []

    def attempt(changed: Requirements) -> Mapping[str, str]:
        tries.append(changed)
        raise SolveError("no")

    assert explain_conflict(asked, "no", attempt).changes == ()
    assert len(tries) <= 30
