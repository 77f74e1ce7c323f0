"""The self-signed certificate is made once; a site's own is checked in plain words."""

import re
import ssl
import stat
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from cryptography import x509

from embedded import certificates
from embedded.certificates import ensure_certificate, load_certificate
from embedded.errors import CertificateError


def names(cert: Path) -> set[str]:
    parsed = x509.load_pem_x509_certificate(cert.read_bytes())
    found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_it_names_this_machine_and_the_hosts_given(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, ["Hub.Example.com", "*.hub.example.com", "10.0.0.7"])
    assert names(made.cert) == {
        *("localhost", "127.0.0.1", "::1"),
        *("hub.example.com", "*.hub.example.com", "10.0.0.7"),
    }
    assert made.self_signed


def test_it_lasts_397_days_and_its_key_is_private(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path / "new", [])
    left = made.not_after - datetime.now(UTC)
    assert timedelta(days=396) < left < timedelta(days=397)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.cert.stat().st_mode) == 0o644
    assert sorted(path.name for path in made.cert.parent.iterdir()) == [
        "perijove.crt",
        "perijove.key",
    ]


def test_python_can_serve_and_trust_it(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.cert, made.key)
    ssl.create_default_context(cafile=made.cert)


@pytest.mark.parametrize("hostnames", [[], ["bücher.example", "0:0:0:0:0:0:0:1", "HUB"]])
def test_it_is_made_only_once(tmp_path: Path, hostnames: list[str]) -> None:
    first = ensure_certificate(tmp_path, hostnames)
    before = first.cert.read_bytes(), first.key.read_bytes()
    assert ensure_certificate(tmp_path, reversed(hostnames)) == first
    assert (first.cert.read_bytes(), first.key.read_bytes()) == before


def test_it_is_remade_when_the_host_names_change(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, ["old.example"])
    assert "new.example" in names(ensure_certificate(tmp_path, ["new.example"]).cert)


def test_it_is_remade_within_30_days_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LIFETIME", timedelta(days=30))
    short = ensure_certificate(tmp_path, [])
    monkeypatch.undo()
    assert ensure_certificate(tmp_path, []).not_after > short.not_after + timedelta(days=300)


def test_it_is_remade_when_only_half_was_written(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    other = ensure_certificate(tmp_path / "other", [])
    made.key.write_bytes(other.key.read_bytes())
    again = ensure_certificate(tmp_path, [])
    assert load_certificate(again.cert, again.key) == again


@pytest.mark.parametrize("name", ["https://hub.example.com", "hub:8443", "", "a b", "-" * 64 + "ü"])
def test_a_host_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificateError, match="cannot stand in a certificate"):
        ensure_certificate(tmp_path, [name])


def test_a_sites_own_certificate_is_taken_as_it_is(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    assert load_certificate(made.cert, made.key) == made


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    gone = tmp_path / "gone.pem"
    with pytest.raises(CertificateError, match=re.escape(f"The key {gone} cannot be read")):
        load_certificate(made.cert, gone)


def test_another_ones_key_is_refused(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    other = ensure_certificate(tmp_path / "other", [])
    with pytest.raises(CertificateError, match="does not belong to the certificate"):
        load_certificate(made.cert, other.key)


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, [])
    with pytest.raises(CertificateError, match="is not a PEM certificate"):
        load_certificate(made.key, made.cert)
    with pytest.raises(CertificateError, match="is not an unencrypted PEM private key"):
        load_certificate(made.cert, made.cert)


def test_a_certificate_that_ran_out_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LIFETIME", timedelta(minutes=30))  # it began an hour ago
    with pytest.raises(CertificateError, match=r"ran out on .*; renew it"):
        ensure_certificate(tmp_path, [])


def test_a_certificate_of_the_future_points_at_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ensure_certificate(tmp_path, [])

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - timedelta(days=2)

    monkeypatch.setattr(certificates, "datetime", Earlier)
    with pytest.raises(CertificateError, match="check this machine's clock"):
        load_certificate(made.cert, made.key)
