"""What a doctor says of the hub's database, and how one in a file is copied."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from operating.database import check_database, open_database, read_clock_difference
from operating.errors import OperatingError
from tests.operating.conftest import read_users, write_database


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    file = tmp_path / "hub.sqlite"
    write_database(file, "anna")
    return file


def test_a_database_that_is_well(file: Path) -> None:
    found = check_database(open_database(f"sqlite:///{file}"))
    assert found.ok
    assert found.text.startswith("SQLite, 1 users, tables ")


def test_one_of_another_version(file: Path) -> None:
    change(file, "UPDATE alembic_version SET version_num = 'other'")
    found = check_database(open_database(f"sqlite:///{file}"))
    assert found.ok is False
    assert "with the tables of version other, expected " in found.text


def test_one_that_no_hub_has_used(file: Path) -> None:
    change(file, "DROP TABLE alembic_version")
    assert check_database(open_database(f"sqlite:///{file}")).ok is None


def test_one_that_is_not_there_and_one_that_is_damaged(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/none")
    with pytest.raises(OperatingError, match="is not there; start the platform once"):
        check_database(database)
    assert not (tmp_path / "none").exists()
    (tmp_path / "bad").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(OperatingError, match="cannot be read"):
        check_database(open_database(f"sqlite:///{tmp_path}/bad"))


def test_one_whose_content_is_damaged(file: Path) -> None:
    change(file, "UPDATE users SET name = NULL")
    strict = "UPDATE sqlite_master SET sql = 'CREATE TABLE users (name NOT NULL)'"
    change(file, f"PRAGMA writable_schema = ON; {strict} WHERE name = 'users'")
    found = check_database(open_database(f"sqlite:///{file}"))
    assert (found.ok, found.text) == (
        False,
        "damaged: NULL value in users.name; restore a backup",
    )


def test_a_kind_that_nobody_knows() -> None:
    with pytest.raises(OperatingError, match="found a database of kind oracle"):
        open_database("oracle://x")


def test_a_file_has_no_clock(file: Path) -> None:
    assert read_clock_difference(open_database(f"sqlite:///{file}")) is None


def test_a_copy_is_whole_while_others_write(file: Path, tmp_path: Path) -> None:
    """Also of what stands in the write-ahead log alone."""
    sink = io.BytesIO()
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO users VALUES ('bruno')")
        writer.commit()
        writer.execute("INSERT INTO users VALUES ('not yet')")
        open_database(f"sqlite:///{file}").dump(sink, tmp_path)
    (tmp_path / "copy").write_bytes(sink.getvalue())
    assert read_users(tmp_path / "copy") == ["anna", "bruno"]
    assert not list(tmp_path.glob(".database-*"))


def change(file: Path, statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(statements)
