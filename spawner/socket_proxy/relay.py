"""From the hub's socket to the engine's: what may pass is written anew, and its answer comes back.

One connection pool to the engine, kept alive. Nothing of a refused call reaches the engine.
"""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from spawner.socket_proxy.calls import Call, Reference, find_id
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import check_headers, load_request
from spawner.socket_proxy.rules import plan_call
from spawner.socket_proxy.shapes import RefusedError

log = logging.getLogger(__name__)

_PASSED_BACK = ("Content-Type", "Api-Version", "Docker-Experimental", "Ostype")
_OF_AIOHTTP = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_LONGEST = 500


class _NoEngineError(Exception):
    """The engine cannot be reached, or hung up; the text says how."""


def connect_engine(socket: Path) -> aiohttp.ClientSession:
    """The connections to the engine, by which its answers come unchanged, whenever they come."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(str(socket)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_OF_AIOHTTP,
    )


@asynccontextmanager
async def listening(policy: Policy, engine: Path, listen: Path) -> AsyncIterator[None]:
    """Relays calls at the socket `listen` to the socket `engine` until it is left."""
    async with connect_engine(engine) as session:
        relay = Relay(policy, session)
        server = web.Server(relay.answer, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=2)
        await runner.setup()
        try:
            # A socket that an earlier process left there is replaced.
            await web.UnixSite(runner, listen).start()
            _open_to_all(listen)
            yield
        finally:
            await runner.cleanup()


class Relay:
    """Answers the hub's calls with the engine's answers, or with a refusal.

    Args:
        policy: what is allowed.
        engine: the connections to the engine.
    """

    def __init__(self, policy: Policy, engine: aiohttp.ClientSession) -> None:
        self.policy = policy
        self.engine = engine

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to one call."""
        call = f"{request.method} {request.raw_path}"
        try:
            check_headers(request.headers)
            body = await request.read()
            asked = load_request(request.method, request.raw_path, body)
            return await self._pass_on(plan_call(asked, self.policy), request)
        except RefusedError as refused:
            log.warning("refused %s: %s", _one_line(call), _one_line(str(refused)))
            return _message(403, f"the socket proxy refuses this call: {refused}")
        except _NoEngineError as error:
            log.error("no engine for %s: %s", _one_line(call), error)  # noqa: TRY400 - a line for people
            return _message(502, f"the Docker engine does not answer: {error}")

    async def _pass_on(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        found = ""
        if call.about is not None:
            told, answer = await self._ask_about(call.about)
            if told.ok:
                found = find_id(call.about, json.loads(answer), self.policy)
            if call.is_inspection or not told.ok:
                return web.Response(status=told.status, body=answer, headers=_back(told))
        method, payload = call.request.method, call.request.payload()
        async with await self._ask(method, call.target(found), payload) as reply:
            back = web.StreamResponse(status=reply.status, headers=_back(reply))
            back.content_length = reply.content_length
            await back.prepare(request)
            async for piece in reply.content.iter_any():
                await back.write(piece)
            await back.write_eof()
        return back

    async def _ask_about(self, about: Reference) -> tuple[aiohttp.ClientResponse, bytes]:
        async with await self._ask("GET", about.target) as told:
            try:
                return told, await told.read()
            except aiohttp.ClientError as error:
                raise _NoEngineError(str(error)) from None

    async def _ask(
        self, method: str, target: str, payload: bytes | None = None
    ) -> aiohttp.ClientResponse:
        headers = {"Host": "docker"} | ({"Content-Type": "application/json"} if payload else {})
        try:
            return await self.engine.request(
                method,
                URL(f"http://docker{target}", encoded=True),
                data=payload,
                headers=headers,
                allow_redirects=False,
            )
        except aiohttp.ClientError as error:
            raise _NoEngineError(str(error) or type(error).__name__) from None


def _back(reply: aiohttp.ClientResponse) -> Mapping[str, str]:
    return {name: reply.headers[name] for name in _PASSED_BACK if name in reply.headers}


def _open_to_all(listen: Path) -> None:
    listen.chmod(0o666)


def _message(status: int, text: str) -> web.Response:
    """A refusal as the engine would write it; the connection ends, whatever else is in it."""
    response = web.json_response({"message": text}, status=status)
    response.force_close()
    return response


def _one_line(text: str) -> str:
    """The text as one line of plain ASCII, whatever the hub wrote into it."""
    return text[:_LONGEST].encode("unicode_escape").decode()
