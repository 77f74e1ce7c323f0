"""Backed up, destroyed, restored: as it was. And nothing is touched before that is sure."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernels.store import Store
from operating import restore as module
from operating.archive import BackupWriter, load_backup, new_backup
from operating.backup import Done, make_backup
from operating.errors import BackupError, OperatingError
from operating.restore import Restored, restore
from operating.site import Site
from operating.sqlite import SqliteDatabase
from tests.operating.conftest import MakeSite, quiet, read_users, snapshot, write_database
from tests.operating.test_trees import TAMPERED, write_tar


@pytest.fixture(name="backup")
def _backup(site: Site, tmp_path: Path) -> Path:
    return back_up(site, tmp_path / "backups").file


def back_up(site: Site, to: Path) -> Done:
    return make_backup(site, to, quiet)


def bring_back(backup: Path, site: Site, *, replace: bool = False) -> Restored:
    return restore(backup, site, quiet, replace=replace)


def people(site: Site) -> list[str]:
    return read_users(site.state / "jupyterhub.sqlite")


def kept(site: Site) -> dict[str, tuple[object, ...]]:
    """What a restore must bring back: homes and state, but for what processes make anew."""
    found = snapshot(site.homes)
    found.pop("anna/s", None)
    return found | {
        f"state/{name}": value
        for name, value in snapshot(site.state).items()
        if name in {"cookie_secret", "tls/perijove.crt"}
    }


def test_a_destroyed_installation_comes_back_as_it_was(site: Site, backup: Path) -> None:
    before = kept(site)
    accounts = (site.home / "accounts.json").read_bytes()
    module._remove(site.home)
    done = bring_back(backup, site)
    assert kept(site) == before
    assert people(site) == ["anna", "bruno@example"]
    assert (site.home / "accounts.json").read_bytes() == accounts
    assert (site.home / "accounts.json").stat().st_mode & 0o777 == 0o600
    assert (done.homes, done.versions, done.notes) == (2, 0, ())
    assert not {path.name for path in site.state.iterdir()} & {"running.json", "unwalled"}
    assert {path.name for path in site.homes.iterdir()} == {"anna", "bruno-40example"}


def test_workspaces_that_ran_are_forgotten(site: Site, backup: Path, make_site: MakeSite) -> None:
    there = make_site("new")
    bring_back(backup, there)
    assert read_column(there, "SELECT state FROM spawners") == [None]
    assert read_column(site, "SELECT state FROM spawners") == ['{"pid": 1}']


def read_column(site: Site, statement: str) -> list[object]:
    with closing(sqlite3.connect(site.state / "jupyterhub.sqlite")) as connection:
        return [value for (value,) in connection.execute(statement)]


def test_a_backup_of_what_was_restored_is_the_same(
    site: Site, backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    again = make_site("new")
    bring_back(backup, again)
    (again.state / "up.lock").unlink()
    second = load_backup(back_up(again, tmp_path / "second").file)
    first = load_backup(backup)
    assert set(first.parts) == set(second.parts)
    assert first.parts["secrets/accounts.json"] == second.parts["secrets/accounts.json"]
    assert kept(site) == kept(again)


@pytest.mark.parametrize("entries", TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("part", ["homes.tar", "state.tar", "packages.tar"])
def test_a_tampered_backup_is_refused_before_anything_is_touched(
    part: str, entries: list[tarfile.TarInfo], backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    """Also one whose checksums were all made anew."""
    write_tar(tmp_path / "evil.tar", entries)
    forged = forge(backup, tmp_path / "forged.tar", part, (tmp_path / "evil.tar").read_bytes())
    there = make_site("new")
    before = snapshot(tmp_path)
    with pytest.raises(BackupError, match="tampered"):
        bring_back(forged, there)
    assert snapshot(tmp_path) == before


def forge(backup: Path, to: Path, part: str, content: bytes, **told: object) -> Path:
    """A backup with another part, and checksums that agree with it."""
    real = load_backup(backup)
    with new_backup(to) as stream:
        writer = BackupWriter(stream)
        for name in dict.fromkeys([*real.parts, part]):
            with writer.part(name) as sink:
                if name == part:
                    sink.write(content)
                else:
                    with real.open(name) as source:
                        sink.write(source.read())
        manifest = {key: value for key, value in real.manifest.items() if key != "parts"}
        manifest.pop("checksum", None)
        manifest.pop("format")
        writer.finish(manifest | told)
    return to


@pytest.mark.parametrize(
    "entry",
    [
        {"client": "..", "project": "x"},
        {"client": "a", "project": "/etc"},
        {"client": "a", "project": "b", "versions": [{"version": 0}]},
        {"client": "a", "project": "b", "versions": [{"version": "1/../.."}]},
        {"client": "a", "project": "b", "more": 1},
    ],
)
def test_versions_that_cannot_be_are_refused(
    entry: dict[str, object], backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    versions = [
        {"digest": "0" * 12, "pinned": True, "lock": "{}"} | version
        for version in entry.pop("versions", [])  # type: ignore[attr-defined]
    ]
    table = {"published": None, "lock": None, "versions": versions} | entry
    forged = forge(backup, tmp_path / "forged.tar", "secrets/x", b"", store=[table])
    with pytest.raises(BackupError, match="versions that cannot be"):
        bring_back(forged, make_site("new"))


def test_a_changed_backup_is_refused_before_anything_is_touched(
    backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    changed = bytearray(backup.read_bytes())
    changed[len(changed) // 2] ^= 1
    backup.write_bytes(changed)
    there = make_site("new")
    with pytest.raises(BackupError):
        bring_back(backup, there)
    assert not there.home.exists()


def test_one_of_another_kind_of_installation_is_refused(
    backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    forged = forge(backup, tmp_path / "f.tar", "secrets/x", b"", database="postgresql")
    with pytest.raises(BackupError, match="of kind postgresql, and this installation's is sqlite"):
        bring_back(forged, make_site("new"))


def test_everything_that_is_in_the_way_is_told_and_stays(backup: Path, make_site: MakeSite) -> None:
    there = make_site("new")
    for name in "abcde":
        (there.homes / name).mkdir(parents=True)
    write_database(there.state / "jupyterhub.sqlite", "carla")
    (there.home / "accounts.json").write_text("others")
    (there.state / "up.lock").touch()
    before = snapshot(there.home)
    with pytest.raises(OperatingError) as told:
        bring_back(backup, there)
    assert "homes holds a, b, c and 2 more; the database is not empty" in str(told.value)
    assert "there is another accounts.json" in str(told.value)
    assert "--replace" in str(told.value)
    assert snapshot(there.home) == before


def test_to_replace_puts_aside_and_removes_nobodys_home(
    site: Site, backup: Path, make_site: MakeSite
) -> None:
    there = make_site("new")
    (there.homes / "anna").mkdir(parents=True)
    (there.homes / "anna/precious").write_text("p")
    (there.homes / ".replaced-before").mkdir()
    write_database(there.state / "jupyterhub.sqlite", "carla")
    (there.home / "accounts.json").write_text("others")
    bring_back(backup, there, replace=True)
    assert people(there) == ["anna", "bruno@example"]
    (aside,) = set(there.homes.glob(".replaced-2*"))
    assert (aside / "anna/precious").read_text() == "p"
    assert (there.homes / ".replaced-before").is_dir()
    (old,) = there.state.glob("jupyterhub.sqlite.replaced-*")
    assert read_users(old) == ["carla"]
    (accounts,) = there.home.glob("accounts.json.replaced-*")
    assert accounts.read_text() == "others"
    for path in (there.homes / ".replaced-before", aside):
        module._remove(path)
    assert kept(there) == kept(site)


STEPS: dict[str, tuple[object, str]] = {
    "_begin": (module, "_begin"),
    "unpack_tree": (module, "unpack_tree"),
    "_restore_state": (module, "_restore_state"),
    "_restore_packages": (module, "_restore_packages"),
    "write_restored": (module, "write_restored"),
    "_restore_accounts": (module, "_restore_accounts"),
    "sync": (os, "sync"),
    "a home's rename": (Path, "rename"),
    "the note of the database": (Path, "touch"),
    "load": (SqliteDatabase, "load"),
    "_end": (module, "_end"),
    "_remove at the end": (module, "_remove"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("replace", [False, True], ids=["empty", "replace"])
def test_a_killed_restore_can_be_run_again(  # noqa: PLR0917 - pytest passes them by name
    step: str, after: bool, replace: bool, site: Site, backup: Path, make_site: MakeSite
) -> None:
    there = make_site("new")
    if replace:
        (there.homes / "anna").mkdir(parents=True)
        (there.homes / "anna/precious").write_text("p")
        write_database(there.state / "jupyterhub.sqlite", "carla")
    kill_at(step, after, lambda: bring_back(backup, there, replace=replace))
    if (there.homes / ".restoring").exists() or not (there.homes / "anna").exists():
        refused = refusal(lambda: bring_back(backup, there))
        assert refused is None or (replace and "the database is not empty" in refused)
        if refused:  # the old one, not yet replaced
            bring_back(backup, there, replace=True)
    precious = [*there.homes.glob(".replaced-*/anna/precious")]
    assert [path.read_text() for path in precious] == ["p"] * replace
    for path in (*there.homes.glob(".replaced-*"), *there.homes.glob(".restoring-done")):
        module._remove(path)
    assert kept(there) == kept(site)
    assert people(there) == ["anna", "bruno@example"]
    assert not [path for path in there.home.rglob(".rest*") if path.name != ".restored"]


def refusal(work: Callable[[], object]) -> str | None:
    try:
        work()
    except OperatingError as error:
        return str(error)
    return None


def kill_at(step: str, after: bool, work: Callable[[], object]) -> None:
    """Does `work` in a process that is killed directly before or after `step`."""
    owner, name = STEPS[step]
    real = getattr(owner, name)
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        return

    def killed(*args: Any, **kwargs: Any) -> Any:
        """At the call that is meant: others have these names too."""
        if owner is Path and ".restoring" not in str(args[0]):
            return real(*args, **kwargs)
        if step == "_remove at the end" and args[0].name != ".restoring-done":
            return real(*args, **kwargs)
        if step == "_remove at the end" and not args[0].exists():
            return real(*args, **kwargs)
        if after:
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    try:
        setattr(owner, name, killed)
        work()
    finally:
        os._exit(1)


def test_a_cut_off_restore_of_another_backup_is_in_the_way(
    site: Site, backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    """Its homes may be half another's: only --replace starts over."""
    there = make_site("new")
    (there.homes / ".restoring/homes").mkdir(parents=True)
    (there.homes / ".restoring/backup").write_text("another")
    (there.homes / "anna").mkdir()
    with pytest.raises(OperatingError, match="homes holds anna"):
        bring_back(backup, there)
    bring_back(backup, there, replace=True)
    assert not (there.homes / ".restoring").exists()


