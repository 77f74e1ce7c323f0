"""What a doctor says of room and time."""

from pathlib import Path

import pytest

from operating.machine import Space, check_clock, check_disk, read_spaces, read_synchronised

GIB = 1024**3


def test_room_enough() -> None:
    found = check_disk([Space(("homes", "store"), 100 * GIB, 50 * GIB, 1000, 500)])
    assert found.ok
    assert found.text == "50.0 of 100.0 GiB free (50 %) for homes, store"


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Space(("homes",), 1000 * GIB, 90 * GIB), "less than 10 % or 5 GiB"),
        (Space(("homes",), 20 * GIB, 4 * GIB), "less than 10 % or 5 GiB"),
        (Space(("homes",), 100 * GIB, 50 * GIB, 1000, 49), "room for only 49 more files"),
    ],
)
def test_too_little_room_on_one_of_them(space: Space, said: str) -> None:
    found = check_disk([Space(("store",), 100 * GIB, 50 * GIB), space])
    assert found.ok is False
    assert said in found.text
    assert found.text.endswith("; make room, or put it on a larger disk")


def test_a_file_system_that_does_not_count_files_is_no_failure() -> None:
    assert check_disk([Space(("homes",), 100 * GIB, 50 * GIB, 0, 0)]).ok


def test_directories_on_one_file_system_are_told_once(tmp_path: Path) -> None:
    (space,) = read_spaces({"homes": tmp_path, "store": tmp_path / "not/yet"})
    assert space.names == ("homes", "store")
    assert 0 < space.free <= space.total


def test_the_kernel_is_asked_for_its_clock() -> None:
    assert read_synchronised() in {True, False, None}


@pytest.mark.parametrize(
    ("synchronised", "ahead", "ok", "said"),
    [
        (True, None, True, "kept right by a time server"),
        (True, 0.2, True, "and 0.2 s from the database server's"),
        (True, -9.0, False, "9 seconds behind the database server's"),
        (None, 7.0, False, "7 seconds ahead of the database server's"),
        (None, 0.0, None, "the kernel does not tell"),
        (False, None, None, "run chrony or systemd-timesyncd"),
    ],
)
def test_what_is_said_of_the_clock(
    synchronised: bool | None, ahead: float | None, ok: bool | None, said: str
) -> None:
    found = check_clock(synchronised=synchronised, ahead=ahead)
    assert found.ok is ok
    assert said in found.text
