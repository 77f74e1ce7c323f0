from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workspace.memory import (
    find_limit,
    find_oom_kills,
    out_of_memory_message,
    parse_limit,
    parse_oom_kills,
)

if TYPE_CHECKING:
    from pathlib import Path

# As Linux writes them: version 2 (of 5.15 and of 6.1), version 1 (of 5.10 and of before 4.13).
V2 = "low 0\nhigh 0\nmax 1041\noom 3\noom_kill 2\n"
V2_WITH_GROUPS = "low 0\nhigh 0\nmax 1041\noom 3\noom_kill 2\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"
V1_OLD = "oom_kill_disable 0\nunder_oom 0\n"


@pytest.mark.parametrize(
    ("text", "count"), [(V2, 2), (V2_WITH_GROUPS, 2), (V1, 4), (V1_OLD, None), ("", None)]
)
def test_linux_counts_the_processes_that_it_ended_for_lack_of_memory(
    text: str, count: int | None
) -> None:
    assert parse_oom_kills(text) == count


@pytest.mark.parametrize(
    ("text", "limit"),
    [("2147483648\n", 2 << 30), ("max\n", None), ("9223372036854771712\n", None), ("", None)],
)
def test_a_limit_is_a_number_of_bytes_or_none(text: str, limit: int | None) -> None:
    assert parse_limit(text) == limit


def test_both_versions_of_control_groups_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.oom_control").write_text(V1)
    (tmp_path / "memory/memory.limit_in_bytes").write_text(f"{1 << 30}\n")
    assert (find_oom_kills(tmp_path), find_limit(tmp_path)) == (4, 1 << 30)
    (tmp_path / "memory.events").write_text(V2)
    (tmp_path / "memory.max").write_text("max\n")
    assert (find_oom_kills(tmp_path), find_limit(tmp_path)) == (2, None)


def test_without_control_groups_nothing_is_counted(tmp_path: Path) -> None:
    assert find_oom_kills(tmp_path) is find_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (2 << 30, "ran out of memory (it has 2 GiB). Use"),
        (3 << 29, "ran out of memory (it has 1.5 GiB). Use"),
        (512 << 20, "ran out of memory (it has 512 MiB). Use"),
        (None, "ran out of memory. Use"),
    ],
)
def test_a_person_is_told_the_limit_if_there_is_one(limit: int | None, words: str) -> None:
    assert words in out_of_memory_message(limit)


@pytest.mark.parametrize("limit", [(1 << 30) - (1 << 20) // 5, 1234 << 29, None])
def test_jupyterlab_shows_all_that_a_person_is_told(limit: int | None) -> None:
    assert len(out_of_memory_message(limit)) <= 140
