"""Talks to the running hub: is it up, who is there, and the first filling of its groups."""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.accounts import Account
from embedded.errors import EmbeddedError


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

    def add_accounts(self, accounts: Iterable[Account]) -> None:
        """Makes the accounts' users and puts them into their groups; may be repeated.

        Admins are made by the hub itself when it starts: no service may make one.
        """
        for account in accounts:
            self._unless_there("users", {"usernames": [account.user]})
            for group in account.groups:
                path = f"groups/{urllib.parse.quote(group, safe='')}"
                self._unless_there(path, {})
                self.request("POST", f"{path}/users", {"users": [account.user]})

    def _unless_there(self, path: str, body: object) -> None:
        try:
            self.request("POST", path, body)
        except urllib.error.HTTPError as error:
            if error.code != 409:  # noqa: PLR2004 - it exists
                raise


def is_login_answering(url: str, certificate: Path) -> bool:
    """Whether the login page is served at `url`, through TLS with this certificate."""
    context = ssl.create_default_context(cafile=str(certificate))
    try:
        with urllib.request.urlopen(f"{url}hub/login", context=context, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)  # noqa: PLR2004 - the page
    except (urllib.error.URLError, OSError):
        return False


def wait_for(what: str, is_there: Any, *, seconds: float, log: Path) -> None:
    """Waits until `is_there()`; raises EmbeddedError with a sentence after `seconds`."""
    ends = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > ends:
            raise EmbeddedError(
                f"{what} did not answer within {seconds:.0f} seconds; what it said is in {log}."
            )
        time.sleep(0.1)
