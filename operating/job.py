"""A backup that has been read to its end, and whether it may be restored into an installation.

Everything that can be in the way is found here, before anything is touched.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from operating.archive import Backup, load_backup
from operating.database import Database, open_database
from operating.engine import find_running_workspaces
from operating.errors import BackupError, OperatingError
from operating.hub import find_obstacle
from operating.site import REPLACED, RESTORING, Site
from operating.trees import check_tree
from operating.versions import Versions, find_conflicts, parse_versions

ACCOUNTS = "accounts.json"
_TREES = ("homes.tar", "state.tar", "packages.tar")
_SHOWN = 3


@dataclass(frozen=True)
class Job:
    """A backup that has been read to its end, and where it goes."""

    backup: Backup
    names: frozenset[str]
    versions: tuple[Versions, ...]
    site: Site
    database: Database
    replace: bool

    @property
    def scratch(self) -> Path:
        """Where homes are unpacked; there while a restore is at work, or was cut off."""
        return self.site.homes / RESTORING

    @property
    def done(self) -> Path:
        """What `scratch` is called when there is nothing left to do but to remove it."""
        return self.scratch.with_name(f"{RESTORING}-done")

    @property
    def is_resumed(self) -> bool:
        """Whether a restore of the same backup was cut off here."""
        return not self.replace and _read(self.scratch / "backup") == self.backup.checksum

    @property
    def homes_in_the_way(self) -> list[str]:
        """What stands in `homes` and is neither put aside nor from the cut-off restore."""
        done = self.names if self.is_resumed else frozenset()
        return sorted(
            path.name
            for path in self.site.homes.iterdir()
            if not path.name.startswith((RESTORING, REPLACED)) and path.name not in done
        )

    def accounts_in_the_way(self) -> Path | None:
        """The first passwords of the demonstration, if others stand there."""
        file = self.site.secrets.get(ACCOUNTS)
        if file is None or not file.exists() or f"secrets/{ACCOUNTS}" not in self.backup.parts:
            return None
        with self.backup.open(f"secrets/{ACCOUNTS}") as source:
            return None if source.read() == file.read_bytes() else file


def load_job(file: Path, site: Site, *, replace: bool) -> Job:
    """Reads all of a backup. Raises BackupError if it cannot be used; nothing is changed."""
    backup = load_backup(file)
    backup.verify()
    names = _check_trees(backup)
    versions = parse_versions(backup.manifest.get("store", ()))
    database = open_database(site.database_url)
    if backup.manifest.get("database") != database.kind:
        raise BackupError(
            f"{file}: its database is of kind {backup.manifest.get('database')}, and this "
            f"installation's is {database.kind}; restore it where it comes from."
        )
    return Job(backup, names, versions, site, database, replace)


def refuse_at_work(job: Job) -> None:
    """Raises OperatingError while a hub or a workspace of the installation runs."""
    site = job.site
    stop = "'docker compose stop'" if site.docker else "Ctrl-C where 'make up' runs"
    if site.hub and find_obstacle(site.hub) is None:
        raise OperatingError(
            f"The hub of this installation runs; end it first ({stop}), then restore."
        )
    if job.database.is_used():
        raise OperatingError(
            f"Somebody is connected to the database, a hub most likely; end it first ({stop})."
        )
    running = find_running_workspaces(site.docker) if site.docker else []
    if running:
        raise OperatingError(
            f"Workspaces still run ({', '.join(running)}); end them with 'docker rm --force', "
            "then restore."
        )


def refuse_full(job: Job) -> None:
    """Raises OperatingError that says of everything that is in the way."""
    homes = job.homes_in_the_way
    more = f" and {len(homes) - _SHOWN} more" if len(homes) > _SHOWN else ""
    conflicts = ", ".join(entry.slug for entry in find_conflicts(job.site.store, job.versions))
    full = [f"homes holds {', '.join(homes[:_SHOWN])}{more}"] if homes else []
    if not (job.database.is_empty() or (job.is_resumed and (job.scratch / "database").exists())):
        full.append("the database is not empty")
    if conflicts:
        full.append(f"the store has other versions of {conflicts} by the same numbers")
    if accounts := job.accounts_in_the_way():
        full.append(f"there is another {accounts.name}")
    if full and not job.replace:
        raise OperatingError(
            f"This installation is not empty: {'; '.join(full)}. Nothing was changed. Restore into "
            "a new one, or give --replace: homes and environments are put aside, and the "
            "database is replaced."
        )
    needed = sum(part.size for part in job.backup.parts.values())
    if (free := shutil.disk_usage(job.site.homes).free) < needed:
        raise OperatingError(
            f"{job.site.homes} has room for {free / 1e9:.1f} GB, and the backup holds "
            f"{needed / 1e9:.1f} GB; make room. Nothing was changed."
        )


def _check_trees(backup: Backup) -> frozenset[str]:
    """The names of the homes, once every tree in the backup has been looked at."""
    found: dict[str, frozenset[str]] = {}
    for name in _TREES:
        if name in backup.parts:
            with backup.open(name) as source:
                found[name] = check_tree(source)
    return found.get("homes.tar", frozenset())


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
