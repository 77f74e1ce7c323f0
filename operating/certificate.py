"""What `perijove doctor` asks of the certificate that nginx shows."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from operating.findings import Finding, reason

_WARN_BEFORE = timedelta(days=14)


def check_certificate(
    certificate: Path, key: Path, hosts: Sequence[str], *, advice: str, now: datetime | None = None
) -> Finding:
    """Whether browsers will go on taking it: its time, its names and its key.

    Args:
        certificate: PEM, the leaf first.
        key: PEM.
        hosts: what browsers call the platform, as far as it is known.
        advice: how to put another one in its place.
        now: the time to judge it at.
    """
    now = now or datetime.now(UTC)
    try:
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        return _bad(f"{error.filename}: cannot be read ({error.strerror})", advice)
    except (ValueError, TypeError) as error:
        return _bad(
            f"{certificate} and {key}: not both PEM without a passphrase ({reason(error)})", advice
        )
    ends = leaf.not_valid_after_utc
    left = ends - now
    day = f"{ends:%Y-%m-%d}"
    if leaf.public_key() != private.public_key():
        return _bad(f"{key} is not the key of {certificate}", advice)
    if leaf.not_valid_before_utc > now:
        return _bad(
            f"not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            f"set the clock, or {advice}",
        )
    if left <= timedelta():
        return _bad(f"ran out on {day}", advice)
    if left < _WARN_BEFORE:
        return _bad(f"runs out in {left.days} days, on {day}", advice)
    names = _names(leaf)
    for host in hosts:
        if not any(_covers(name, host) for name in names):
            return _bad(f"is for {', '.join(names) or 'no name'}, and not for {host}", advice)
    issuer = "self-signed" if leaf.issuer == leaf.subject else "valid"
    for_host = f" for {hosts[0]}" if hosts else ""
    return Finding("certificate", ok=True, text=f"{issuer}{for_host} until {day}, {left.days} days")


def _bad(what: str, advice: str) -> Finding:
    return Finding("certificate", ok=False, text=f"{what}; {advice}")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def _covers(name: str, host: str) -> bool:
    """As browsers compare: `*` stands for one label."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    except ValueError:
        pass
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host