def test_a_platform_that_runs_is_not_restored_into(backup: Path, make_site: MakeSite) -> None:
    there = make_site("new")
    there.state.mkdir(parents=True)
    with (there.state / "up.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OperatingError, match="runs; end it with Ctrl-C"):
            bring_back(backup, there)


def test_a_disk_that_is_too_small_is_told_beforehand(
    backup: Path, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = make_site("new")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10))  # type: ignore[attr-defined]
    with pytest.raises(OperatingError, match=r"has room for 0\.0 GB"):
        bring_back(backup, there)
    assert list(there.homes.iterdir()) == []


def test_a_damaged_database_leaves_what_was_there(
    backup: Path, make_site: MakeSite, tmp_path: Path
) -> None:
    there = make_site("new")
    write_database(there.state / "jupyterhub.sqlite", "carla")
    forged = forge(backup, tmp_path / "f.tar", "database.dump", b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(OperatingError, match="database is damaged"):
        bring_back(forged, there, replace=True)
    assert people(there) == ["carla"]


def test_locks_are_put_where_the_builder_finds_them(
    site: Site, make_site: MakeSite, tmp_path: Path
) -> None:
    write_version(site.store, 1, "1" * 12, pinned=True)
    write_version(site.store, 3, "3" * 12, pinned=False)
    publish(site.store, "acme.one", 1)
    (site.store.root / "acme/one/lock.json").write_text(lock("newest"))
    there = make_site("new")
    done = bring_back(back_up(site, tmp_path / "backups").file, there)
    assert done.versions == 2
    root = there.store.root
    waiting = root / ".restored/acme.one"
    assert (waiting / "v1.json").read_text() == lock("1" * 12)
    assert (waiting / "v3.json").read_text() == lock("3" * 12)
    assert json.loads((waiting / "published.json").read_text()) == {"pinned": [1], "published": 1}
    assert (root / "acme/one/lock.json").read_text() == lock("newest")
    made = root / ".site-channel/linux-64/made-1-0.conda"
    assert made.read_text() == "made here"
    assert not (root / ".site-channel/linux-64/other-1-0.conda").exists()


def test_versions_that_are_there_are_not_built_again(
    site: Site, make_site: MakeSite, tmp_path: Path
) -> None:
    write_version(site.store, 1, "1" * 12, pinned=True)
    publish(site.store, "acme.one", 1)
    there = make_site("new")
    shutil.copytree(site.store.root, there.store.root)
    done = bring_back(back_up(site, tmp_path / "backups").file, there)
    assert done.versions == 0
    assert not (there.store.root / ".restored/acme.one").exists()


def test_another_version_of_the_same_number_is_in_the_way_or_put_aside(
    site: Site, make_site: MakeSite, tmp_path: Path
) -> None:
    write_version(site.store, 1, "1" * 12, pinned=True)
    there = make_site("new")
    write_version(there.store, 1, "2" * 12, pinned=True)
    backup = back_up(site, tmp_path / "backups").file
    with pytest.raises(OperatingError, match="other versions of acme/one by the same numbers"):
        bring_back(backup, there)
    assert bring_back(backup, there, replace=True).versions == 1
    assert list(there.store.root.glob(".replaced-*/acme.one/envs/v1-222222222222"))
    assert not (there.store.root / "acme/one/envs").exists()


def write_version(store: Store, version: int, digest: str, *, pinned: bool) -> None:
    prefix = store.root / f"acme/one/envs/v{version}-{digest}"
    prefix.mkdir(parents=True)
    (prefix / "perijove-lock.json").write_text(lock(digest))
    (prefix / "perijove.json").write_text("{}")
    for name in ("made-1-0.conda", "other-1-0.conda"):
        package = store.site_channel / "linux-64" / name
        package.parent.mkdir(parents=True, exist_ok=True)
        package.write_text("made here")
    if pinned:
        publish(store, f"acme.one.v{version}", version)


def publish(store: Store, kernel: str, version: int) -> None:
    directory = store.root / "acme/one/kernels" / kernel
    directory.mkdir(parents=True, exist_ok=True)
    spec = {"metadata": {"perijove": {"version": version}}}
    (directory / "kernel.json").write_text(json.dumps(spec))


def lock(what: str) -> str:
    package = {
        "name": "made",
        "version": "1",
        "build": "0",
        "build_number": 0,
        "channel": "site",
        "file": "linux-64/made-1-0.conda",
        "sha256": "0" * 64,
        **dict.fromkeys(("md5", "size", "noarch", "license", "site_packages")),
        "depends": [],
        "constrains": [],
    }
    requirements = {"conda": [what], "pip": [], "channels": [], "variables": {}}
    table = {
        "format": 1,
        "project": "acme/one",
        "requirements": requirements,
        "platform": {},
        "conda": [package],
        "pip": [],
        "tools": {},
    }
    return json.dumps(table)
