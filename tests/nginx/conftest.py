"""A real nginx, rendered from the template, in front of a tiny real upstream, on loopback."""

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from tornado import httpserver, ioloop, netutil, web, websocket

from embedded.certificates import ensure_certificate
from embedded.nginx import NginxSettings, plan_nginx_command, render_nginx


class Echo(web.RequestHandler):
    """Answers with the request's headers and the number of bytes it got."""

    def get(self) -> None:
        self.write({"headers": dict(self.request.headers), "bytes": len(self.request.body)})

    post = get


class Fail(web.RequestHandler):
    """Answers as the hub's proxy does while the hub is down."""

    def get(self) -> None:
        self.set_status(503)
        self.write("Service Unavailable")


class Stream(web.RequestHandler):
    """Sends its first chunk, then the last one only when told at /release."""

    async def get(self) -> None:
        self.write("first")
        await self.flush()
        await self.application.settings["released"].get()
        self.write("last")


class Release(web.RequestHandler):
    def get(self) -> None:
        self.application.settings["released"].put_nowait(None)


@web.stream_request_body
class Upload(web.RequestHandler):
    """Counts an upload as it comes; tells the first piece to the test."""

    def prepare(self) -> None:
        self.received = 0

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        self.application.settings["piece_arrived"].set()

    def put(self) -> None:
        self.write({"bytes": self.received})


class EchoSocket(websocket.WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return bool(origin)

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


@dataclass
class Upstream:
    """The pretended proxy of the hub, on a loopback port of its own."""

    port: int
    piece_arrived: threading.Event


@dataclass
class Site:
    """A running nginx; `get` and friends speak to its TLS port."""

    https_port: int
    http_port: int
    directory: Path
    trust: ssl.SSLContext
    upstream: Upstream
    process: subprocess.Popen[bytes]
    _connections: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def connect(self) -> HTTPSConnection:
        connection = HTTPSConnection("localhost", self.https_port, timeout=10, context=self.trust)
        self._connections.callback(connection.close)
        return connection

    def request(self, method: str, path: str, **options: object) -> tuple[HTTPResponse, bytes]:
        connection = self.connect()
        connection.request(method, path, **options)  # type: ignore[arg-type]
        response = connection.getresponse()
        return response, response.read()

    def get(self, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=named)

    def get_plain(self, port: int, path: str, host: str | None = None) -> HTTPResponse:
        connection = HTTPConnection("localhost", port, timeout=10)
        self._connections.callback(connection.close)
        connection.request("GET", path, headers={"Host": host} if host else {})
        return connection.getresponse()

    def log(self) -> list[dict[str, object]]:
        lines = (self.directory / "access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        self._connections.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    import asyncio  # noqa: PLC0415 - only this thread's loop needs it

    sockets = netutil.bind_sockets(0, "127.0.0.1")
    port = sockets[0].getsockname()[1]
    piece_arrived = threading.Event()
    stop: Callable[[], None]
    started = threading.Event()

    async def serve() -> None:
        nonlocal stop
        stopping = asyncio.Event()
        loop = ioloop.IOLoop.current()

        def stop() -> None:
            loop.add_callback(stopping.set)

        application = web.Application(
            [
                (r"/stream", Stream),
                (r"/release", Release),
                (r"/socket", EchoSocket),
                (r"/upload", Upload),
                (r"/(?:user|hub)/fail", Fail),
                (r"/.*", Echo),
            ],
            released=asyncio.Queue(),
            piece_arrived=piece_arrived,
        )
        server = httpserver.HTTPServer(application)
        server.add_sockets(sockets)
        started.set()
        await stopping.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    yield Upstream(port, piece_arrived)
    stop()
    thread.join(10)


@pytest.fixture(scope="session")
def nginx() -> Path:
    """The machine's own nginx; the one from PyPI has its test in tests/embedded."""
    found = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if not found:
        pytest.skip("no nginx on this machine")
    return Path(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def start_site(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Start an nginx; give `upstream_address=` to put something else, or nothing, behind it."""
    started: list[Site] = []

    def start(nginx: Path, *, upstream_address: str | None = None, **changes: object) -> Site:
        directory = tmp_path_factory.mktemp("nginx")
        certificate = ensure_certificate(directory, [])
        settings = NginxSettings(
            certificate=certificate.cert,
            key=certificate.key,
            upstream=upstream_address or f"127.0.0.1:{upstream.port}",
            https_port=free_port(),
            http_port=free_port(),
            upload_limit="2m",
            **changes,  # type: ignore[arg-type]
        )
        configuration = directory / "nginx.conf"
        configuration.write_text(render_nginx(settings))
        errors = directory / "error.log"
        with errors.open("wb") as log:
            process = subprocess.Popen(
                plan_nginx_command(nginx, directory, configuration), stderr=log
            )
        trust = ssl.create_default_context(cafile=str(certificate.cert))
        ports = settings.https_port, settings.http_port
        site = Site(*ports, directory, trust, upstream, process)
        started.append(site)
        for port in ports:
            wait_for(port, process, errors)
        return site

    yield start
    for site in started:
        site.stop()


def wait_for(port: int, process: subprocess.Popen[bytes], errors: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    pytest.fail(f"nginx does not listen on port {port}:\n{errors.read_text()}")


@pytest.fixture(scope="session")
def site(start_site: Callable[..., Site], nginx: Path) -> Site:
    return start_site(nginx)
