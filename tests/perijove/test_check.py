"""`perijove check`: what CI sees, and the exit code it stops by."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.environment_yml import load_requirements
from kernels.locking.lock import Lock
from tests.kernels.pretend import conda, lock, wheel
from tests.perijove.conftest import Run

Write = Callable[..., Path]
YML = "channels: [conda-forge]\ndependencies: [python=3.11, numpy=2, pip: [report==1.0]]\n"
ADVISORY = {
    "id": "PYSEC-1",
    "summary": "Runs anything",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "report"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@pytest.fixture(name="good")
def _good(write_project: Write) -> Lock:
    """A project, and the lock that it wants."""
    path = write_project("acme/risk", environment_yml=YML)
    requirements = load_requirements(path / "environment.yml")
    return lock(
        conda("numpy", "2.1", depends=("python",)),
        wheel("report"),
        project="acme/risk",
        requirements=requirements,
    )


def keep(tmp_path: Path, made: Lock, slug: str = "acme/risk") -> Path:
    """Where the store has the lock."""
    file = tmp_path / "home/store" / slug / "lock.json"
    file.parent.mkdir(parents=True)
    file.write_text(made.text)
    return file


def test_nothing_found_is_said(perijove: Run, good: Lock, tmp_path: Path) -> None:
    keep(tmp_path, good)
    done = perijove("check")
    assert (done.returncode, done.stdout) == (0, "acme/risk: nothing found.\n")


def test_it_makes_no_store_and_writes_nothing(perijove: Run, good: Lock, tmp_path: Path) -> None:
    assert perijove("check").returncode == 1
    assert not (tmp_path / "home").exists()


def test_an_error_is_a_line_of_the_table_and_exit_code_1(
    perijove: Run, good: Lock, tmp_path: Path
) -> None:
    keep(tmp_path, good)
    (tmp_path / "advisory.json").write_text(json.dumps(ADVISORY))
    done = perijove("check", "acme/risk", "--advisories", str(tmp_path / "advisory.json"))
    assert done.returncode == 1
    header, line = done.stdout.splitlines()
    assert header.split() == ["PROJECT", "SEVERITY", "RULE", "PACKAGE", "WHAT"]
    assert line.split(maxsplit=5)[:5] == ["acme/risk", "error", "vulnerable", "report", "1.0"]
    assert "PYSEC-1: Runs anything (of unknown severity); fixed in 1.1." in line
    assert done.stderr == "Error: 1 error, in 1 of 1 projects; see above.\n"


def test_a_warning_alone_does_not_stop(perijove: Run, write_project: Write, tmp_path: Path) -> None:
    path = write_project("acme/loose", environment_yml="dependencies: [python=3.11, numpy]\n")
    requirements = load_requirements(path / "environment.yml")
    keep(tmp_path, lock(project="acme/loose", requirements=requirements), "acme/loose")
    done = perijove("check", "--json")
    assert done.returncode == 0
    assert [(one["severity"], one["rule"]) for one in json.loads(done.stdout)] == [
        ("warning", "unnamed-channel"),
        ("warning", "unpinned"),
    ]


def test_findings_are_in_the_order_of_projects_and_severity(
    perijove: Run, good: Lock, write_project: Write, tmp_path: Path
) -> None:
    write_project("acme/loose", environment_yml="dependencies: [python=3.11, numpy]\n")
    keep(tmp_path, good)
    found = json.loads(perijove("check", "--json").stdout)
    assert [(one["project"], one["severity"]) for one in found] == [
        ("acme/loose", "error"),
        ("acme/loose", "warning"),
        ("acme/loose", "warning"),
    ]


def test_a_lock_that_is_kept_elsewhere(perijove: Run, good: Lock, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text(good.text)
    assert perijove("check", "acme/risk", "--lock", str(file)).returncode == 0
    assert perijove("check", "--lock", str(file)).returncode == 2


def test_what_could_not_be_read_is_complained_about_and_never_looks_clean(
    perijove: Run, good: Lock, write_project: Write, tmp_path: Path
) -> None:
    file = keep(tmp_path, good)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = perijove("check", "--advisories", str(broken))
    assert done.returncode == 3
    assert f"{broken}: not advisories in the OSV format" in done.stderr
    write_project("acme/bad", project_toml="nonsense")
    done = perijove("check")
    assert done.returncode == 3
    assert "acme/bad/project.toml: not valid TOML" in done.stderr
    file.write_text("{")
    done = perijove("check", "acme/risk")
    assert done.returncode == 1
    assert f"{file}: not a lock" in done.stderr
    assert "Traceback" not in done.stderr


def test_advisories_that_are_not_there_are_a_usage_error(perijove: Run, good: Lock) -> None:
    assert perijove("check", "--advisories", "/nowhere").returncode == 2
