"""What is refused never reaches the engine; what reaches it was written anew.

The engine is stood in for by a server that writes down what arrives: here the question is what the
relay sends. That a real engine understands it is tested in `tests/containers`.
"""

import asyncio
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from docker import APIClient
from docker.errors import APIError, NotFound

from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.relay import listening
from spawner.socket_proxy.request import LARGEST_BODY

NAME = "perijove-workspace-ana"
ID = "4f5e6d7c8b9a" * 5 + "4f5e"
FOREIGN = "0" * 64
LABELS = {"perijove.project": "perijove"}


@dataclass
class Recorder:
    """Stands in for the engine."""

    calls: list[tuple[str, str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    hung_up: threading.Event = field(default_factory=threading.Event)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.calls.append((request.method, request.raw_path, body))
        self.headers = dict(request.headers)
        kind, _, rest = request.path.removeprefix("/v1.45").lstrip("/").partition("/")
        if request.path == "/version":
            return web.json_response({"ApiVersion": "1.45"}, headers={"Api-Version": "1.45"})
        if rest == "perijove-workspace-cut/json":
            return await self._cut(request)
        if kind == "networks" and request.method == "GET" and rest:
            return web.json_response({"Name": NAME, "Id": ID, "Labels": LABELS})
        if rest in {f"{NAME}/json", f"{ID}/json"}:
            return web.json_response(
                {"Name": f"/{NAME}", "Id": ID, "Config": {"Labels": LABELS, "Tty": True}}
            )
        if rest == f"{FOREIGN}/json":
            return web.json_response({"Name": "/x", "Id": FOREIGN, "Config": {"Labels": {}}})
        if rest.endswith("/json") and request.query == {}:
            return web.json_response({"message": "No such container"}, status=404)
        if rest == f"{ID}/logs":
            return await self._logs(request)
        if rest == f"{ID}/wait":
            return await self._wait()
        if rest == f"{ID}/kill" and request.transport:
            request.transport.close()
        if rest == "create":
            return web.json_response({"Id": ID, "Warnings": []}, status=201)
        return web.Response(status=204)

    async def _cut(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = 100
        await answer.prepare(request)
        await answer.write(b"{")
        if request.transport:
            request.transport.close()
        return answer

    async def _logs(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Set-Cookie": "a=b", "X-Other": "c"})
        await answer.prepare(request)
        for line in range(3):
            await answer.write(f"line {line}\n".encode())
        return answer

    async def _wait(self) -> web.StreamResponse:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.hung_up.set()
            raise
        return web.json_response({"StatusCode": 0})


@dataclass
class Running:
    """A relay between two sockets."""

    engine: Recorder
    path: Path

    def client(self) -> APIClient:
        return APIClient(f"unix://{self.path}", version="1.45", timeout=20)

    def say(self, text: str | bytes) -> bytes:
        """The whole answer to bytes that no library would send."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.path))
            connection.sendall(text.encode() if isinstance(text, str) else text)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer


@pytest.fixture
def relay(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("relay")
    engine = Recorder()
    ready, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = web.Server(engine.answer, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=1)
        await runner.setup()
        await web.UnixSite(runner, folder / "engine").start()
        async with listening(policy, folder / "engine", folder / "hub"):
            ready.set()
            await end.wait()
        await runner.cleanup()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield Running(engine, folder / "hub")
    loop.call_soon_threadsafe(end.set)
    thread.join(20)
    loop.close()


@pytest.fixture
def hub(relay: Running) -> Iterator[APIClient]:
    client = relay.client()
    yield client
    client.close()


def test_a_client_finds_the_engines_version(relay: Running) -> None:
    client = APIClient(f"unix://{relay.path}", version="auto")
    assert client.api_version == "1.45"
    client.close()
    assert relay.engine.calls == [("GET", "/version", "")]


def test_a_body_is_written_anew(relay: Running, hub: APIClient, body: dict[str, Any]) -> None:
    assert hub.create_container_from_config(body, NAME)["Id"] == ID
    (method, target, arrived), *others = relay.engine.calls
    assert (method, target) == ("POST", f"/v1.45/containers/create?name={NAME}")
    assert json.loads(arrived) == body
    assert not others


def test_white_space_and_escapes_do_not_reach_the_engine(
    relay: Running, body: dict[str, Any]
) -> None:
    spaced = json.dumps(body, indent=4).replace('"Image"', '"\\u0049mage"')
    relay.say(
        f"POST /containers/create?name={NAME.replace('a', '%61')} HTTP/1.1\r\nHost: x\r\n"
        f"X-Other: y\r\nConnection: close\r\nContent-Length: {len(spaced)}\r\n\r\n{spaced}"
    )
    assert relay.engine.calls == [
        ("POST", f"/v1.45/containers/create?name={NAME}", json.dumps(body))
    ]
    assert set(relay.engine.headers) == {"Host", "Content-Type", "Content-Length"}


def test_a_call_goes_to_what_the_engine_found(relay: Running, hub: APIClient) -> None:
    hub.start(NAME)
    hub.remove_network(NAME)
    assert relay.engine.calls == [
        ("GET", f"/v1.45/containers/{NAME}/json", ""),
        ("POST", f"/v1.45/containers/{ID}/start", ""),
        ("GET", f"/v1.45/networks/{NAME}", ""),
        ("DELETE", f"/v1.45/networks/{ID}", ""),
    ]


def test_a_look_at_a_workspace_asks_the_engine_once(relay: Running, hub: APIClient) -> None:
    assert hub.inspect_container(NAME)["Id"] == ID
    assert hub.inspect_network(NAME)["Id"] == ID
    assert len(relay.engine.calls) == 2


def test_nothing_is_done_to_what_is_no_workspace(relay: Running, hub: APIClient) -> None:
    for act in (hub.inspect_container, hub.start, hub.stop, hub.kill, hub.remove_container):
        with pytest.raises(APIError, match=f"{FOREIGN} is no workspace of perijove"):
            act(FOREIGN)
    assert set(relay.engine.calls) == {("GET", f"/v1.45/containers/{FOREIGN}/json", "")}


def test_what_is_not_there_is_not_found(hub: APIClient) -> None:
    for act in (hub.inspect_container, hub.start, hub.stop):
        with pytest.raises(NotFound, match="No such container"):
            act("perijove-workspace-nobody")


def test_a_refusal_says_why_and_does_not_reach_the_engine(
    relay: Running, hub: APIClient, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    body["HostConfig"]["Privileged"] = True
    with pytest.raises(APIError) as refused:
        hub.create_container_from_config(body, NAME)
    assert refused.value.status_code == 403
    why = "HostConfig.Privileged is true; it must be empty"
    assert refused.value.explanation == f"the socket proxy refuses this call: {why}"
    assert not relay.engine.calls
    assert [record.getMessage() for record in caplog.records] == [
        f"refused POST /v1.45/containers/create?name={NAME}: {why}"
    ]


def test_a_refusal_is_one_line_whatever_the_hub_writes(
    relay: Running, hub: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(APIError):
        hub.create_container_from_config({"A\nINFO all is well\x1b[2J": "x" * 9000}, NAME)
    with pytest.raises(APIError):
        hub.create_container_from_config({"A" * 9000: 1}, NAME)
    for record in caplog.records:
        assert re.fullmatch("[ -~]{1,1200}", record.getMessage())


def test_logs_come_as_they_are_with_few_headers(relay: Running, hub: APIClient) -> None:
    assert hub.logs(NAME) == b"line 0\nline 1\nline 2\n"
    answer = relay.say(
        f"GET /containers/{NAME}/logs?stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert b"Set-Cookie" not in answer
    assert b"X-Other" not in answer


def test_who_hangs_up_is_not_waited_for(relay: Running) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(relay.path))
        connection.sendall(f"POST /containers/{ID}/wait HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while len(relay.engine.calls) < 2:
            threading.Event().wait(0.01)
    assert relay.engine.hung_up.wait(20)


def test_an_engine_that_hangs_up_is_told_to_the_hub(hub: APIClient) -> None:
    # Not as 500: DockerSpawner would take that for a container that is gone.
    for name in (NAME, "perijove-workspace-cut"):
        with pytest.raises(APIError, match="the Docker engine does not answer") as error:
            hub.kill(name)
        assert error.value.status_code == 502


def test_an_engine_that_is_not_there_is_told_to_the_hub(policy: Policy, tmp_path: Path) -> None:
    async def ask() -> bytes:
        async with listening(policy, tmp_path / "nothing", tmp_path / "hub"):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "hub"))
            writer.write(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"the Docker engine does not answer" in answer


START = f"POST /containers/{ID}/start HTTP/1.1\r\nHost: x\r\n"
EXEC = f"POST /containers/{ID}/exec HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "bytes_",
    [
        START + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        START
        + f"Transfer-Encoding: chunked\r\nContent-Length: {len(EXEC)}\r\n\r\n0\r\n\r\n"
        + EXEC,
        START + "Content-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        START + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde",
        START + "Content-Length: +5\r\n\r\nabcde",
        START + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + EXEC,
        START + "Connection: close, upgrade\r\n\r\n",
        START + f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n" + "x" * (LARGEST_BODY + 1),
        START + "Content-Length: 40\r\nContent-Encoding: gzip\r\n\r\n" + "x" * 40,
        START + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT docker:80 HTTP/1.1\r\nHost: x\r\n\r\n" + EXEC,
        "GET\x00/_ping HTTP/1.1\r\n\r\n",
        f"GET http://x/containers/{ID}/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=range(14),
)
def test_a_call_that_another_reader_would_read_otherwise_never_arrives(
    relay: Running, bytes_: str
) -> None:
    answer = relay.say(bytes_)
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer), answer[:200]
    assert len(re.findall(rb"^Server: ", answer, re.MULTILINE)) == 1
    assert not relay.engine.calls


def test_the_second_call_on_a_connection_is_checked_as_the_first(relay: Running) -> None:
    ping = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = relay.say(ping + EXEC + ping)
    assert [call[1] for call in relay.engine.calls] == ["/_ping"]
    assert answer.count(b"HTTP/1.1 403 ") == 1


def test_the_socket_is_open_to_whoever_sees_it(relay: Running) -> None:
    assert relay.path.stat().st_mode & 0o777 == 0o666


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "spawner.socket_proxy")
