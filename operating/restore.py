"""Brings an installation back from a backup, into one that is empty.

The backup is read to its end before anything is touched. Then homes are unpacked where nobody looks
for them and moved into place one by one, and the database is filled in one step, last of all.
`homes/.restoring` tells of a restore that was cut off: the same backup can then be restored
again. Nobody's home is ever removed or written over.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from operating.errors import OperatingError
from operating.job import ACCOUNTS, Job, load_job, refuse_at_work, refuse_full
from operating.owners import give
from operating.site import REPLACED, RESTORING, Site
from operating.trees import unpack_tree
from operating.versions import RESTORED, find_conflicts, put_aside, write_restored

Report = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """What was brought back.

    Attributes:
        made: when the backup was made.
        homes: how many people's files.
        versions: how many environments the builder has to build again.
        notes: what was left out, and why.
    """

    made: str
    homes: int
    versions: int
    notes: tuple[str, ...]


def restore(file: Path, site: Site, report: Report, *, replace: bool) -> Restored:
    """Restores a backup.

    Args:
        file: the backup.
        site: where to.
        report: told in a few words what is being done.
        replace: put aside what is there, where otherwise that would be an error.

    Raises:
        BackupError: the backup cannot be used; nothing was changed.
        OperatingError: the installation is not empty or at work; nothing was changed.
    """
    report("reading the backup")
    job = load_job(file, site, replace=replace)
    site.homes.mkdir(parents=True, exist_ok=True)
    with _alone(site):
        refuse_at_work(job)
        refuse_full(job)
        return _carry_out(job, report)


def _carry_out(job: Job, report: Report) -> Restored:
    if job.replace:
        report("putting aside what is there")
        _put_aside(job)
    _begin(job)
    report("unpacking homes")
    notes = _unpack(job, "homes.tar", job.scratch / "homes")
    report("unpacking the rest")
    notes += _restore_state(job)
    _restore_packages(job)
    versions = write_restored(job.site.store, job.versions)
    _restore_accounts(job)
    os.sync()
    for home in sorted((job.scratch / "homes").iterdir()):
        target = job.site.homes / home.name
        if not os.path.lexists(target):  # else the restore that was cut off has brought it
            home.rename(target)
    report("filling the database")
    (job.scratch / "database").touch()
    with job.backup.open("database.dump") as source:
        job.database.load(source, replace=not job.database.is_empty())
    os.sync()
    _end(job)
    people = sum(not name.startswith(".") for name in job.names)
    return Restored(str(job.backup.manifest.get("made")), people, versions, tuple(notes))


def _put_aside(job: Job) -> None:
    _remove(job.scratch)
    to = f"{REPLACED}{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    if homes := job.homes_in_the_way:
        aside = job.site.homes / to
        aside.mkdir(mode=0o700, exist_ok=True)
        give(aside, job.site.homes)
        for name in homes:
            (job.site.homes / name).rename(aside / name)
    for entry in find_conflicts(job.site.store, job.versions):
        put_aside(job.site.store, entry, to)
    if accounts := job.accounts_in_the_way():
        accounts.rename(accounts.with_name(f"{accounts.name}{to}"))


def _begin(job: Job) -> None:
    """An empty place to work in, which says what for."""
    _remove(job.done)
    if not job.is_resumed:
        _remove(job.scratch)
        job.scratch.mkdir(mode=0o700)
        _write(job.scratch / "backup", job.backup.checksum.encode())
    _remove(job.scratch / "homes")
    (job.scratch / "homes").mkdir(mode=0o700)


def _end(job: Job) -> None:
    """From its renaming on the restore counts as done."""
    job.scratch.rename(job.done)
    _remove(job.done)


def _unpack(job: Job, name: str, to: Path, owner: tuple[int, int] | None = None) -> list[str]:
    if name not in job.backup.parts:
        return []
    with job.backup.open(name) as source:
        return unpack_tree(source, to, owner=owner)


def _restore_state(job: Job) -> list[str]:
    job.site.state.mkdir(parents=True, exist_ok=True)
    scratch = job.site.state / RESTORING
    _remove(scratch)
    scratch.mkdir(mode=0o700)
    notes = _unpack(job, "state.tar", scratch)
    _merge(scratch, job.site.state)
    _remove(scratch)
    return notes


def _restore_packages(job: Job) -> None:
    """What the site channel had built itself; as all of the store, it is the builder's."""
    store = job.site.store
    scratch = store.root / RESTORED / "packages"
    _remove(scratch)
    scratch.mkdir(parents=True)
    store.site_channel.mkdir(exist_ok=True)
    owner = store.root.stat()
    _unpack(job, "packages.tar", scratch, (owner.st_uid, owner.st_gid))
    _merge(scratch, store.site_channel)
    _remove(scratch)
    for made in (scratch.parent, store.site_channel):
        give(made, store.root)


def _restore_accounts(job: Job) -> None:
    if ACCOUNTS in job.site.secrets and f"secrets/{ACCOUNTS}" in job.backup.parts:
        with job.backup.open(f"secrets/{ACCOUNTS}") as source:
            _write(job.site.secrets[ACCOUNTS], source.read())


def _merge(source: Path, target: Path) -> None:
    """Moves what is in `source` into `target`; files of the same names are replaced."""
    for path in sorted(source.iterdir()):
        there = target / path.name
        if path.is_dir() and not path.is_symlink() and there.is_dir():
            _merge(path, there)
        else:
            path.replace(there)


def _write(file: Path, content: bytes) -> None:
    """A file for its owner's eyes, at once or not at all."""
    scratch = file.with_name(f".{file.name}.new")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    scratch.rename(file)


def _remove(scratch: Path) -> None:
    """Removes a copy of ours, also directories in it that are not for writing."""
    if not scratch.is_dir():
        return
    try:
        shutil.rmtree(scratch)
    except PermissionError:
        for directory, folders, _ in os.walk(scratch):
            for folder in folders:
                if not (path := Path(directory, folder)).is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(scratch)


@contextmanager
def _alone(site: Site) -> Iterator[None]:
    """One restore at a time, and no platform that `make up` starts meanwhile."""
    site.state.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        _hold(held, site.homes, "Another restore is at work here; wait until it is done.")
        if site.docker is None:
            lock = site.state / "up.lock"
            os.close(os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644))
            _hold(
                held, lock, f"The platform of {site.home} runs; end it with Ctrl-C, then restore."
            )
        yield


def _hold(held: ExitStack, path: Path, otherwise: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    held.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OperatingError(otherwise) from None
