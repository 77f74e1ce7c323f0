"""What happens when a part of the platform dies: what a person would expect, in words."""

import time
from collections.abc import Callable
from typing import TypeVar

import psutil
import pytest
import requests

from tests.e2e.client import Client, Kernel
from tests.e2e.conftest import Started
from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e
T = TypeVar("T")


def test_a_killed_hub_costs_no_kernel_and_says_so_meanwhile(
    platform: Platform, started: Started
) -> None:
    client = started("alder-bank")
    kernel = client.start_kernel("alder-bank.credit-risk")
    kernel.run("import time; kept = 1")
    computing = kernel.begin("time.sleep(5); print('computed', kept)")
    platform.find("jupyterhub_config.py").kill()

    page = _until(lambda: _page(platform), lambda page: page.status_code == 503)
    assert "restart" in page.text.lower()
    assert "Retry-After" in page.headers
    assert kernel.finish(computing).text == "computed 1\n"

    _until(lambda: _page(platform), lambda page: page.status_code == 200)
    assert client.is_running()
    assert kernel.run("print(kept)").text == "1\n"
    assert "hub was ended by SIGKILL. Notebooks keep running" in platform.said
    client.stop()  # the new hub took the workspace over, and can end it
    assert not _workspace_processes(platform, client)


@pytest.mark.parametrize("name", ["configurable-http-proxy", "nginx"])
def test_a_killed_front_door_comes_back_with_every_route(
    platform: Platform, started: Started, name: str
) -> None:
    client = started("alder-bank")
    kernel = client.start_kernel("alder-bank.credit-risk")
    kernel.run("kept = 7")
    process = platform.find(name)
    process.kill()
    _until(process.is_running, lambda runs: not runs)
    _until(lambda: _try(client), lambda answer: answer is not None and answer.status_code == 200)
    again = Kernel(client, kernel.id)
    assert again.run("print(kept)").text == "7\n"


def test_a_killed_workspace_is_shown_as_stopped_and_starts_again_with_its_home(
    platform: Platform, started: Started
) -> None:
    client = started("alder-bank")
    client.terminal("echo kept > ~/file.txt")
    keeper = next(
        process for process in _workspace_processes(platform, client) if process.name() == "sh"
    )
    family = [keeper, *keeper.children(recursive=True)]
    keeper.kill()
    _until(client.servers, lambda servers: not servers)
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone
    client.start()
    assert client.terminal("cat ~/file.txt").strip() == "kept"


def test_losing_a_group_ends_the_workspace_and_the_next_one_shows_less(
    platform: Platform, started: Started
) -> None:
    client = started("alder-bank", "norrland-works")
    admin = platform.client(platform.admin)
    body = {"users": [client.user]}
    assert admin.hub("DELETE", "groups/norrland-works/users", json=body).status_code == 200
    try:
        _until(client.servers, lambda servers: not servers)
        client.start()
        assert {name for name in client.kernels() if name.startswith("norrland")} == set()
        assert "alder-bank.credit-risk" in client.kernels()
        assert client.terminal("ls /opt/perijove").split() == ["alder-bank"]
    finally:
        admin.hub("POST", "groups/norrland-works/users", json=body)


def _page(platform: Platform) -> requests.Response:
    return requests.get(
        f"{platform.url}/hub/login",
        verify=str(platform.certificate),
        headers={"Accept": "text/html"},
        timeout=30,
    )


def _try(client: Client) -> requests.Response | None:
    try:
        return client.server("GET", "api/status")
    except requests.ConnectionError:
        return None


def _workspace_processes(platform: Platform, client: Client) -> list[psutil.Process]:
    assert platform.process is not None
    home = f"{platform.home}/homes/{client.user}"
    children = psutil.Process(platform.process.pid).children(recursive=True)
    return [process for process in children if home in _command_line(process)]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it ended a moment ago
        return []


def _until(ask: Callable[[], T], is_so: Callable[[T], bool], seconds: float = 60) -> T:
    ends = time.monotonic() + seconds
    while True:
        answer = ask()
        if is_so(answer):
            return answer
        assert time.monotonic() < ends, f"still {answer!r} after {seconds} seconds"
        time.sleep(0.1)
