"""The difference of two locks, in people's words."""

from pathlib import Path

import pytest

from kernels.environment_yml import Requirements
from kernels.locking.changes import Change, Changes, plan_changes, read_sizes
from kernels.locking.wheels import wheel_path
from kernels.platform import Platform
from kernels.store import Store
from tests.kernels.pretend import conda, lock, wheel


def test_nothing_changes_between_a_lock_and_itself() -> None:
    one = lock(conda("numpy"), wheel("report"))
    assert plan_changes(one, one, {}) == Changes((), (), total=0, growth=0, unknown=3)


def test_every_kind_of_change_with_its_sizes() -> None:
    before = lock(
        conda("gone", size=5),
        conda("newer", "1.9", size=10),
        conda("older", "2.0", size=10),
        conda("rebuilt", build="h0", size=7),
        conda("same"),
        wheel("table", "1.0"),
    )
    after = lock(
        conda("added", size=100),
        conda("newer", "1.10", size=12),
        conda("older", "2.0rc1", size=9),
        conda("rebuilt", build="h1", size=7),
        conda("same"),
        wheel("table", "1.1"),
    )
    sizes = {package.sha256: package.size or 0 for one in (before, after) for package in one.conda}
    found = plan_changes(before, after, sizes)
    assert found.packages == (
        Change("added", "conda", "added", None, "1.0", 0, 100),
        Change("removed", "conda", "gone", "1.0", None, 5, 0),
        Change("up", "conda", "newer", "1.9", "1.10", 10, 12),
        Change("down", "conda", "older", "2.0", "2.0rc1", 10, 9),
        Change("rebuilt", "conda", "rebuilt", "1.0 (h0)", "1.0 (h1)", 7, 7),
        Change("up", "pip", "table", "1.0", "1.1", None, None),
    )
    assert [found.count(kind) for kind in ("added", "removed", "up", "down", "rebuilt")] == [
        *(1, 1, 2, 1, 1)
    ]
    assert found.growth is None  # nobody knows how large the wheels are
    assert found.unknown == 1
    assert found.total == 1000 + 100 + 12 + 9 + 7 + 1000


def test_growth_is_what_there_is_more_to_keep() -> None:
    before, after = lock(conda("numpy", "1", size=10)), lock(conda("numpy", "2", size=4))
    sizes = {package.sha256: package.size or 0 for one in (before, after) for package in one.conda}
    assert plan_changes(before, after, sizes).growth == -6


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("2024a", "2024b", "up"),
        ("9e", "9d", "down"),
        ("1.1.1w", "3.0", "up"),
        ("1!1.0", "2.0", "down"),
    ],
)
def test_versions_that_only_conda_has_are_ordered_as_conda_does(
    before: str, after: str, kind: str
) -> None:
    changes = plan_changes(lock(conda("x", before)), lock(conda("x", after)), {}).packages
    assert [change.kind for change in changes] == [kind]


def test_a_package_that_moves_to_pip_is_removed_and_added() -> None:
    changes = plan_changes(lock(conda("numpy")), lock(wheel("numpy")), {}).packages
    assert [(change.kind, change.tool) for change in changes] == [
        ("removed", "conda"),
        ("added", "pip"),
    ]


def test_without_a_lock_before_all_is_added_and_nothing_is_asked_anew() -> None:
    found = plan_changes(None, lock(conda("numpy")), {})
    assert [(change.kind, change.name) for change in found.packages] == [
        ("added", "numpy"),
        ("added", "python"),
    ]
    assert found.asked == ()


def test_what_is_asked_for_in_another_way() -> None:
    before = lock(
        requirements=Requirements(
            conda=("python=3.11", "numpy=1"), pip=("a",), variables={"A": "1", "B": "2"}
        )
    )
    after = lock(
        requirements=Requirements(
            conda=("python=3.11", "numpy=2"),
            channels=("acme", "conda-forge"),
            variables={"A": "2", "C": "3"},
        ),
        platform=Platform(cuda="12.4"),
    )
    assert plan_changes(before, after, {}).asked == (
        "dependencies: now numpy=2, no more numpy=1",
        "pip: no more a",
        "channels: now acme, conda-forge, was conda-forge",
        "variables.A: now 2, was 1",
        "variables.B: now nothing, was 2",
        "variables.C: now 3, was nothing",
        "platform.cuda: now 12.4, was nothing",
    )
    turned = lock(requirements=Requirements(conda=("numpy=1", "python=3.11"), pip=("a",)))
    assert plan_changes(before, turned, {}).asked[0] == "dependencies: in another order"


def test_sizes_are_those_of_records_and_of_wheels_that_are_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    here, elsewhere = wheel("here"), wheel("elsewhere")
    path = wheel_path(store.wheels, here)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 42)
    numpy, unknown = conda("numpy", size=7), conda("unknown", size=None)
    made = lock(numpy, unknown, here, elsewhere)
    sizes = read_sizes(made, store)
    assert (sizes[numpy.sha256], sizes[here.sha256]) == (7, 42)
    assert unknown.sha256 not in sizes
    assert elsewhere.sha256 not in sizes
