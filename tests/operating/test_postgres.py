"""The hub's database in a real PostgreSQL, which the test starts for itself."""

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from operating.database import check_database, open_database, read_clock_difference
from operating.errors import OperatingError
from operating.postgres import PostgresDatabase

_NOBODY = 65534


def find_server() -> Path | None:
    """The directory of PostgreSQL's own programs, which are not on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and shutil.which("pg_dump") else None


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[str]:
    """A server with a password, as root's helper or as ours; gives the URL but for the database."""
    programs = find_server()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine; the container tests have one")
    directory = Path(tempfile.mkdtemp(prefix="perijove-pg-"))
    is_root = os.geteuid() == 0
    become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    prefix = become if is_root else []
    (directory / "password").write_text("p@ss word")
    if is_root:
        for path in (directory, directory / "password"):
            os.chown(path, _NOBODY, _NOBODY)

    def run(*command: str | Path) -> None:
        subprocess.run(
            [*prefix, *command], cwd=directory, check=True, capture_output=True, timeout=120
        )

    data = directory / "data"
    control = [programs / "pg_ctl", "--wait", "--pgdata", data]
    try:
        run(
            *(programs / "initdb", "--no-sync", "--username=perijove", "--pgdata", data),
            *("--auth=scram-sha-256", f"--pwfile={directory}/password", "--encoding=UTF8"),
        )
        options = f"-c listen_addresses= -c fsync=off -k {directory}"
        run(*control, "--log", directory / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://perijove:p%40ss word@/{{}}?host={directory}"
        finally:
            run(*control, "--mode=immediate", "stop")
    finally:
        shutil.rmtree(directory)


@pytest.fixture(name="full")
def _full(server: str) -> PostgresDatabase:
    """The part of a hub's database that we ask for."""
    database = make(server, "full")
    execute(
        database,
        "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)",
        "CREATE TABLE spawners (state TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO users (name) VALUES ('anna'), ('bruno')",
        "INSERT INTO spawners VALUES ('{}')",
        "INSERT INTO alembic_version VALUES ('other')",
    )
    return database


def make(server: str, name: str) -> PostgresDatabase:
    admin = PostgresDatabase(open_database(server.format("postgres"))._url)  # type: ignore[attr-defined]
    with admin.engine() as engine, engine.connect() as connection:
        free = connection.execution_options(isolation_level="AUTOCOMMIT")
        free.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        free.execute(text(f'CREATE DATABASE "{name}"'))
    found = open_database(server.format(name))
    assert isinstance(found, PostgresDatabase)
    return found


def execute(database: PostgresDatabase, *statements: str) -> list[object]:
    rows: list[object] = []
    with database.engine() as engine, engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
            rows = [value for (value,) in result] if result.returns_rows else []
    return rows


def dump(database: PostgresDatabase, scratch: Path) -> io.BytesIO:
    sink = io.BytesIO()
    database.dump(sink, scratch)
    sink.seek(0)
    return sink


USERS = "SELECT name FROM users ORDER BY id"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"


def test_a_database_comes_back(full: PostgresDatabase, server: str, tmp_path: Path) -> None:
    new = make(server, "new")
    assert (full.is_empty(), new.is_empty()) == (False, True)
    new.load(dump(full, tmp_path), replace=False)
    assert execute(new, USERS) == ["anna", "bruno"]
    assert execute(new, "SELECT state FROM spawners") == [None]
    # A sequence that began anew would give a number that somebody has.
    assert execute(new, "INSERT INTO users (name) VALUES ('carla') RETURNING id") == [3]


def test_what_was_there_is_replaced_wholly(
    full: PostgresDatabase, server: str, tmp_path: Path
) -> None:
    old = make(server, "old")
    execute(
        old,
        "CREATE TABLE users (id INT PRIMARY KEY, more TEXT)",
        "CREATE TABLE other (id INT REFERENCES users)",
    )
    old.load(dump(full, tmp_path), replace=True)
    assert execute(old, USERS) == ["anna", "bruno"]
    assert execute(old, SCHEMAS) == ["public"]
    again = make(server, "again")
    again.load(dump(old, tmp_path), replace=False)  # a backup of what was replaced is one
    assert execute(again, USERS) == ["anna", "bruno"]


@pytest.mark.parametrize("cut", [10, -200])
def test_a_copy_that_cannot_be_read_costs_nothing(
    full: PostgresDatabase, cut: int, tmp_path: Path
) -> None:
    broken = io.BytesIO(dump(full, tmp_path).getvalue()[:cut])
    with pytest.raises(OperatingError, match=r"pg_restore failed \(exit status 1\): pg_restore: "):
        full.load(broken, replace=True)
    assert execute(full, USERS) == ["anna", "bruno"]
    assert execute(full, SCHEMAS) == ["public"]


def test_a_copy_into_one_that_is_not_empty_changes_nothing(
    full: PostgresDatabase, tmp_path: Path
) -> None:
    with pytest.raises(OperatingError, match="already exists"):
        full.load(dump(full, tmp_path), replace=False)
    assert execute(full, USERS) == ["anna", "bruno"]


def test_what_a_killed_restore_put_aside_is_in_no_copy_and_is_cleared_away(
    full: PostgresDatabase, server: str, tmp_path: Path
) -> None:
    killed = make(server, "killed")
    execute(
        killed,
        "CREATE TABLE users (id INT)",
        "ALTER SCHEMA public RENAME TO perijove_replaced_1",
        "CREATE SCHEMA public",
    )
    assert killed.is_empty()
    killed.load(dump(full, tmp_path), replace=False)
    assert execute(killed, SCHEMAS) == ["public"]


def test_who_else_is_connected(full: PostgresDatabase) -> None:
    assert not full.is_used()
    with full.engine() as engine, engine.connect():
        assert full.is_used()


def test_what_a_doctor_says_of_it(full: PostgresDatabase, server: str) -> None:
    found = check_database(full)
    assert (found.ok, found.text.startswith("PostgreSQL 1")) == (False, True)
    assert "with the tables of version other" in found.text
    assert check_database(make(server, "none")).ok is None
    assert abs(read_clock_difference(full) or 0) < 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("p%40ss", "wrong"), "password authentication failed"),
        (("/{}", "/nowhere"), 'database "nowhere" does not exist'),
    ],
)
def test_one_that_cannot_be_reached(
    server: str, change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    database = open_database(server.replace(*change).format("postgres"))
    for ask in (database.is_empty, lambda: database.dump(io.BytesIO(), tmp_path)):
        with pytest.raises(OperatingError, match=said) as told:
            ask()
        assert "ss word" not in str(told.value)
