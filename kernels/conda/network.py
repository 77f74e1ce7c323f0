"""How channels are asked: mirrors, logins, patience, and what their silence or refusal means.

Every request goes through one kind of client, whether it reads an index or fetches a package.
py-rattler's own mirrors are not used: it would send the login of the mirrored server to the mirror,
and a lock's addresses must be the channel's own. So the mirror is chosen here, once per process,
and stands in for the channel on the way only.
"""

import asyncio
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import rattler
from rattler.exceptions import AuthenticationStorageError, GatewayError
from rattler.networking import Client
from rattler.package_streaming import download_bytes

from kernels.channels import PLAIN, Channels, hide_secrets
from kernels.conda.specs import channel_url
from kernels.errors import LockError

_PROBE_SECONDS = 5
_INDEX_SECONDS = 120
_PACKAGE_SECONDS = 1800
_RETRIES = 3
_NO_LOGINS = Path(__file__).with_name("no-logins.json")
_OK, _REFUSED, _FAILS = (200, 206), (401, 403), 500


def is_answering(channel: str, channels: Channels = PLAIN) -> bool:
    """Whether a channel can be read from here. Asked once per process: an absent one costs time.

    Raises:
        LockError: it is the site's own, and refuses us.
    """
    return find_source(channel, channels) is not None


def is_own(channel: str, channels: Channels = PLAIN) -> bool:
    """Whether a channel is somebody's own: given by address or short name, or mirrored here."""
    return "/" in channels.address(channel) or _mirrors(channel, channels) != ()


def canonical(channel: str, channels: Channels) -> str:
    """The address that a lock knows a channel by, ending in `/`."""
    return channel_url(channels.address(channel))


def find_source(channel: str, channels: Channels) -> str | None:
    """The address to read a channel from: its own or a mirror's, ending in `/`; None if silent."""
    addresses = _mirrors(channel, channels) or (canonical(channel, channels),)
    failing = None
    for address in addresses:
        status = _probe(address, channels)
        if status in _OK:
            return address
        if status in _REFUSED and is_own(channel, channels):
            raise LockError(_refused(address, status, channels))
        if status >= _FAILS and failing is None:
            failing = address  # it is there, and may come to itself when it is asked again
    return failing


def make_client(channels: Channels, *, seconds: int = _PACKAGE_SECONDS) -> Client:
    """What asks servers, with the site's logins and the machine's certificates and proxies.

    It gives up on a request after `seconds`; after few of them it does not even ask twice.
    """
    probing = seconds <= _PROBE_SECONDS
    settings = "\n".join(
        (
            f"authentication-override-file = {json.dumps(str(channels.secrets or _NO_LOGINS))}",
            'tls-root-certs = "system"',
        )
    )
    try:
        return Client.from_config(
            rattler.Config.from_toml(settings),
            max_retries=0 if probing else _RETRIES,
            timeout=seconds,
            headers={"Range": "bytes=0-0"} if probing else None,
        )
    except AuthenticationStorageError:
        raise LockError(
            f"{channels.secrets}: the channels' logins cannot be read; see that it is the form "
            "of the page on private channels."
        ) from None


def make_gateway(channels: Channels) -> rattler.Gateway:
    """What reads channels' indexes, and keeps them for when there is no network."""
    action = "force-cache-only" if channels.offline else "cache-or-fetch"
    return rattler.Gateway(
        cache_dir=channels.cache,
        client=make_client(channels, seconds=_INDEX_SECONDS),
        default_config=rattler.SourceConfig(cache_action=action),  # type: ignore[arg-type]
    )


def explain_failure(error: Exception, channels: Channels) -> str:
    """What py-rattler says went wrong with a server, in a sentence without logins."""
    text = " ".join(str(error).split())
    address = next(iter(re.findall(r"https?://[^\s)']+", text)), "a channel")
    status = re.search(r"\((\d{3}) ", text)
    if status and int(status[1]) in _REFUSED:
        return _refused(address, int(status[1]), channels)
    if "no usable repodata cache" in text:
        return (
            f"{hide_secrets(address)} was never read here, and channels.toml says 'offline'; read "
            "it once with a network."
        )
    if "hash mismatch" in text:
        return (
            f"{hide_secrets(address)} is not the package that the channel's index speaks of (its "
            "sha256 differs); tell whoever keeps the channel."
        )
    if "error sending request" in text:
        reason = text.split("Caused by: ")[-1].rstrip(".")
        return f"{hide_secrets(address)} does not answer ({hide_secrets(reason)}); try again later."
    return hide_secrets(text).rstrip(".") + "."


def local_path(address: str) -> Path | None:
    """The path of a `file:` address, None for any other."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _mirrors(channel: str, channels: Channels) -> tuple[str, ...]:
    """The addresses that stand in for a channel: of its longest part that has mirrors."""
    own = canonical(channel, channels)
    mirrored = [(canonical(key, channels), value) for key, value in channels.mirrors.items()]
    found = [(key, addresses) for key, addresses in mirrored if own.startswith(key)]
    if not found:
        return ()
    key, addresses = max(found)
    rest = own.removeprefix(key)
    return tuple(channel_url(address) + rest for address in addresses)


@cache
def _probe(address: str, channels: Channels) -> int:
    """The HTTP status with which a channel's index begins, or what comes to the same; 0: silent."""
    directory = local_path(address)
    if directory is not None:
        return 200 if directory.is_dir() else 0
    if channels.offline:
        return _is_kept(address, channels)
    client = make_client(channels, seconds=_PROBE_SECONDS)
    status = 0
    for name in ("repodata.json.zst", "repodata.json"):
        try:
            asyncio.run(download_bytes(client, f"{address}noarch/{name}"))
        except RuntimeError as error:  # py-rattler has no better here
            found = re.search(r"\((\d{3}) ", str(error))
            status = int(found[1]) if found else 0
            if status != 404:  # noqa: PLR2004 - not in this form
                return status
        else:
            return 200
    return status


def _is_kept(address: str, channels: Channels) -> int:
    """Whether an index was read before: 200, or 0 if it was not."""
    try:
        asyncio.run(make_gateway(channels).names([rattler.Channel(address)], ["noarch"]))
    except GatewayError:
        return 0
    return 200


def _refused(address: str, status: int, channels: Channels) -> str:
    host = urlsplit(address).hostname
    where = (
        f"see what {channels.secrets} says for '{host}'"
        if channels.secrets
        else f"it wants a login for '{host}' in the installation's channel-secrets.json"
    )
    return f"The channel at {hide_secrets(address)} refuses us ({status}); {where}."
