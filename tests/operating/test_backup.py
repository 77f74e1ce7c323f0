"""A backup is made while people work; it is whole, or it is not there."""

import fcntl
import os
from pathlib import Path

import pytest

from operating.archive import load_backup
from operating.backup import make_backup
from operating.errors import OperatingError
from operating.site import Site
from tests.operating.conftest import MakeSite, quiet
from tests.operating.test_trees import members


def test_a_backup_tells_what_it_is(site: Site, tmp_path: Path) -> None:
    steps: list[str] = []
    done = make_backup(site, tmp_path / "to", steps.append)
    assert done.file.name.startswith("perijove-2")
    assert done.size == done.file.stat().st_size
    assert (tmp_path / "to").stat().st_mode & 0o777 == 0o700
    told = load_backup(done.file)
    assert (told.manifest["engine"], told.manifest["database"]) == ("process", "sqlite")
    assert list(told.parts) == ["database.dump", "homes.tar", "state.tar", "secrets/accounts.json"]
    assert steps == ["copying the database", "copying homes", "copying the rest"]


def test_what_processes_make_anew_and_what_was_put_aside_is_not_in_it(
    site: Site, tmp_path: Path
) -> None:
    for name in (".restoring", ".replaced-20260101T000000"):
        (site.homes / name / "anna").mkdir(parents=True)
    backup = load_backup(make_backup(site, tmp_path / "to", quiet).file)
    names = {}
    for part in ("homes.tar", "state.tar"):
        with backup.open(part) as source:
            names[part] = {member.name.removeprefix("./") for member in members(source)}
    assert names["state.tar"] == {".", "cookie_secret", "tls", "tls/perijove.crt"}
    assert not [name for name in names["homes.tar"] if name.startswith(".re")]


def test_an_installation_that_was_never_started_has_nothing_to_back_up(
    make_site: MakeSite, tmp_path: Path
) -> None:
    with pytest.raises(OperatingError, match="nothing to back up"):
        make_backup(make_site("new"), tmp_path / "to", quiet)
    assert not (tmp_path / "to").exists()


def test_one_at_a_time(site: Site, tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    handle = os.open(to, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OperatingError, match="Another backup is being written"):
        make_backup(site, to, quiet)
    os.close(handle)


def test_what_a_killed_one_left_is_removed_and_nothing_else(site: Site, tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    for name in ("perijove-1.tar.partial", ".database-x", "perijove-1.tar", "notes.partial"):
        (to / name).touch()
    done = make_backup(site, to, quiet)
    left = {path.name for path in to.iterdir()}
    assert left == {done.file.name, "perijove-1.tar", "notes.partial"}


def test_two_in_one_second_have_names_of_their_own(site: Site, tmp_path: Path) -> None:
    first, second = (make_backup(site, tmp_path / "to", quiet).file for _ in range(2))
    assert first != second


def test_a_secret_that_is_missing_in_containers_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker makes a directory where it is to mount a file and finds none."""
    (tmp_path / ".env").mkdir()
    monkeypatch.setitem(site.secrets, ".env", tmp_path / ".env")  # type: ignore[arg-type]
    with pytest.raises(OperatingError, match=r"\.env cannot be read .*make secrets"):
        make_backup(site, tmp_path / "to", quiet)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_it_belongs_to_whom_the_directory_belongs(site: Site, tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    os.chown(to, 1234, 4321)
    told = make_backup(site, to, quiet).file.stat()
    assert (told.st_uid, told.st_gid) == (1234, 4321)
