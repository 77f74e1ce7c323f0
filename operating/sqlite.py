"""The hub's database in a file: a copy by SQLite's own backup, brought back by a rename."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

from operating.errors import OperatingError
from operating.findings import reason
from operating.hub import FORGET_WORKSPACES
from operating.programs import CHUNK, Sink
from operating.site import REPLACED, RESTORING

_JOURNALS = ("-wal", "-shm", "-journal")


class SqliteDatabase:
    """A database file named by an SQLAlchemy URL."""

    kind = "sqlite"

    def __init__(self, url: URL) -> None:
        self._file = Path(str(url.database))

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """What SQLAlchemy reads it by. Raises OperatingError if it is not there or broken."""
        if not self._file.exists():
            raise OperatingError(f"{self._file} is not there; start the platform once.")
        engine = create_engine(f"sqlite:///file:{self._file}?mode=ro&uri=true")
        try:
            yield engine
        except SQLAlchemyError as error:
            what = reason(getattr(error, "orig", None) or error)
            raise OperatingError(
                f"{self._file} cannot be read ({what}); bring a backup back."
            ) from None
        finally:
            engine.dispose()

    def dump(self, sink: Sink, scratch: Path) -> None:
        """Writes a copy of it as it is now, while others go on using it."""
        with tempfile.NamedTemporaryFile(dir=scratch, prefix=".database-") as copy:
            with closing(self._open()) as source, closing(sqlite3.connect(copy.name)) as target:
                try:
                    source.backup(target)
                except sqlite3.Error as error:
                    raise OperatingError(
                        f"{self._file} cannot be copied ({reason(error)}); look at it with "
                        "'sqlite3', or bring an older backup back."
                    ) from None
            with Path(copy.name).open("rb") as file:
                shutil.copyfileobj(file, sink, CHUNK)

    def is_empty(self) -> bool:
        """Whether no hub has ever used it."""
        if not self._file.exists():
            return True
        with closing(self._open()) as connection:
            return not connection.execute("SELECT 1 FROM sqlite_master").fetchone()

    def is_used(self) -> bool:
        """No: who uses it holds the home's lock."""
        return False

    def load(self, source: BinaryIO, *, replace: bool) -> None:
        """Fills it from a copy, wholly or not at all; with `replace`, what it held is put aside."""
        scratch = self._file.with_name(f"{RESTORING}-{self._file.name}")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        scratch.unlink(missing_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        with closing(sqlite3.connect(scratch)) as connection:
            _refuse_broken(connection)
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'spawners'").fetchone():
                with connection:
                    connection.execute(FORGET_WORKSPACES)
        time = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        for name in ("", *_JOURNALS):
            old = self._file.with_name(self._file.name + name)
            with suppress(FileNotFoundError):
                if replace:
                    old.rename(old.with_name(f"{self._file.name}{REPLACED}{time}{name}"))
                else:
                    old.unlink()
        scratch.rename(self._file)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)


def _refuse_broken(connection: sqlite3.Connection) -> None:
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        found = reason(error)
    if found != "ok":
        raise OperatingError(f"The backup's database is damaged ({found}); use another backup.")
