"""The life of a version on the command line: lock, rollback, retire, history, status."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.projects import Project, load_projects
from kernels.publishing.publish import publish
from kernels.store import Store, ensure_store
from tests.kernels import pretend
from tests.kernels.conftest import Channel
from tests.perijove.conftest import Run

Write = Callable[..., Path]
SLUG = "acme/risk"


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Store:
    return ensure_store(tmp_path / "home/store")


@pytest.fixture(name="project")
def _project(write_project: Write, store: Store) -> Project:
    """Three versions of it are published, and a fourth is built."""
    path = write_project(SLUG)
    found = load_projects(path.parents[1]).find(SLUG)
    for version in (1, 2, 3):
        publish(found, pretend.build(found, store, version), store)
    pretend.build(found, store, 4)
    return found


@pytest.mark.slow
def test_rollback_says_from_where_to_where(perijove: Run, project: Project) -> None:
    done = perijove("rollback", SLUG)
    assert done.returncode == 0
    assert done.stdout == (
        "acme/risk: back from v3 to v2. Kernels that run stay on v3 until they are restarted.\n"
    )
    assert json.loads(perijove("rollback", SLUG, "--json").stdout) == {
        "project": SLUG,
        "from": 2,
        "to": 1,
    }
    done = perijove("rollback", SLUG)
    assert done.returncode == 1
    assert "Error: acme/risk: no version was published before v1" in done.stderr
    assert json.loads(perijove("rollback", SLUG, "--to", "3", "--json").stdout)["to"] == 3


@pytest.mark.slow
def test_retire_takes_versions_away_and_status_marks_them(perijove: Run, project: Project) -> None:
    done = perijove("retire", SLUG, "--version", "1", "--version", "2")
    assert done.returncode == 0
    assert done.stdout == (
        "acme/risk: v1, v2 retired. Kernels that run go on; notebooks that name acme.risk.v1, "
        "acme.risk.v2 need another kernel.\n"
    )
    status = perijove("status")
    assert "v1 (retired), v2 (retired), v3, v4 (not published)" in status.stdout
    (told,) = json.loads(perijove("status", "--json").stdout)["projects"]
    assert (told["built"], told["pinned"], told["retired"]) == ([1, 2, 3, 4], [3], [1, 2])
    assert perijove("publish", SLUG, "--version", "1").returncode == 0
    assert "v1, v2 (retired), v3, v4 (not published)" in perijove("status").stdout


def test_retire_refuses_what_people_see(perijove: Run, project: Project) -> None:
    done = perijove("retire", SLUG, "--version", "3")
    assert done.returncode == 1
    assert "Error: acme/risk: v3 is what its kernel means now; publish another" in done.stderr
    assert perijove("retire", SLUG).returncode == 2


def test_history_tells_who_did_what_newest_first(perijove: Run, project: Project) -> None:
    assert perijove("rollback", SLUG, PERIJOVE_ACTOR="anna").returncode == 0
    header, first, *_ = perijove("history", SLUG).stdout.splitlines()
    assert header.split() == ["WHEN", "WHAT", "VERSION", "LOCK", "BY", "COMMIT"]
    assert first.split()[2:5] == ["rolled", "back", "v2"]
    assert first.split()[6:] == ["anna", "-"]
    told = json.loads(perijove("history", SLUG, "--json").stdout)
    assert [(event["what"], event["version"]) for event in told] == [
        *(("rolled back", 2), ("published", 3), ("published", 2), ("published", 1)),
    ]


def test_a_project_without_history(perijove: Run, write_project: Write) -> None:
    write_project(SLUG)
    assert perijove("history", SLUG).stdout == "acme/risk: nothing was done yet.\n"


def test_a_history_that_is_damaged_hides_no_other_project(
    perijove: Run, project: Project, store: Store, write_project: Write
) -> None:
    write_project("acme/other")
    file = store.root / SLUG / "history.jsonl"
    file.write_text("nonsense\n" + file.read_text())
    status = perijove("status")
    assert "acme/other" in status.stdout
    assert "history.jsonl: line 1 is not an event of a history" in status.stderr


@pytest.fixture(name="channel")
def _channel(tmp_path: Path) -> Channel:
    """Packages that are only names."""
    channel = Channel(tmp_path / "channel")
    for name, version in (("python", "3.11.7"), ("numpy", "1.26.4"), ("numpy", "2.1.0")):
        channel.add(name, version)
    for name in ("ipykernel", "pip", "tqdm"):
        channel.add(name, "7.0", depends=("python",))
    channel.index()
    return channel


def test_lock_says_what_changes_and_a_dry_run_keeps_nothing(
    perijove: Run, write_project: Write, channel: Channel, store: Store
) -> None:
    head = f"channels: ['{channel.url}']\ndependencies:\n  - python=3.11\n"
    path = write_project(SLUG, environment_yml=f"{head}  - numpy=2\n")
    file = store.root / SLUG / "lock.json"
    first = perijove("lock", "--dry-run")
    assert first.stdout.startswith(
        "acme/risk: would be locked for the first time: Python 3.11.7, 4 packages from file:"
    )
    assert not file.exists()
    assert perijove("lock").stdout.startswith("acme/risk: locked for the first time: Python 3.11.7")
    before = file.read_text()
    assert perijove("lock").stdout == "acme/risk: nothing changed.\n"

    (path / "environment.yml").write_text(f"{head}  - numpy=1\n  - tqdm\n")
    lines = perijove("lock", "--dry-run").stdout.splitlines()
    assert lines[0].startswith("acme/risk: would change: Python 3.11.7, 5 packages from file:")
    assert lines[1] == "  dependencies: now numpy=1, tqdm, no more numpy=2"
    assert [line.split()[:4] for line in lines[3:5]] == [
        ["down", "numpy", "2.1.0", "1.26.4"],
        ["added", "tqdm", "-", "7.0"],
    ]
    assert lines[5].startswith("  1 added, 1 down; ")
    assert file.read_text() == before

    told = json.loads(perijove("lock", "--json").stdout)[SLUG]
    assert [(one["kind"], one["name"]) for one in told["changes"]] == [
        ("down", "numpy"),
        ("added", "tqdm"),
    ]
    assert told["asked"] == ["dependencies: now numpy=1, tqdm, no more numpy=2"]
    assert told["before"] != told["lock"]
    assert file.read_text() != before
    events = json.loads(perijove("history", SLUG, "--json").stdout)
    assert [(event["what"], event["lock"]) for event in events] == [
        ("locked", told["lock"]),
        ("locked", told["before"]),
    ]
