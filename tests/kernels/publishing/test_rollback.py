"""A rollback goes back to what was published before, and never forth again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.errors import StoreError
from kernels.history import Event, load_history
from kernels.projects import Project, load_projects
from kernels.publishing.publish import publish, published_version, retire
from kernels.publishing.rollback import plan_past, plan_rollback, rollback
from kernels.store import Store, ensure_store
from tests.kernels import pretend
from tests.kernels.cut import cut_off

MakeProject = Callable[..., Project]


def events(*steps: str) -> list[Event]:
    """`p3` is version 3 published, `r2` a rollback to version 2."""
    what = {"p": "published", "r": "rolled back", "t": "retired", "b": "built"}
    return [Event(0, what[step[0]], int(step[1:]), "", "", None) for step in steps]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "current", "expected"),
    [
        (["p1"], 1, None),
        (["p1", "p2", "p3"], 3, 2),
        (["p1", "p2", "p3", "r2"], 2, 1),
        (["p1", "p2", "p3", "r2", "r1"], 1, None),
        (["p1", "p2", "p3", "r2", "p4"], 4, 2),  # not 3, which was rolled back from
        (["p1", "p2", "r1", "p2"], 2, 1),
        (["p1", "p2", "p3", "p1"], 1, 3),
        (["p3", "p1", "r3"], 3, 2),  # by its number: 1 was rolled back from
        (["p1", "p2", "p2"], 2, 1),
        (["p2", "b3", "p4", "t2"], 4, 2),
    ],
)
def test_history_decides(steps: list[str], current: int, expected: int | None) -> None:
    assert plan_rollback(events(*steps), current, {1, 2, 3, 4}) == expected


def test_a_version_without_a_pinned_kernel_is_passed_over() -> None:
    assert plan_rollback(events("p1", "p2", "p3"), 3, {1, 3}) == 1
    assert plan_rollback(events("p1", "p2", "p3"), 3, {3}) is None


def test_without_history_it_is_the_next_lower_number() -> None:
    assert plan_rollback([], 5, {1, 3, 5, 7}) == 3
    assert plan_rollback([], 1, {1, 3}) is None


@pytest.mark.parametrize(
    ("steps", "current", "expected"),
    [
        (["p1", "p2"], 3, 2),  # the publication of 3 was cut off before it was noted
        (["p1", "p2", "p3"], 2, 1),  # the rollback to 2 was
    ],
)
def test_what_the_kernel_means_counts_more_than_what_was_noted(
    steps: list[str], current: int, expected: int
) -> None:
    assert plan_rollback(events(*steps), current, {1, 2, 3}) == expected


STEP = st.integers(1, 5).flatmap(lambda n: st.sampled_from([f"p{n}", f"r{n}"]))


@given(st.lists(STEP), STEP, st.sets(st.integers(1, 5)))
def test_rollbacks_visit_no_version_twice(
    earlier: Sequence[str], last: str, pinned: set[int]
) -> None:
    told = events(*earlier, last)
    current = int(last[1:])
    seen = [current]
    while (wanted := plan_rollback(told, current, pinned)) is not None:
        assert wanted in pinned
        assert wanted not in seen
        seen.append(wanted)
        told += events(f"r{wanted}")
        current = wanted


@given(st.lists(STEP), st.integers(1, 5), st.sets(st.integers(1, 5)))
def test_rollbacks_come_to_an_end_even_where_the_last_step_was_not_noted(
    steps: Sequence[str], current: int, pinned: set[int]
) -> None:
    told = events(*steps)
    count = 0
    while (wanted := plan_rollback(told, current, pinned)) is not None:
        told += events(f"r{wanted}")
        current, count = wanted, count + 1
        assert count <= 2 * 5


@given(st.lists(STEP))
def test_a_version_is_on_the_way_or_left_and_never_both(steps: Sequence[str]) -> None:
    past = plan_past(events(*steps))
    assert len({*past.way}) == len(past.way)
    assert not past.left & {*past.way}
    assert past.way[-1:] == tuple(int(step[1:]) for step in steps[-1:])


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project("a/b", channels=("conda-forge",))


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return ensure_store(tmp_path / "store", tmp_path / "store")


def publish_all(project: Project, place: Store, *versions: int) -> None:
    for version in versions:
        publish(project, pretend.build(project, place, version), place)


def test_rolling_back_twice_goes_further_back(project: Project, place: Store) -> None:
    publish_all(project, place, 1, 2, 3)
    pinned = (place.root / "a/b/kernels/a.b.v3/kernel.json").read_text()
    assert rollback(project, place) == (3, 2)
    assert published_version(project, place) == 2
    assert rollback(project, place) == (2, 1)
    with pytest.raises(StoreError) as caught:
        rollback(project, place)
    assert str(caught.value) == (
        "a/b: no version was published before v1; choose one with --to (in the launchers: v2, v3)."
    )
    assert published_version(project, place) == 1
    assert (place.root / "a/b/kernels/a.b.v3/kernel.json").read_text() == pinned
    told = [(event.what, event.version) for event in load_history(project, place)]
    assert told[-2:] == [("rolled back", 2), ("rolled back", 1)]


def test_the_stable_kernel_is_the_one_that_was_published_then(
    project: Project, place: Store
) -> None:
    publish_all(project, place, 1)
    stable = place.root / "a/b/kernels/a.b/kernel.json"
    before = stable.read_text()
    publish_all(project, place, 2)
    assert stable.read_text() != before
    rollback(project, place)
    assert stable.read_text() == before


def test_a_version_can_be_named(project: Project, place: Store) -> None:
    publish_all(project, place, 1, 2, 3)
    assert rollback(project, place, 1) == (3, 1)
    with pytest.raises(StoreError, match=r"a/b: its kernel means v1 already"):
        rollback(project, place, 1)
    with pytest.raises(StoreError, match=r"v9 is not in the launchers, .*: v2, v3\)\.$"):
        rollback(project, place, 9)


def test_nothing_published_is_told(project: Project, place: Store) -> None:
    with pytest.raises(StoreError, match="a/b: nothing is published, so there is nothing to roll"):
        rollback(project, place)


def test_a_retired_version_is_not_gone_back_to(project: Project, place: Store) -> None:
    publish_all(project, place, 1, 2, 3)
    retire(project, [2], place)
    assert rollback(project, place) == (3, 1)


def test_a_version_whose_environment_is_gone_is_not_gone_back_to(
    project: Project, place: Store
) -> None:
    publish_all(project, place, 1, 2, 3)
    for path in place.root.glob("a/b/envs/v2-*"):
        path.rename(place.root / "gone")
    assert rollback(project, place) == (3, 1)


STEPS = ("Path.replace", "Path.rename", "Path.chmod", "os.fsync", "os.open")


def roll_back(_step: object, root: Path, projects: Path) -> None:
    rollback(load_projects(projects).find("a/b"), Store(root, root))


@pytest.mark.slow
def test_a_rollback_that_is_killed_happened_or_did_not(
    project: Project, place: Store, projects: Path
) -> None:
    publish_all(project, place, 1, 2, 3)
    seen = set()
    for at in range(1, 12):
        done = cut_off(roll_back, place.root, projects, at=at, counted=STEPS)
        found = published_version(project, place)
        seen.add(found)
        assert found in {2, 3}
        if found == 2:  # what comes next goes further back, noted or not
            assert rollback(project, place) == (2, 1)
            publish(project, place.environments(project)[1], place)
            publish(project, place.environments(project)[2], place)
        if not done.is_cut:
            break
    else:
        pytest.fail("it never came to its end")
    assert seen == {2, 3}
