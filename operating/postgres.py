"""The hub's database in PostgreSQL: a copy by pg_dump, brought back by pg_restore.

Both come with the image, of the server's own version or newer. The password goes to them in their
environment: a command line can be read by all on the machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL, Engine, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from operating.errors import OperatingError
from operating.findings import reason
from operating.hub import FORGET_WORKSPACES
from operating.programs import Sink, read_from, write_to

_SECONDS = 10
_ASIDE = "perijove_replaced_"
"""How schemas are called that stand aside until a restore is done."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


class PostgresDatabase:
    """A database named by an SQLAlchemy URL."""

    kind = "postgresql"

    def __init__(self, url: URL) -> None:
        self._url = url

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """What SQLAlchemy talks to it by. Raises OperatingError if it cannot be reached."""
        engine = create_engine(self._url, connect_args={"connect_timeout": _SECONDS})
        try:
            yield engine
        except SQLAlchemyError as error:
            what = reason(getattr(error, "orig", None) or error)
            where = self._url.host or "its socket"
            raise OperatingError(
                f"The database {self._url.database} at {where} cannot be used ({what}); start it "
                "with 'docker compose up -d database', and see that .env has its password."
            ) from None
        finally:
            engine.dispose()

    def dump(self, sink: Sink, scratch: Path) -> None:  # noqa: ARG002 - the other kind needs it
        """Writes a copy of it as it is now, while others go on using it."""
        command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges"]
        command += [f"--exclude-schema={_ASIDE}*", self._dbname()]
        read_from(command, sink, environment=self._environment())

    def is_empty(self) -> bool:
        """Whether no hub has ever used it."""
        with self.engine() as engine:
            return not inspect(engine).get_table_names()

    def is_used(self) -> bool:
        """Whether somebody else is connected to it, as a hub always is."""
        with self.engine() as engine, engine.connect() as connection:
            return bool(connection.scalar(text(_OTHERS)))

    def load(self, source: BinaryIO, *, replace: bool) -> None:
        """Fills it from a copy, wholly or not at all; with `replace`, what it held is dropped.

        What it held stands aside until the copy is in: a copy that cannot be read costs nothing.
        """
        aside = f"{_ASIDE}{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        with self.engine() as engine:
            if replace:
                _run(engine, f"ALTER SCHEMA public RENAME TO {aside}", "CREATE SCHEMA public")
            try:
                self._fill(source)
            except BaseException:
                if replace:
                    _run(engine, "DROP SCHEMA public", f"ALTER SCHEMA {aside} RENAME TO public")
                raise
            if inspect(engine).has_table("spawners"):
                _run(engine, FORGET_WORKSPACES)
            schemas = inspect(engine).get_schema_names()
            left = [name for name in schemas if name.startswith(_ASIDE)]
            _run(engine, *(f'DROP SCHEMA "{name}" CASCADE' for name in left))

    def _fill(self, source: BinaryIO) -> None:
        command = ["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error"]
        command += ["--single-transaction", self._dbname()]
        write_to(command, source, environment=self._environment())

    def _dbname(self) -> str:
        plain = self._url.set(drivername="postgresql", password=None)
        return f"--dbname={plain.render_as_string(hide_password=False)}"

    def _environment(self) -> dict[str, str]:
        seconds = {"PGCONNECT_TIMEOUT": str(_SECONDS)}
        return seconds | ({"PGPASSWORD": str(self._url.password)} if self._url.password else {})


def _run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
