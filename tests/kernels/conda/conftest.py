"""A real HTTP server on the loopback that serves a channel, and misbehaves as it is told."""

import functools
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from kernels.conda import network


@dataclass
class Served:
    """A running server: what it demands, and what it was asked."""

    server: http.server.ThreadingHTTPServer
    scheme: str = "http"
    authorization: str | None = None
    token: str | None = None
    refuses_with: int = HTTPStatus.UNAUTHORIZED
    fails: int = 0
    fails_with: int = HTTPStatus.SERVICE_UNAVAILABLE
    moved_to: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}/"

    @property
    def packages_asked(self) -> list[str]:
        return [path for path, _ in self.asked if path.endswith(".conda")]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    served: Served

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has heard enough is no error."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: Any) -> None:
        """Tests look at `asked`."""

    def do_HEAD(self) -> None:
        if self._is_let_in():
            super().do_HEAD()

    def do_GET(self) -> None:
        if self._is_let_in():
            super().do_GET()

    def _is_let_in(self) -> bool:
        assert isinstance(self.server, _Server)
        told = self.server.served
        told.asked.append((self.path, self.headers.get("Authorization")))
        if told.token is not None:
            start = f"/t/{told.token}/"
            if not self.path.startswith(start):
                self.send_error(told.refuses_with)
                return False
            self.path = "/" + self.path.removeprefix(start)
        if told.authorization not in {None, self.headers.get("Authorization")}:
            self.send_error(told.refuses_with)
            return False
        if told.fails > 0:
            told.fails -= 1
            self.send_error(told.fails_with)
            return False
        if told.moved_to is not None:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", told.moved_to + self.path.removeprefix("/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        return True


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of a directory; the keywords are fields of `Served`."""
    running: list[Served] = []

    def start(directory: Path, *, certificate: Path | None = None, **told: Any) -> Served:
        handler = functools.partial(_Handler, directory=str(directory))
        server = _Server(("127.0.0.1", 0), handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        server.served = Served(server, scheme, **told)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server.served)
        return server.served

    yield start
    for served in running:
        with suppress(OSError):
            served.close()


@pytest.fixture(autouse=True)
def _nothing_is_known_yet() -> None:
    """Whether a channel answers is asked once per process; here, once per test."""
    network._probe.cache_clear()
