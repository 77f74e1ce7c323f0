"""An installation on disk, with a hub's database and two people's homes."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from kernels.store import Store
from operating.database import _expected_versions
from operating.site import Site
from tests.kernels.conftest import (  # noqa: F401 - fixtures, for tests that build environments
    MakeProject,
    channel,
    cold_store,
    make_project,
    projects,
    store,
    walled,
    warm_caches,
)

TIME = 1_700_000_000_123_456_789
MakeSite = Callable[[str], Site]


def quiet(_step: str) -> None:
    pass


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below `root`: kind, mode, owner, time to the nanosecond, content or target."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        told = path.lstat()
        content: object = None
        if path.is_symlink():
            content = path.readlink()
        elif path.is_file():
            content = path.read_bytes()
        meta = (oct(told.st_mode), told.st_uid, told.st_gid, told.st_mtime_ns)
        found[str(path.relative_to(root))] = (*meta, content)
    return found


def write_homes(homes: Path) -> None:
    """Two homes with everything that homes have."""
    anna, bruno = homes / "anna", homes / "bruno-40example"
    for home in (anna, bruno):
        (home / "work").mkdir(parents=True)
    (anna / "notebook.ipynb").write_text('{"cells": ["é"]}')
    (anna / "work/run me").write_text("#!/bin/sh\n")
    (anna / "work/run me").chmod(0o755)
    (anna / "secret").write_text("s")
    (anna / "secret").chmod(0o400)
    (anna / "link").symlink_to("work/run me")
    (anna / "nowhere").symlink_to("/no/such/thing")
    os.link(anna / "secret", anna / "work/same as secret")
    os.mkfifo(anna / "pipe", 0o600)
    (bruno / "empty").mkdir()
    (bruno / "go/pkg").mkdir(parents=True)
    (bruno / "go/pkg/read-only").write_text("as Go leaves its caches")
    for folder in ("empty", "go/pkg", "go"):
        (bruno / folder).chmod(0o555)
    (bruno / os.fsdecode(b"caf\xe9")).write_text("not UTF-8")
    with (bruno / "holes").open("wb") as file:
        file.truncate(6 * 1024**2)
        file.seek(3 * 1024**2)
        file.write(b"in the middle")
    long = bruno
    for _ in range(12):
        long /= "a directory with a name that is rather long"
        long.mkdir()
    (long / "deep").write_text("deep")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(anna / "s"))
    paths = sorted(homes.rglob("*"), reverse=True)
    for number, path in enumerate(paths):
        os.utime(path, ns=(TIME, TIME + number), follow_symlinks=False)
    for home in (anna, bruno):
        home.chmod(0o700)
        os.utime(home, ns=(TIME, TIME))


def write_database(file: Path, *users: str) -> None:
    """The part of a hub's database that we ask for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute("CREATE TABLE spawners (state TEXT)")
        connection.execute("""INSERT INTO spawners VALUES ('{"pid": 1}')""")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (_version(),))
        connection.executemany("INSERT INTO users VALUES (?)", [(user,) for user in users])


@cache
def _version() -> str:
    """Of the tables that this version's hub makes."""
    (version,) = _expected_versions()
    return version


def read_users(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM users")]


@pytest.fixture(name="make_site")
def _make_site(tmp_path: Path) -> MakeSite:
    """An installation of `make up` with nothing in it."""

    def make(name: str) -> Site:
        home = tmp_path / name
        return Site(
            home=home,
            store=Store(home / "store"),
            database_url=f"sqlite:///{home}/state/jupyterhub.sqlite",
            hub=None,
            hosts=(),
            certificate=home / "state/tls/perijove.crt",
            key=home / "state/tls/perijove.key",
            secrets={"accounts.json": home / "accounts.json"},
        )

    return make


@pytest.fixture(name="site")
def _site(make_site: MakeSite) -> Site:
    """An installation that people use."""
    site = make_site("home")
    write_homes(site.homes)
    write_database(site.state / "jupyterhub.sqlite", "anna", "bruno@example")
    (site.state / "cookie_secret").write_text("c" * 64)
    (site.state / "cookie_secret").chmod(0o600)
    (site.state / "tls").mkdir()
    (site.state / "tls/perijove.crt").write_text("certificate")
    for name in ("running.json", "up.lock", "jupyterhub-proxy.pid", "unwalled"):
        (site.state / name).write_text("{}")
    (site.home / "accounts.json").write_text('{"accounts": []}')
    (site.home / "accounts.json").chmod(0o600)
    return site
