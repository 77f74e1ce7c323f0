"""Doctor, backup and restore as a person runs them."""

import json
import shutil
from pathlib import Path

import pytest

from embedded.certificates import ensure_certificate
from tests.operating.conftest import write_database, write_homes
from tests.perijove.conftest import Run


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    """What `make up` leaves behind when it ends."""
    home = tmp_path / "home"
    write_homes(home / "homes")
    write_database(home / "state/jupyterhub.sqlite", "anna", "bruno")
    (home / "state/cookie_secret").write_text("c")
    ensure_certificate(home / "state/tls", ["localhost"])
    return home


def test_a_doctor_tells_a_line_for_each_thing_it_looked_at(perijove: Run, home: Path) -> None:
    told = perijove("doctor")
    assert told.stderr == ""
    marks = {line.split()[1]: line.split()[0] for line in told.stdout.splitlines()}
    names = ("walls", "certificate", "secrets", "disk", "database", "hub", "clock", "homes")
    assert tuple(marks) == (*names, "store")
    assert set(marks.values()) <= {"ok", "note", "FAIL"}
    for name in ("certificate", "secrets", "database", "homes"):
        assert marks[name] == "ok"
    assert (marks["hub"], marks["store"]) == ("note", "note")  # not started; nothing built yet
    assert told.returncode == ("FAIL" in marks.values())


def test_a_doctor_that_finds_something_ends_so_and_goes_on(perijove: Run, home: Path) -> None:
    (home / "state/tls/perijove.crt").unlink()
    (home / "state/jupyterhub.sqlite").write_bytes(b"x" * 5000)
    (home / "homes/.restoring").mkdir()
    told = perijove("doctor", "--json")
    assert told.returncode == 1
    bad = {one["name"]: one["text"] for one in json.loads(told.stdout) if one["ok"] is False}
    assert {"certificate", "database", "homes"} <= set(bad)
    assert "Traceback" not in told.stdout + told.stderr
    assert "No such file or directory" in bad["certificate"]


def test_a_doctor_changes_nothing(perijove: Run, tmp_path: Path) -> None:
    assert perijove("doctor").returncode in {0, 1}
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
def test_backed_up_destroyed_and_restored(perijove: Run, home: Path, tmp_path: Path) -> None:
    made = perijove("backup", "--to", str(tmp_path / "to"))
    assert made.returncode == 0, made.stderr
    (file,) = (tmp_path / "to").iterdir()
    assert made.stdout.strip() == str(file)
    assert "it holds the installation's secrets: keep it as such" in made.stderr
    shutil.rmtree(home)
    done = perijove("restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "the database, 2 homes, and the locks of 0 environments" in done.stdout
    assert done.stdout.endswith("Now run 'make up'.\n")
    assert (home / "homes/anna/notebook.ipynb").read_text() == '{"cells": ["é"]}'
    again = perijove("restore", str(file))
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("Error: This installation is not empty: ")
    assert "Traceback" not in again.stderr
    assert perijove("restore", "--replace", str(file)).returncode == 0


@pytest.mark.slow
def test_what_cannot_be_backed_up_or_restored_is_one_sentence(
    perijove: Run, tmp_path: Path
) -> None:
    nothing = perijove("backup")
    assert (nothing.returncode, "nothing to back up" in nothing.stderr) == (1, True)
    (tmp_path / "x.tar").write_text("x")
    other = perijove("restore", str(tmp_path / "x.tar"))
    assert (other.returncode, "not a whole backup" in other.stderr) == (1, True)
    assert perijove("restore").returncode == 2
