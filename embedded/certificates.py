"""Owns the certificate nginx shows: a self-signed one made once, or the site's own, checked.

A certificate that is still good is never touched: browsers remember the exception people made for
it. It is remade only when it runs out within 30 days, when the host names change, or when
its two files do not belong together.
"""

import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from embedded.errors import CertificateError

ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
LIFETIME = timedelta(days=397)  # the longest that browsers accept
RENEW_BEFORE = timedelta(days=30)

_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as files nginx can use."""

    cert: Path
    key: Path
    self_signed: bool
    not_after: datetime


def ensure_certificate(directory: Path, hostnames: Iterable[str]) -> Certificate:
    """Return the self-signed certificate in `directory`, made when there is no good one.

    It names localhost, 127.0.0.1, ::1 and `hostnames` (names, wildcards or addresses).
    """
    cert, key = directory / "perijove.crt", directory / "perijove.key"
    names = {_normalise(name) for name in (*ALWAYS_NAMED, *hostnames)}
    try:
        found = load_certificate(cert, key)
        parsed = x509.load_pem_x509_certificate(cert.read_bytes())
        if _names_of(parsed) == names and found.not_after > datetime.now(UTC) + RENEW_BEFORE:
            return found
    except CertificateError:
        pass  # none yet, run out, or half written: make it
    cert_pem, key_pem = _make_self_signed(names)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(key, key_pem, mode=0o600)
        _write(cert, cert_pem, mode=0o644)
    except OSError as error:
        raise CertificateError(
            f"The certificate {cert} cannot be written ({error.strerror}); check who may write "
            "there."
        ) from error
    return load_certificate(cert, key)


def load_certificate(cert: Path, key: Path) -> Certificate:
    """Return a site's own certificate (leaf first, then its chain) after checking it.

    Raises:
        CertificateError: a file cannot be read or parsed, the key is another one's, or the
            certificate has run out or is not valid yet.
    """
    cert_pem, key_pem = _read(cert, "certificate"), _read(key, "key")
    try:
        leaf = x509.load_pem_x509_certificate(cert_pem)
    except ValueError as error:
        raise CertificateError(
            f"The certificate {cert} is not a PEM certificate ({error}); "
            "give the file that begins with BEGIN CERTIFICATE."
        ) from error
    try:
        private = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(
            f"The key {key} is not an unencrypted PEM private key ({error}); "
            "give one without a passphrase, as nginx starts unattended."
        ) from error
    if leaf.public_key() != private.public_key():
        raise CertificateError(
            f"The key {key} does not belong to the certificate {cert}; give the two made together."
        )
    now = datetime.now(UTC)
    if leaf.not_valid_after_utc <= now:
        raise CertificateError(
            f"The certificate {cert} ran out on {leaf.not_valid_after_utc:%Y-%m-%d}; renew it."
        )
    if leaf.not_valid_before_utc > now:
        raise CertificateError(
            f"The certificate {cert} is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} "
            "UTC; check this machine's clock."
        )
    return Certificate(
        cert=cert,
        key=key,
        self_signed=leaf.issuer == leaf.subject,
        not_after=leaf.not_valid_after_utc,
    )


def _make_self_signed(names: set[str]) -> tuple[bytes, bytes]:
    """Return a new certificate and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Perijove, self-signed")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ a little
        .not_valid_after(now - timedelta(hours=1) + LIFETIME)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem


def _normalise(name: str) -> str:
    """Return a host name or address as a certificate spells it."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        normal = name.lower() if name.isascii() else name.encode("idna").decode()
    except UnicodeError as error:
        raise CertificateError(
            f"The host name {name!r} cannot stand in a certificate ({error}); correct it."
        ) from error
    if not _HOST_NAME.fullmatch(normal):
        raise CertificateError(
            f"The host name {name!r} cannot stand in a certificate; give a name like "
            "hub.example.com or *.hub.example.com, without scheme, port or path."
        )
    return normal


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)}


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"The {what} {path} cannot be read ({error.strerror}); check the path and who may "
            "read it."
        ) from error


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write `path` at once or not at all, never readable by more than `mode` allows."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
