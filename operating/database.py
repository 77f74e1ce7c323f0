"""The hub's database, whichever kind it is: found, judged, copied and brought back."""

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

import jupyterhub
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, make_url, text

from operating.errors import OperatingError
from operating.findings import Finding
from operating.postgres import PostgresDatabase
from operating.programs import Sink
from operating.sqlite import SqliteDatabase


class Database(Protocol):
    """What is done with a database of either kind."""

    kind: str

    def engine(self) -> AbstractContextManager[Engine]:
        """What SQLAlchemy talks to it by."""

    def dump(self, sink: Sink, scratch: Path) -> None:
        """Writes a copy of it as it is now; `scratch` is a directory with room."""

    def is_empty(self) -> bool:
        """Whether no hub has ever used it."""

    def is_used(self) -> bool:
        """Whether somebody else is connected to it."""

    def load(self, source: BinaryIO, *, replace: bool) -> None:
        """Fills it from a copy, wholly or not at all."""


def open_database(url: str) -> Database:
    """The database of an SQLAlchemy URL. Raises OperatingError for a kind that is not known."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case PostgresDatabase.kind:
            return PostgresDatabase(parsed)
        case SqliteDatabase.kind:
            return SqliteDatabase(parsed)
        case other:
            raise OperatingError(
                f"PERIJOVE_DATABASE_URL: found a database of kind {other}, expected postgresql or "
                "sqlite; back it up with its own tools."
            )


def check_database(database: Database) -> Finding:
    """Whether it answers, is sound, and has the tables that this version's hub expects."""
    with database.engine() as engine, engine.connect() as connection:
        if database.kind == SqliteDatabase.kind:
            sound = connection.scalar(text("PRAGMA quick_check(1)"))
            server = "SQLite"
            if sound != "ok":
                return Finding("database", ok=False, text=f"damaged: {sound}; restore a backup")
        else:
            version = str(connection.scalar(text("SHOW server_version")))
            server = f"PostgreSQL {version.split(maxsplit=1)[0]}"
        if not inspect(connection).has_table("alembic_version"):
            return Finding("database", None, f"{server}, empty: no hub has been started on it")
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        people = connection.scalar(text("SELECT count(*) FROM users"))
    if found not in (expected := _expected_versions()):
        return Finding(
            "database",
            ok=False,
            text=f"{server}, with the tables of version {found}, expected {', '.join(expected)}; "
            "make a backup, then run 'jupyterhub upgrade-db' in the hub",
        )
    return Finding("database", ok=True, text=f"{server}, {people} users, tables {found}")


def read_clock_difference(database: Database) -> float | None:
    """Seconds by which this machine's clock is ahead of the database server's; None: no server."""
    if database.kind == SqliteDatabase.kind:
        return None
    with database.engine() as engine, engine.connect() as connection:
        connection.execute(text("SELECT 1"))  # so that connecting is not measured
        before = time.time()
        told = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
        return (before + time.time()) / 2 - float(told or 0)


def _expected_versions() -> list[str]:
    scripts = Path(jupyterhub.__file__).parent / "alembic"
    return list(ScriptDirectory(str(scripts)).get_heads())
