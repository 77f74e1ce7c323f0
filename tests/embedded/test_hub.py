"""Is the login page there? Asked of a real TLS server."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.certificates import Certificate, ensure_certificate
from embedded.hub import is_login_answering


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Certificate:
    return ensure_certificate(tmp_path / "served", ["hub.example.com"])


@pytest.fixture(name="port")
def _port(served: Certificate, tmp_path: Path) -> Iterator[int]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/hub/login" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served.cert, served.key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_login_is_there_whoever_signed_the_certificate(
    served: Certificate, port: int, tmp_path: Path
) -> None:
    """A site's own certificate comes with its chain behind it, and no root."""
    other = ensure_certificate(tmp_path / "other", ["ca.example.com"])
    chain = tmp_path / "chain.pem"
    chain.write_text(served.cert.read_text() + other.cert.read_text())
    assert is_login_answering("127.0.0.1", port, served.cert)
    assert is_login_answering("127.0.0.1", port, chain)


def test_another_server_on_the_port_is_not_ours(port: int, tmp_path: Path) -> None:
    other = ensure_certificate(tmp_path / "other", ["hub.example.com"])
    assert not is_login_answering("127.0.0.1", port, other.cert)


def test_nobody_on_the_port_is_no_login(tmp_path: Path, served: Certificate) -> None:
    assert not is_login_answering("127.0.0.1", 9, served.cert)
