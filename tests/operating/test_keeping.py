"""What a doctor says of homes and of the store."""

import json
from pathlib import Path

import pytest

from kernels.projects import Project
from kernels.store import Store, ensure_store, stand_in
from operating.keeping import check_homes, check_store
from tests.operating.test_restore import write_version

DIGEST = "1" * 64
ONE = stand_in("acme", "one")


def test_homes_are_counted(tmp_path: Path) -> None:
    assert check_homes(tmp_path / "none", restore="r").text == "0"
    for name in ("anna", "bruno", ".removed"):
        (tmp_path / name).mkdir()
    assert check_homes(tmp_path, restore="r").text == "2"


def test_a_restore_that_was_cut_off_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / ".restoring").mkdir()
    found = check_homes(tmp_path, restore="make restore")
    assert (found.ok, "run 'make restore' again" in found.text) == (False, True)


def test_what_was_put_aside_is_worth_a_note(tmp_path: Path) -> None:
    (tmp_path / ".replaced-2").mkdir()
    found = check_homes(tmp_path, restore="r")
    assert (found.ok, "homes/.replaced-2" in found.text) == (None, True)


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Store:
    """A store with one published version."""
    store = ensure_store(tmp_path / "store")
    write_version(store, 1, DIGEST[:12], pinned=False)
    python = store.root / f"acme/one/envs/v1-{DIGEST[:12]}/bin/python"
    python.parent.mkdir()
    python.touch()
    show(store, "acme.one")
    return store


def show(store: Store, kernel: str) -> None:
    directory = store.root / "acme/one/kernels" / kernel
    directory.mkdir(parents=True)
    spec = {"metadata": {"perijove": {"version": 1, "lock": DIGEST}}}
    (directory / "kernel.json").write_text(json.dumps(spec))


def look(store: Store, *projects: Project) -> tuple[bool | None, str]:
    found = check_store(store, projects, build="b")
    return found.ok, found.text


def test_a_store_that_is_whole(shop: Store) -> None:
    assert look(shop, ONE) == (True, "1 of 1 projects published, 1 versions")


def test_a_store_that_is_empty(tmp_path: Path) -> None:
    assert look(Store(tmp_path / "none"), ONE) == (None, "empty; 'b' fills it")


@pytest.mark.parametrize("gone", ["perijove.json", "bin/python"])
def test_a_kernel_without_its_environment_is_a_failure(shop: Store, gone: str) -> None:
    (shop.root / f"acme/one/envs/v1-{DIGEST[:12]}" / gone).unlink()
    ok, text = look(shop)  # also of a project that is no longer under projects/
    assert ok is False
    assert text.startswith("the environment of acme.one is gone or not finished; 'b'")


def test_a_project_without_a_kernel_is_worth_a_note(shop: Store) -> None:
    ok, text = look(shop, ONE, stand_in("acme", "two"))
    assert (ok, text) == (None, "1 of 2 projects published, 1 versions; 'b' publishes acme/two")


def test_what_a_restore_left_to_build_is_worth_a_note(shop: Store) -> None:
    (shop.root / ".restored/acme.two").mkdir(parents=True)
    (shop.root / ".restored/acme.two/published.json").write_text("{}")
    ok, text = look(shop, ONE)
    assert (ok, "still to be built again after a restore: acme.two; 'b'" in text) == (None, True)


def test_what_killed_builders_left_is_counted(shop: Store) -> None:
    (shop.root / ".staging/acme.one").mkdir(parents=True)
    (shop.root / f"acme/one/envs/v2-{'2' * 12}").mkdir()
    ok, text = look(shop, ONE)
    assert (ok, "2 builds were cut off" in text) == (True, True)


def test_a_publisher_that_is_at_work_is_no_failure(shop: Store) -> None:
    (shop.root / "acme/one/kernels/acme.one.v1").mkdir()
    assert look(shop, ONE)[0]
