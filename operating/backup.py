"""Makes a backup of a running installation: everything that cannot be made anew.

Nothing is stopped for it. The database is copied as of one moment, then homes as they are found;
environments are not copied, but the locks they are built from.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from operating.archive import PARTIAL, BackupWriter, new_backup
from operating.database import open_database
from operating.errors import OperatingError
from operating.site import REPLACED, RESTORING, Site
from operating.trees import pack_tree
from operating.versions import find_packages, read_versions

Report = Callable[[str], None]

_HOMES_LEFT_OUT = (f"{RESTORING}*", f"{REPLACED}*")
# What processes make anew at every start, facts about the machine, and the database, which is a
# part of its own.
_STATE_LEFT_OUT = (
    *("running.json", "up.lock", "unwalled", "nginx", "workspaces", "*.pid"),
    *("jupyterhub.sqlite*", f"{RESTORING}*"),
)


@dataclass(frozen=True)
class Done:
    """A backup that was made.

    Attributes:
        file: where it is.
        size: in bytes.
        notes: what could not be read, and so is not in it.
    """

    file: Path
    size: int
    notes: tuple[str, ...]


def make_backup(site: Site, to: Path, report: Report) -> Done:
    """Writes a backup into the directory `to`, made if need be.

    Raises:
        OperatingError: there is nothing to back up, or a part of it cannot be read.
    """
    database = open_database(site.database_url)
    if database.is_empty():
        raise OperatingError(
            "The database is empty: no hub has been started here, so there is nothing to back up."
        )
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(to):
        file = _new_name(to)
        with new_backup(file) as stream:
            writer = BackupWriter(stream)
            report("copying the database")
            with writer.part("database.dump") as sink:
                database.dump(sink, to)
            report("copying homes")
            notes = _pack(writer, "homes.tar", site.homes, _HOMES_LEFT_OUT)
            report("copying the rest")
            notes += _pack(writer, "state.tar", site.state, _STATE_LEFT_OUT)
            versions = read_versions(site.store)
            packages = find_packages(site.store, versions)
            if packages:
                with writer.part("packages.tar") as sink:
                    pack_tree(site.store.site_channel, sink, names=packages)
            _add_secrets(writer, site)
            writer.finish(
                {
                    "perijove": installed_version("perijove"),
                    "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "engine": "docker" if site.docker else "process",
                    "database": database.kind,
                    "store": [asdict(entry) for entry in versions],
                }
            )
    return Done(file, file.stat().st_size, tuple(notes))


def _pack(writer: BackupWriter, name: str, root: Path, leave_out: tuple[str, ...]) -> list[str]:
    if not root.is_dir():
        return []
    with writer.part(name) as sink:
        return pack_tree(root, sink, leave_out=leave_out)


def _add_secrets(writer: BackupWriter, site: Site) -> None:
    for name, file in site.secrets.items():
        if not file.exists() and not site.docker:
            continue  # made at the first start
        try:
            content = file.read_bytes()
        except OSError as error:
            raise OperatingError(
                f"{name} cannot be read at {file} ({error.strerror}), and without it a backup is "
                "of little use; run 'make secrets', or put it there."
            ) from None
        with writer.part(f"secrets/{name}") as sink:
            sink.write(content)


def _new_name(to: Path) -> Path:
    while True:
        file = to / f"perijove-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        if not file.exists():
            return file
        time.sleep(0.1)


@contextmanager
def _alone(to: Path) -> Iterator[None]:
    """One backup at a time in a directory; what a killed one left there is removed."""
    handle = os.open(to, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatingError(
                f"Another backup is being written to {to}; wait until it is done."
            ) from None
        for left in (*to.glob(f"perijove-*{PARTIAL}"), *to.glob(".database-*")):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)
