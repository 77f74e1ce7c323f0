"""What the hub asks, parsed once, so that two readers cannot understand it differently. Pure.

What HTTP or JSON leave open (a key or parameter given twice, bytes after the end, a path encoded
twice, a change of protocol) is refused here. What is sent on is written anew from the parsed parts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from spawner.socket_proxy.shapes import RefusedError

LARGEST_BODY = 256 * 1024
"""Bytes of a body; a workspace's container takes about 5 KiB."""

OLDEST_VERSION = 45
"""The API 1.45, the first that can mount a part of a volume. An engine that knows none would ignore
that and mount the whole; asked in this version, it answers that the version is too new."""

_UNVERSIONED = frozenset({"/_ping", "/version"})
"""What a client asks before it knows which versions the engine speaks."""

_VERSIONED = re.compile(r"(?P<version>/v1\.(?P<minor>[0-9]{2}))(?P<path>/.*)")
_REFUSED_HEADERS = ("Upgrade", "Transfer-Encoding", "Content-Encoding", "Expect")


@dataclass(frozen=True)
class Request:
    """A call of the engine's API.

    Attributes:
        method: of HTTP.
        path: without the version, and not decoded.
        version: of the API, as paths begin with it; empty where it is not known yet.
        query: the parameters; `filters` is parsed.
        body: parsed; None: there is none.
    """

    method: str
    path: str
    version: str = f"/v1.{OLDEST_VERSION}"
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    def target(self, path: str) -> str:
        """Path and query with which this goes on to `path`, written anew."""
        parameters = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in self.query.items()
        }
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"{self.version}{path}{query}"

    def payload(self) -> bytes | None:
        """The body, written anew."""
        return None if self.body is None else json.dumps(self.body).encode()


def check_headers(headers: Mapping[str, str]) -> None:
    """Make sure that a body has a length that may be read, and that the call stays plain HTTP.

    Raises:
        RefusedError: it is not so.
    """
    for name in _REFUSED_HEADERS:
        if name in headers:
            raise RefusedError(f"the header {name} is not allowed")
    if "upgrade" in headers.get("Connection", "").lower():
        raise RefusedError("the header Connection asks for another protocol")
    length = headers.get("Content-Length", "0")
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > LARGEST_BODY:
        raise RefusedError(f"the body is {length[:20]} bytes long; it may be {LARGEST_BODY}")


def load_request(method: str, target: str, body: bytes = b"") -> Request:
    """Parse a call.

    Args:
        method: of HTTP.
        target: path and query as they came.
        body: as it came; that of a GET or HEAD is dropped.

    Raises:
        RefusedError: it may be read in more than one way, or not at all.
    """
    path, asked, query = target.partition("?")
    version = "" if path in _UNVERSIONED else f"/v1.{OLDEST_VERSION}"
    if versioned := _VERSIONED.fullmatch(path):
        path, version = versioned["path"], versioned["version"]
        if int(versioned["minor"]) < OLDEST_VERSION:
            raise RefusedError(
                f"the API's version is {version}; it must be /v1.{OLDEST_VERSION} or later"
            )
    has_body = body.strip() != b"" and method not in {"GET", "HEAD"}
    return Request(
        method,
        path,
        version,
        _load_query(query) if asked and query else {},
        _load_json(body, "the body") if has_body else None,
    )


def _load_query(query: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise RefusedError(f"the query cannot be read: {error}") from None
    parameters: dict[str, Any] = {}
    for key, value in pairs:
        if key in parameters:
            raise RefusedError(f"the query names {key!r} twice")
        parameters[key] = _load_json(value.encode(), "filters") if key == "filters" else value
    return parameters


def _load_json(text: bytes, what: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise RefusedError(f"{what} has the key {key!r} twice")
            found[key] = value
        return found

    def constant(name: str) -> None:
        raise RefusedError(f"{what} has {name}, which is no JSON")

    try:
        return json.loads(text.decode(), object_pairs_hook=once, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{what} is no JSON: {error}") from None
