"""`perijove gc` shows, asks, and removes no more than it was told to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.projects import load_projects
from kernels.publishing.publish import publish, retire
from kernels.store import Store, ensure_store
from tests.kernels import pretend
from tests.perijove.conftest import Run

Write = Callable[..., Path]
SLUG = "acme/risk"


@pytest.fixture(name="store")
def _store(tmp_path: Path, write_project: Write) -> Store:
    """Three published versions of a megabyte each, of which the first is retired."""
    store = ensure_store(tmp_path / "home/store")
    project = load_projects(write_project(SLUG).parents[1]).find(SLUG)
    for version in (1, 2, 3):
        environment = pretend.build(project, store, version)
        (environment.path / "data").write_bytes(b"x" * 1024**2)
        publish(project, environment, store)
    retire(project, [1], store)
    return store


def versions(store: Store) -> list[int]:
    return [environment.version for environment in store.all_environments()]


def test_without_anybody_to_ask_it_only_shows(perijove: Run, store: Store) -> None:
    told = perijove("gc")
    assert told.returncode == 2
    assert "acme/risk v1  1 MB" in told.stdout
    assert "--yes removes, --dry-run only shows" in told.stderr
    assert versions(store) == [1, 2, 3]


def test_a_dry_run_removes_nothing(perijove: Run, store: Store) -> None:
    assert perijove("gc", "--dry-run", "--yes").returncode == 0
    assert json.loads(perijove("gc", "--json").stdout)["removed"] == []
    assert versions(store) == [1, 2, 3]


def test_what_goes_is_told_with_what_it_freed(perijove: Run, store: Store) -> None:
    told = perijove("gc", "--yes")
    assert told.returncode == 0
    assert told.stdout.splitlines()[-1] == "Freed 1 MB; the store takes 2 MB now."
    assert versions(store) == [2, 3]
    assert perijove("gc", "--yes").stdout == "Nothing to remove; the store takes 2 MB.\n"


def test_a_budget_that_cannot_be_kept_is_a_failure(perijove: Run, store: Store) -> None:
    told = perijove("gc", "--yes", PERIJOVE_STORE_MAX_SIZE="1M")
    assert told.returncode == 1
    assert "over the 1 MB it may take; 'perijove retire' withdraws versions" in told.stderr
    assert versions(store) == [2, 3]
    assert perijove("gc", "--yes", "--max-size", "1G").returncode == 0


def test_a_size_that_is_none_is_told(perijove: Run, store: Store) -> None:
    assert "expected a size such as '500M' or '20G'" in perijove("gc", "--max-size", "big").stderr
    told = perijove("status", PERIJOVE_STORE_MAX_SIZE="big")
    assert told.returncode == 1
    assert "PERIJOVE_STORE_MAX_SIZE: found 'big', expected a size such as '20G'" in told.stderr


def test_status_shows_what_the_store_takes(perijove: Run, store: Store) -> None:
    told = perijove("status", PERIJOVE_STORE_MAX_SIZE="1G").stdout
    assert "The store takes 3 MB of 1.0 GB; without shared files it would take 3 MB." in told
