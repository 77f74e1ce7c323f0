"""The store: what counts as finished, and writing that is whole or not at all."""

import json
import multiprocessing
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from kernels import store as store_module
from kernels.errors import StoreError
from kernels.files import hold_file, remove_tree
from kernels.projects import Project
from kernels.store import FINISHED, MOUNT, Environment, Store, ensure_store, write_json, write_text

PROJECT = Project("alder-bank", "credit-risk", Path("/p"), "Alder", "Risk", "d", "o")


def test_everything_of_a_project_stands_in_one_directory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.project(PROJECT) == tmp_path / "alder-bank/credit-risk"
    assert store.lock_file(PROJECT) == tmp_path / "alder-bank/credit-risk/lock.json"
    assert store.target(tmp_path / "a/b/envs") == MOUNT / "a/b/envs"
    caches = (store.packages, store.bytecode, store.wheels, store.site_channel)
    assert [path.name for path in caches] == [".packages", ".bytecode", ".wheels", ".site-channel"]


def test_only_finished_environments_count_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    envs = store.project(PROJECT) / "envs"
    for name in ("v10-aaaaaaaaaaaa", "v9-bbbbbbbbbbbb", "v11-cccccccccccc", "other"):
        (envs / name).mkdir(parents=True)
        if not name.startswith("v11"):
            (envs / name / FINISHED).write_text("{}")
    assert store.environments(PROJECT) == [
        Environment("alder-bank", "credit-risk", 9, "b" * 12, envs / "v9-bbbbbbbbbbbb"),
        Environment("alder-bank", "credit-risk", 10, "a" * 12, envs / "v10-aaaaaaaaaaaa"),
    ]
    assert store.environments(PROJECT)[0].name == "alder-bank_credit-risk_v9"


def test_a_project_without_a_directory_has_no_environments(tmp_path: Path) -> None:
    assert Store(tmp_path).environments(PROJECT) == []


def test_a_store_remembers_the_mount_it_was_made_for(tmp_path: Path) -> None:
    root = tmp_path / "new/store"
    assert ensure_store(root, bwrap="/opt/bwrap") == Store(root, MOUNT, "/opt/bwrap")
    assert ensure_store(root) == Store(root)
    with pytest.raises(StoreError) as caught:
        ensure_store(root, Path("/elsewhere"))
    assert str(caught.value) == (
        f"{root}: this store was made for {{'format': 1, 'mount': '/opt/perijove'}}, but "
        "{'format': 1, 'mount': '/elsewhere'} is wanted; use another directory."
    )


def test_a_damaged_marker_is_told(tmp_path: Path) -> None:
    (tmp_path / ".store.json").write_text("{")
    with pytest.raises(StoreError, match=r"\.store\.json: not what a store's marker says"):
        ensure_store(tmp_path)


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        ensure_store(tmp_path / "file/store")
    assert str(caught.value) == (
        f"{tmp_path}/file/store: the store cannot be written (Not a directory); choose another "
        "directory or make this one writable."
    )


def test_writing_replaces_the_whole_file_for_all_to_read(tmp_path: Path) -> None:
    old_mask = os.umask(0o077)
    try:
        write_json(tmp_path / "kernels/x/kernel.json", {"a": "ü" * 9})
        write_json(tmp_path / "kernels/x/kernel.json", {"a": "ü"})
    finally:
        os.umask(old_mask)
    file = tmp_path / "kernels/x/kernel.json"
    assert file.read_text(encoding="utf-8") == '{\n  "a": "ü"\n}\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_writing_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f.json"
    write_text(file, "old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def _write_and_die(file: Path) -> None:
    store_module.os.fsync = lambda _handle: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    write_text(file, "half" * 99)


def test_a_writer_that_was_killed_is_written_over(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    write_text(file, "old")
    for _ in range(2):
        writer = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(file,))
        writer.start()
        writer.join()
        assert file.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"f.json", ".f.json.new"}
    write_text(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_writers_at_once_never_mix(tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    texts = [str(number) * 5000 for number in range(8)]
    threads = [threading.Thread(target=write_text, args=(file, text)) for text in texts * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text() in texts
    assert list(tmp_path.iterdir()) == [file]


def test_a_name_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with store.hold("x"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.005)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_other_names_do_not_wait(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.hold("x"), store.hold("y"):
        assert sorted(path.name for path in (tmp_path / ".locks").iterdir()) == ["x.lock", "y.lock"]


def test_what_was_renamed_while_waiting_is_not_taken_for_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    got: list[bool] = []

    def wait() -> None:
        with hold_file(file) as held:
            got.append(os.path.samestat(os.fstat(held.fileno()), file.stat()))

    waiting = threading.Thread(target=wait)
    with hold_file(file):
        waiting.start()
        time.sleep(0.05)
        file.rename(tmp_path / "g")
    waiting.join()
    assert got == [True]


def test_staging_is_empty_at_first_and_gone_afterwards(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left = tmp_path / ".staging" / PROJECT.kernel_name / "left/by/the/killed"
    left.mkdir(parents=True)
    with store.staging(PROJECT) as staging:
        assert not left.exists()
        assert list(staging.iterdir()) == []
        (staging / "file").write_text("x")
    assert list((tmp_path / ".staging").iterdir()) == []


def test_what_keeps_a_builder_from_writing_is_said_in_a_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError) as caught, store.writing("a/b"):
        (tmp_path / "absent/file").write_text("x")
    assert str(caught.value) == (
        f"a/b: the store {tmp_path} could not be written (No such file or directory at "
        f"{tmp_path}/absent/file); nothing half-made is visible, try again when that is mended."
    )


def test_removing_takes_files_links_and_trees(tmp_path: Path) -> None:
    (tmp_path / "tree/x").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "to-tree").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    for name in ("tree", "file", "link", "to-tree", "absent"):
        remove_tree(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_marker_is_plain_json(tmp_path: Path) -> None:
    ensure_store(tmp_path, Path("/m"))
    assert json.loads((tmp_path / ".store.json").read_text()) == {"format": 1, "mount": "/m"}
