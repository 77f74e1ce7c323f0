"""What a real nginx does with the rendered template."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

A_PERSON = "text/html,application/xhtml+xml,*/*;q=0.8"
Site = Any  # tests/nginx/conftest.py; test modules cannot import it in importlib mode


@pytest.fixture(scope="module")
def site_without_upstream(start_site: Callable[..., Site], nginx: Path) -> Site:
    with socket.socket() as unused:  # bound but not listening: every connection is refused
        unused.bind(("127.0.0.1", 0))
        return start_site(nginx, upstream_address=f"127.0.0.1:{unused.getsockname()[1]}")


def test_plain_http_is_redirected_with_path_and_query(site: Site) -> None:
    response = site.get_plain(site.http_port, "/hub/login?next=%2Fhub%2F", host="localhost")
    assert response.status == 307
    assert response.headers["Location"] == (
        f"https://localhost:{site.https_port}/hub/login?next=%2Fhub%2F"
    )


def test_plain_http_on_the_tls_port_is_redirected_too(site: Site) -> None:
    response = site.get_plain(site.https_port, "/hub/home", host=f"localhost:{site.https_port}")
    assert response.status == 307
    assert response.headers["Location"] == f"https://localhost:{site.https_port}/hub/home"


def test_tls_1_1_is_refused_by_nginx(site: Site) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what we test
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", site.https_port), 10) as plain,
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
    ):
        old.wrap_socket(plain)


def test_tls_1_2_and_1_3_are_spoken(site: Site) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=site.directory / "perijove.crt")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", site.https_port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            assert tls.version() == version.name.replace("_", ".")


def test_the_upstream_learns_who_asked_and_how(site: Site) -> None:
    _, body = site.get("/hub/home")
    headers = json.loads(body)["headers"]
    host = f"localhost:{site.https_port}"
    expected = {
        "Host": host,
        "X-Real-Ip": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": host,
        "X-Forwarded-Port": str(site.https_port),
        "X-Scheme": "https",
    }
    assert expected.items() <= headers.items()
    assert "Connection" not in headers


def test_what_a_client_says_about_itself_is_replaced(site: Site) -> None:
    spoofed = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Real-IP": "6.6.6.6",
        "X-Scheme": "http",
        "Forwarded": "for=6.6.6.6;host=evil.example",
    }
    _, body = site.request("GET", "/hub/home", headers=spoofed)
    headers = json.loads(body)["headers"]
    assert "6.6.6.6" not in str(headers)
    assert "evil" not in str(headers)
    assert headers["X-Forwarded-Proto"] == headers["X-Scheme"] == "https"
    assert "Forwarded" not in headers


def test_answers_carry_the_security_headers_once_and_no_version(site: Site) -> None:
    response, _ = site.get("/user/alice/lab")
    assert response.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.get_all("Referrer-Policy") == ["same-origin"]
    for absent in ("Strict-Transport-Security", "Content-Security-Policy", "Retry-After"):
        assert absent not in response.headers
    redirect = site.get_plain(site.http_port, "/", host="localhost")
    assert redirect.headers["Server"] == "nginx"


def test_hsts_is_sent_for_a_public_name_but_never_for_localhost(
    start_site: Callable[..., Site], nginx: Path
) -> None:
    site = start_site(nginx, hsts="max-age=31536000; includeSubDomains")
    public, _ = site.get("/", Host="hub.example.com")
    assert public.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    for local in ("localhost", f"alice.localhost:{site.https_port}"):
        response, _ = site.get("/", Host=local)
        assert "Strict-Transport-Security" not in response.headers
    plain = site.get_plain(site.http_port, "/", host="hub.example.com")
    assert "Strict-Transport-Security" not in plain.headers


def test_a_websocket_passes_both_ways(site: Site) -> None:
    async def talk() -> list[str | bytes | None]:
        url = f"wss://localhost:{site.https_port}/socket"
        socket = await websocket_connect(HTTPRequest(url, ssl_options=site.trust))
        answers = []
        for message in ("hello", b"\x00\x01"):
            await socket.write_message(message, binary=isinstance(message, bytes))
            answers.append(await asyncio.wait_for(socket.read_message(), 10))
        socket.close()
        assert await asyncio.wait_for(socket.read_message(), 10) is None
        return answers

    assert asyncio.run(talk()) == ["hello", b"\x00\x01"]


def test_http_2_is_offered(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.directory / "perijove.crt")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", site.https_port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"


def test_http_2_requests_reach_the_upstream_with_their_host(site: Site) -> None:
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl on this machine")
    url = f"https://localhost:{site.https_port}/hub/home"
    certificate = site.directory / "perijove.crt"
    options = ["--silent", "--http2", "--max-time", "10", "--cacert", certificate]
    done = subprocess.run([curl, *options, url], capture_output=True, check=True)
    headers = json.loads(done.stdout)["headers"]
    assert headers["Host"] == f"localhost:{site.https_port}"


def test_a_stream_is_passed_on_before_it_ends(site: Site) -> None:
    streaming = site.connect()
    streaming.request("GET", "/stream")
    response = streaming.getresponse()
    assert response.read(5) == b"first"  # the upstream sends the rest only after /release
    site.get("/release")
    assert response.read() == b"last"


def test_an_upload_is_passed_on_before_it_ends(site: Site) -> None:
    site.upstream.piece_arrived.clear()
    connection = site.connect()
    connection.putrequest("PUT", "/upload")
    connection.putheader("Content-Length", "20000")
    connection.endheaders()
    connection.send(b"x" * 10_000)
    assert site.upstream.piece_arrived.wait(10)
    connection.send(b"x" * 10_000)
    assert json.loads(connection.getresponse().read()) == {"bytes": 20_000}


def test_an_upload_below_the_limit_passes(site: Site) -> None:
    response, body = site.request("PUT", "/upload", body=b"x" * 2_000_000)
    assert (response.status, json.loads(body)) == (200, {"bytes": 2_000_000})


def test_an_upload_over_the_limit_is_refused_in_words(site: Site) -> None:
    def offer(path: str, accept: str) -> tuple[int, str, str]:
        connection = site.connect()
        connection.putrequest("PUT", path)  # the size is enough to be refused: send no body
        connection.putheader("Content-Length", str(3 * 2**20))
        connection.putheader("Accept", accept)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()

    status, kind, text = offer("/user/alice/api/contents/big.ipynb", A_PERSON)
    assert (status, kind) == (413, "application/json")
    assert "larger than the site allows" in json.loads(text)["message"]
    status, kind, text = offer("/user/alice/files", A_PERSON)
    assert (status, kind) == (413, "text/html")
    assert "This upload is too large" in text


def test_sign_in_is_limited_in_words_and_nothing_else_is(
    start_site: Callable[..., Site], nginx: Path
) -> None:
    site = start_site(nginx)  # of its own: the limit remembers
    attempts = [site.request("POST", "/hub/login?next=x")[0].status for _ in range(25)]
    assert attempts[:21] == [200] * 21  # one, and a burst of 20
    assert attempts[-1] == 429
    response, body = site.request("POST", "/hub/signup", headers={"Accept": A_PERSON})
    assert response.status == 429
    assert response.headers["Retry-After"] == "10"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert b"Wait ten seconds" in body
    response, body = site.request("POST", "//hub/./login")
    assert (response.status, json.loads(body)["status"]) == (429, 429)
    assert site.get("/hub/login")[0].status == 200
    assert site.request("POST", "/hub/api/users")[0].status == 200
    assert site.request("POST", "/user/alice/hub/login")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/hub/home", "/hub/login", "/user/alice/lab"])
def test_without_the_proxy_people_read_a_page_that_retries(
    site_without_upstream: Site, path: str
) -> None:
    response, body = site_without_upstream.get(path, Accept=A_PERSON)
    assert response.status == 503
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers["Retry-After"] == "5"
    assert response.headers["Cache-Control"] == "no-store"
    assert b"The hub is restarting" in body
    assert b"Your notebooks keep running. This page retries by itself." in body
    assert b'<meta http-equiv="refresh" content="5">' in body


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/hub/api/users", {"Accept": A_PERSON}),
        ("/user/alice/api/kernels", {}),
        ("/user/alice/api/kernels/1/channels", {"Connection": "Upgrade", "Upgrade": "websocket"}),
        ("/hub/home", {}),
    ],
)
def test_without_the_proxy_programs_read_json(
    site_without_upstream: Site, path: str, headers: dict[str, str]
) -> None:
    response, body = site_without_upstream.get(path, **headers)
    assert response.status == 503
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Retry-After"] == "5"
    assert json.loads(body)["status"] == 503


def test_a_post_without_the_proxy_is_answered_in_words_too(site_without_upstream: Site) -> None:
    response, body = site_without_upstream.request(
        "POST", "/hub/login", body=b"username=alice", headers={"Accept": A_PERSON}
    )
    assert response.status == 503
    assert b"The hub is restarting" in body


def test_the_proxys_own_503_is_put_in_words_for_the_hub_but_not_for_workspaces(site: Site) -> None:
    response, body = site.get("/hub/fail", Accept=A_PERSON)
    assert response.status == 503
    assert b"The hub is restarting" in body
    response, body = site.get("/user/fail", Accept=A_PERSON)
    assert (response.status, body) == (503, b"Service Unavailable")


def test_our_pages_cannot_be_asked_for(site: Site) -> None:
    assert site.get("/.perijove/restarting.html")[0].status == 404


def test_the_access_log_is_json_without_queries(site: Site) -> None:
    site.get("/hub/oauth_callback?code=secret")
    entry = next(line for line in site.log() if line["path"] == "/hub/oauth_callback")
    assert (entry["method"], entry["status"], entry["address"]) == ("GET", 200, "127.0.0.1")
    assert "secret" not in str(site.log())
