"""Talks to the running hub: is it up, who is there, and the first filling of its groups."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from embedded.accounts import Account
from embedded.errors import EmbeddedError
from kernels.names import ADMINS


@dataclass(frozen=True)
class Hub:
    """A hub's REST API, asked with the token of the `perijove` service."""

    api_url: str
    token: str

    def request(self, method: str, path: str, body: object = None) -> Any:
        """One request; the answer's JSON, or None. Raises urllib's HTTPError as it comes."""
        request = urllib.request.Request(  # noqa: S310 - the hub's own address on loopback
            f"{self.api_url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            text = answer.read()
        return json.loads(text) if text else None

    def running(self) -> list[str]:
        """The users whose workspace runs."""
        users = self.request("GET", "users?state=active&limit=1000")
        return [user["name"] for user in users]

    def ensure_groups(self, names: Iterable[str]) -> None:
        """Makes the groups that are not there yet; may be repeated."""
        for name in names:
            self._unless_there(f"groups/{urllib.parse.quote(name, safe='')}", {})

    def add_accounts(self, accounts: Iterable[Account]) -> None:
        """Makes the accounts' users and puts them into their groups; may be repeated."""
        for account in accounts:
            self._unless_there("users", {"usernames": [account.user]})
            groups = [*account.groups, *([ADMINS] if account.admin else [])]
            self.ensure_groups(groups)
            for group in groups:
                path = f"groups/{urllib.parse.quote(group, safe='')}/users"
                self.request("POST", path, {"users": [account.user]})

    def _unless_there(self, path: str, body: object) -> None:
        try:
            self.request("POST", path, body)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise


def is_login_answering(address: str, port: int, certificate: Path) -> bool:
    """Whether nginx serves the login page at `address` with exactly this certificate.

    Asked of the machine itself: what browsers call it, and whom they trust, is not ours to know.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=5, context=context)
    try:
        connection.connect()
        served = connection.sock.getpeercert(binary_form=True)
        connection.request("GET", "/hub/login")
        return served == _leaf(certificate) and connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _leaf(certificate: Path) -> bytes:
    """The first certificate of a PEM file, in the form in which a server shows it."""
    end = "-----END CERTIFICATE-----"
    first = certificate.read_text(encoding="ascii").split(end)[0]
    return ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end)


def wait_for(what: str, is_there: Any, *, seconds: float, log: Path) -> None:
    """Waits until `is_there()`; raises EmbeddedError with a sentence after `seconds`."""
    ends = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > ends:
            raise EmbeddedError(
                f"{what} did not answer within {seconds:.0f} seconds; what it said is in {log}."
            )
        time.sleep(0.1)
