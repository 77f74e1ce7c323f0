"""What a doctor says of the certificate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embedded.certificates import ensure_certificate
from operating.certificate import check_certificate
from operating.findings import Finding

HOSTS = ("hub.example.com", "workspace.hub.example.com")
NAMES = [HOSTS[0], "*.hub.example.com", "192.0.2.7"]


@pytest.fixture(name="made", scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made = ensure_certificate(tmp_path_factory.mktemp("tls"), NAMES)
    return made.cert, made.key


def look(made: tuple[Path, Path], hosts: tuple[str, ...] = HOSTS, days: float = 0) -> Finding:
    now = datetime.now(UTC) + timedelta(days=days)
    return check_certificate(*made, hosts, advice="mend it", now=now)


def test_a_good_one(made: tuple[Path, Path]) -> None:
    found = look(made)
    assert found.ok
    assert found.text.startswith("self-signed for hub.example.com until 2")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (390, "runs out in 6 days, on "),
        (400, "ran out on "),
        (-1, "not valid before "),
    ],
)
def test_its_time(made: tuple[Path, Path], days: float, said: str) -> None:
    found = look(made, days=days)
    assert found.ok is False
    assert found.text.startswith(said)
    assert found.text.endswith("mend it")


@pytest.mark.parametrize("host", ["192.0.2.7", "LOCALHOST", "a.hub.example.com"])
def test_hosts_that_it_covers(made: tuple[Path, Path], host: str) -> None:
    assert look(made, (host,)).ok


@pytest.mark.parametrize("host", ["example.com", "a.b.hub.example.com", "192.0.2.8", "::2"])
def test_hosts_that_it_does_not_cover(made: tuple[Path, Path], host: str) -> None:
    found = look(made, (HOSTS[0], host))
    assert found.ok is False
    assert f"and not for {host}; mend it" in found.text


def test_a_host_that_nobody_knows_is_not_looked_for(made: tuple[Path, Path]) -> None:
    assert look(made, ()).ok


def test_another_ones_key(made: tuple[Path, Path], tmp_path: Path) -> None:
    other = ensure_certificate(tmp_path, NAMES)
    assert "is not the key of" in look((made[0], other.key)).text


def test_files_that_are_none(made: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    assert "not both PEM" in look((tmp_path / "x.pem", made[1])).text
    missing = look((made[0], tmp_path / "none.pem"))
    assert (missing.ok, "cannot be read (No such file or directory)" in missing.text) == (False, 1)
