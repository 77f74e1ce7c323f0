"""What a doctor says of Docker: asked by the real client, of a server that answers like it."""

import gc
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from operating.engine import (
    check_engine,
    check_images,
    check_networks,
    find_running_workspaces,
)
from operating.errors import OperatingError
from operating.hub import check_hub, find_obstacle
from spawner.settings import DockerSettings, Outside

SITE = DockerSettings("shop", "shop/workspace:1", IPv4Network("10.9.0.0/27"), Outside.NONE)
Answers = dict[str, Any]


@pytest.fixture(name="answers")
def _answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """What Docker answers, by path; anything else is not found."""
    answers: Answers = {"/version": {"Version": "26.1.5", "ApiVersion": "1.45"}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path).removeprefix("/v1.45").removeprefix("/v1.40")
            answer = answers.get(path)
            for name in parse_qs(parts.query).get("filters", ()):
                assert json.loads(name) == {"label": ["perijove.project=shop"]}
            body = json.dumps(answer if answer is not None else {"message": "no"}).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        yield answers
        server.shutdown()


@pytest.mark.usefixtures("answers")
def test_an_engine_that_is_new_enough() -> None:
    found = check_engine()
    assert (found.ok, found.text) == (True, "Docker 26.1.5, API 1.45")


def test_an_engine_that_is_too_old(answers: Answers) -> None:
    answers["/version"] = {"Version": "19.03", "ApiVersion": "1.40"}
    found = check_engine()
    assert (found.ok, "too old; install Docker 26" in found.text) == (False, True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-py leaves the socket open that it could not connect."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    with pytest.raises(OperatingError, match=r"\(No such file or directory\); 'docker compose up"):
        check_engine()
    assert find_running_workspaces(SITE) == []
    gc.collect()


def test_the_image_of_workspaces(answers: Answers) -> None:
    missing = check_images(SITE)
    assert (missing.ok, "shop/workspace:1 is missing; build it" in missing.text) == (False, True)
    answers["/images/shop/workspace:1/json"] = {"Created": "2026-01-31T12:00:00Z"}
    found = check_images(SITE)
    assert (found.ok, found.text) == (True, "shop/workspace:1, made on 2026-01-31")


@pytest.mark.parametrize(
    ("subnets", "ok", "said"),
    [
        ([], True, "0 of 2 networks for workspaces in 10.9.0.0/27 are taken"),
        (["10.9.0.16/28"], True, "1 of 2 networks"),
        (["10.9.0.16/28", "10.9.0.0/28"], False, "give more with PERIJOVE_WORKSPACE_SUBNETS"),
        (["10.8.0.0/28"], True, "and 1 outside of it"),
    ],
)
def test_the_networks_of_workspaces(
    answers: Answers, subnets: list[str], ok: bool, said: str
) -> None:
    answers["/networks"] = [{"IPAM": {"Config": [{"Subnet": subnet}]}} for subnet in subnets]
    found = check_networks(SITE)
    assert found.ok is ok
    assert said in found.text


def test_workspaces_that_run(answers: Answers) -> None:
    answers["/containers/json"] = [{"Names": ["/shop-workspace-anna"], "Id": "1"}]
    assert find_running_workspaces(SITE) == ["shop-workspace-anna"]


def test_the_hub(answers: Answers) -> None:
    hub = os.environ["DOCKER_HOST"].replace("tcp", "http") + "/hub/"
    refused = check_hub(hub, start="up")
    assert (refused.ok, "does not answer at " in refused.text) == (False, True)
    answers["/hub/health"] = {}
    assert find_obstacle(hub) is None
    assert check_hub(hub, start="up").ok
    assert check_hub(None, start="up").ok is None
    assert find_obstacle("http://127.0.0.1:9/hub/") == "[Errno 111] Connection refused"
