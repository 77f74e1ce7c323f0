"""History: every event stays, whoever writes at the same time and whatever was cut off."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernels.errors import StoreError
from kernels.history import Event, load_history, plan_retired, record
from kernels.projects import Project
from kernels.store import Store, ensure_store

MakeProject = Callable[..., Project]


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project("a/b", channels=("conda-forge",))


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return ensure_store(tmp_path / "store", tmp_path / "store")


def file(place: Store) -> Path:
    return place.root / "a/b/history.jsonl"


def test_what_was_done_is_kept_in_order(project: Project, place: Store) -> None:
    assert load_history(project, place) == []
    record(project, place, "locked", version=None, lock="f00")
    record(project, place, "published", version=1, lock="f00")
    first, second = load_history(project, place)
    assert (first.what, first.version, first.lock) == ("locked", None, "f00")
    assert (second.what, second.version) == ("published", 1)
    assert first.time <= second.time
    assert first.commit is None


def test_workspaces_cannot_read_who_did_it(project: Project, place: Store) -> None:
    record(project, place, "locked", version=None, lock="f00")
    assert file(place).stat().st_mode & 0o077 == 0


def test_the_person_is_the_one_behind_sudo_or_the_one_ci_names(
    project: Project, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PERIJOVE_ACTOR", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "root")
    record(project, place, "built", version=1, lock="f00")
    monkeypatch.setenv("SUDO_USER", "anna")
    record(project, place, "built", version=1, lock="f00")
    monkeypatch.setenv("PERIJOVE_ACTOR", "ci")
    record(project, place, "built", version=1, lock="f00")
    assert [event.by for event in load_history(project, place)] == ["root", "anna", "ci"]


def test_a_user_without_a_name_is_a_number(
    project: Project, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PERIJOVE_ACTOR", "SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    record(project, place, "built", version=1, lock="f00")
    assert load_history(project, place)[0].by == "uid 54321"


@pytest.mark.parametrize("kept", [1, 20, -2])
def test_a_line_that_was_cut_off_is_no_event_and_the_next_writer_removes_it(
    project: Project, place: Store, kept: int
) -> None:
    for version in (1, 2):
        record(project, place, "published", version=version, lock="f00")
    first, second = file(place).read_bytes().splitlines(keepends=True)
    file(place).write_bytes(first + second[:kept])
    assert [event.version for event in load_history(project, place)] == [1]
    record(project, place, "published", version=3, lock="f00")
    assert [event.version for event in load_history(project, place)] == [1, 3]
    assert file(place).read_bytes().startswith(first)


def test_an_event_that_lacks_only_its_end_of_line_stays(project: Project, place: Store) -> None:
    record(project, place, "published", version=1, lock="f00")
    file(place).write_bytes(file(place).read_bytes().rstrip())
    assert [event.version for event in load_history(project, place)] == [1]
    record(project, place, "published", version=2, lock="f00")
    assert [event.version for event in load_history(project, place)] == [1, 2]


@pytest.mark.parametrize(
    "line", ["nonsense", "{}", '["a"]', '{"what": "eaten"}', "\0\0\0", "", '{"time": "now"}']
)
def test_a_line_in_the_middle_that_is_no_event_is_told(
    project: Project, place: Store, line: str
) -> None:
    record(project, place, "published", version=1, lock="f00")
    good = file(place).read_text()
    file(place).write_text(f"{good}{line}\n{good}")
    with pytest.raises(StoreError) as caught:
        load_history(project, place)
    assert str(caught.value) == (
        f"{file(place)}: line 2 is not an event of a history; remove that line."
    )


def test_an_event_of_a_kind_nobody_knows_is_told(project: Project, place: Store) -> None:
    record(project, place, "published", version=1, lock="f00")
    table = json.loads(file(place).read_text()) | {"what": "eaten"}
    file(place).write_text(json.dumps(table) + "\n")
    with pytest.raises(StoreError, match="line 1"):
        load_history(project, place)


def test_many_writers_lose_nothing(project: Project, place: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for version in range(1, 17):
            pool.submit(record, project, place, "published", version=version, lock="f00")
    found = load_history(project, place)
    assert sorted(event.version or 0 for event in found) == list(range(1, 17))


def test_writers_of_several_processes_lose_nothing(
    project: Project, place: Store, projects: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from kernels.history import record; "
        "from kernels.projects import load_projects; from kernels.store import Store; "
        "p = load_projects(Path(sys.argv[1])).find('a/b'); s = Store(Path(sys.argv[2])); "
        "[record(p, s, 'built', version=n, lock='f00') for n in range(1, 9)]"
    )
    argv = [sys.executable, "-c", code, str(projects), str(place.root)]
    writers = [subprocess.Popen(argv) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(load_history(project, place)) == 16


def event(what: str, version: int) -> Event:
    return Event(0, what, version, "f00", "anna", None)  # type: ignore[arg-type]


def test_a_version_is_retired_until_it_is_published_again() -> None:
    events = [event("published", 1), event("retired", 1), event("retired", 2)]
    assert plan_retired(events) == {1, 2}
    assert plan_retired([*events, event("published", 1)]) == {2}
