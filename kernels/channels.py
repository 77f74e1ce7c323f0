"""The site's own settings for conda channels: short names, mirrors, and where the logins are.

    <projects>/channels.toml     aliases, mirrors, offline: kept with the projects, no secrets in it
    <home>/channel-secrets.json  host -> login, in the form that rattler and pixi read (0600)

A login is used on the way to a server and nowhere else: what names one in a file of a project is
refused, and `hide_secrets` takes it out of everything that is said about an address.
"""

import json
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernels.errors import ProjectError, StoreError

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ADDRESS = re.compile(r"(https?://[^/\s]+|file:///)\S*")
_USER = re.compile(r"(?<=://)[^/\s]*@")
_TOKEN = re.compile(r"(https?://\S*?/t/)[^/\s]+")
_FORMS = {
    "BearerToken": "a text",
    "CondaToken": "a text",
    "BasicHTTP": "a username and a password",
}


@dataclass(frozen=True)
class Channels:
    """How channels are reached from here.

    Attributes:
        aliases: short name to address; `acme/label/dev` is below the address of `acme`.
        mirrors: channel to the addresses that are asked in its place, the first that answers.
        offline: ask no server; what was read before counts.
        secrets: the file with logins, or None.
        cache: where what channels say is kept; None is the user's own cache.
    """

    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    offline: bool = False
    secrets: Path | None = None
    cache: Path | None = None

    def address(self, channel: str) -> str:
        """`channel` with its short name spelled out, if it begins with one."""
        name, slash, rest = channel.partition("/")
        known = self.aliases.get(name)
        return channel if known is None else known.rstrip("/") + slash + rest


PLAIN = Channels()
"""No settings: every channel is asked by the name or address that it has."""


def load_channels(file: Path, secrets: Path | None = None, cache: Path | None = None) -> Channels:
    """Reads and validates the settings in `file`; without it there are none.

    Args:
        file: `channels.toml`.
        secrets: the file with logins, which must be there.
        cache: where what channels say is kept.

    Raises:
        ProjectError: naming the file, the key, what was found and what was expected.
        StoreError: the file with logins cannot be used.
    """
    if secrets is not None:
        _check_secrets(secrets)
    table = _load_toml(file)
    for key in table:
        if key not in {"aliases", "mirrors", "offline"}:
            raise ProjectError(
                f"{file}: {key}: unknown key; expected one of: aliases, mirrors, offline."
            )
    offline = table.get("offline", False)
    if not isinstance(offline, bool):
        raise ProjectError(f"{file}: offline: found {offline!r}, expected true or false.")
    return Channels(_aliases(file, table), _mirrors(file, table), offline, secrets, cache)


def has_secret(address: str) -> bool:
    """Whether an address carries a login: `https://user:password@...` or `.../t/<token>/...`."""
    return "://" in address and hide_secrets(address) != address


def hide_secrets(text: str) -> str:
    """`text` without the logins of the addresses in it."""
    return _TOKEN.sub(r"\1***", _USER.sub("***@", text))


def _load_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ProjectError(
            f"{file}: cannot be read ({error.strerror}); expected a file that the builder may read."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file}: not valid TOML: {error}.") from None


def _aliases(file: Path, table: Mapping[str, Any]) -> dict[str, str]:
    aliases = _table(file, table, "aliases")
    for name, address in aliases.items():
        if not _ALIAS.fullmatch(name):
            raise ProjectError(
                f"{file}: aliases: found the name '{name}', expected letters, digits, '.', '_' "
                "and '-'."
            )
        _check_address(file, f"aliases.{name}", address)
    return aliases


def _mirrors(file: Path, table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    mirrors = _table(file, table, "mirrors")
    for channel, addresses in mirrors.items():
        key = f"mirrors.{hide_secrets(channel)}"
        if has_secret(channel):
            _check_address(file, key, channel)
        if not isinstance(addresses, list) or not addresses:
            raise ProjectError(
                f"{file}: {key}: found {hide_secrets(repr(addresses))}, expected a list of "
                "addresses."
            )
        for address in addresses:
            _check_address(file, key, address)
    return {channel: tuple(addresses) for channel, addresses in mirrors.items()}


def _table(file: Path, table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        found = hide_secrets(repr(value))
        raise ProjectError(f"{file}: {key}: found {found}, expected a table [{key}].")
    return dict(value)


def _check_address(file: Path, key: str, address: Any) -> None:
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise ProjectError(
            f"{file}: {key}: found {hide_secrets(repr(address))}, expected an address such as "
            "'https://conda.example.com/acme'."
        )
    if has_secret(address):
        raise ProjectError(f"{file}: {key}: {secret_refused(address)}")


def secret_refused(address: str) -> str:
    """Why an address with a login is refused, and where the login belongs."""
    return (
        f"found a login in the address '{hide_secrets(address)}', expected the address alone: put "
        "the login into the installation's channel-secrets.json, and change it, for others may "
        "have read it here."
    )


def _check_secrets(file: Path) -> None:
    """Refuses a file that others may read, and what would silently not be used."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise StoreError(
            f"{file}: the channels' logins cannot be read ({reason}); expected a JSON file of the "
            "builder's own."
        ) from None
    if mode & 0o077:
        raise StoreError(
            f"{file}: others than its owner may use it (mode {mode:04o}), and it holds logins; run "
            f"'chmod 600 {file}'."
        )
    try:
        table = json.loads(text)
    except ValueError:
        raise StoreError(f"{file}: not valid JSON; expected {_expected()}.") from None
    if not isinstance(table, dict):
        raise StoreError(f"{file}: found no object; expected {_expected()}.")
    for host, login in table.items():
        if re.search(r"[:/@\s]", host):
            raise StoreError(
                f"{file}: a host has a scheme, a port or a path; expected its bare name, such as "
                "'conda.example.com' or '*.example.com'."
            )
        if not _is_login(login):
            raise StoreError(f"{file}: {host}: not a login; expected {_expected()}.")


def _is_login(login: Any) -> bool:
    if not isinstance(login, dict) or len(login) != 1:
        return False
    ((form, value),) = login.items()
    if form == "BasicHTTP":
        return (
            isinstance(value, dict)
            and set(value) == {"username", "password"}
            and all(isinstance(text, str) for text in value.values())
        )
    return form in _FORMS and isinstance(value, str) and bool(value)


def _expected() -> str:
    forms = ", ".join(f"{form} with {value}" for form, value in _FORMS.items())
    return f"for each host one of: {forms}"
