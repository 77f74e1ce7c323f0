"""The hub may die, be replaced, or lose the engine: kernels and files do not mind."""

import time

import pytest

from tests.containers.stack import Stack
from tests.e2e.client import Client
from tests.e2e.conftest import Started

pytestmark = pytest.mark.containers

_COMPUTE = "import time\nfor step in range(24): time.sleep(0.5)\nprint('computed', step)"
HOSPITAL, FACTORY = "lakeside-hospital", "norrland-works"


@pytest.fixture(name="computing")
def _computing(started: Started) -> dict[Client, tuple[object, str]]:
    """Two people whose kernels compute for twelve seconds."""
    computing = {}
    for group, name in ((HOSPITAL, "ct-imaging"), (FACTORY, "machine-health")):
        client = started(group)
        kernel = client.start_kernel(f"{group}.{name}")
        kernel.run("kept = 42")
        computing[client] = (kernel, kernel.begin(_COMPUTE))
    return computing


def check(stack: Stack, computing: dict[Client, tuple[object, str]]) -> None:
    """Results arrive, variables are there, and the admin page tells the truth."""
    for kernel, cell in computing.values():
        assert kernel.finish(cell).text == "computed 23\n"
        assert kernel.run("print(kept)").text == "42\n"
    admin = stack.client(stack.admin)
    expected = {client.user for client in computing}

    def is_told() -> bool:
        people = admin.hub("GET", "users?state=ready").json()
        return {person["name"] for person in people} == expected

    stack.wait_until(is_told, "the admin page has looked at every workspace")
    for client in computing:
        assert client.is_running()
        assert client.server("GET", "api/kernels").status_code == 200


def test_a_killed_hub_comes_back_and_no_kernel_has_noticed(
    stack: Stack, computing: dict[Client, tuple[object, str]]
) -> None:
    stack.kill("hub")
    stack.wait_until_healthy("hub")
    check(stack, computing)


def test_a_hub_that_starts_before_the_socket_proxy_waits_for_it(
    stack: Stack, computing: dict[Client, tuple[object, str]]
) -> None:
    stack.compose("stop", "socket-proxy")
    stack.kill("hub")
    time.sleep(5)  # it looks for its workspaces, and sees nothing
    stack.compose("start", "socket-proxy")
    stack.wait_until_healthy("hub", "socket-proxy")
    check(stack, computing)


def test_a_new_version_of_the_hub_drops_no_kernel(
    stack: Stack, computing: dict[Client, tuple[object, str]]
) -> None:
    """An upgrade as the docs tell it: another image, `docker compose up -d`."""
    image, before = stack.container("hub").image, stack.container("hub").attrs["Config"]["Image"]
    image.tag("perijove/hub", "next")
    old = stack.container("hub").id
    stack.configure(PERIJOVE_HUB_IMAGE="perijove/hub:next")
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    assert stack.container("hub").id != old
    check(stack, computing)
    client = next(iter(computing))
    client.stop()  # the new hub has joined the networks of the old one's workspaces
    client.start()
    stack.configure(PERIJOVE_HUB_IMAGE=before)
    stack.compose("up", "-d")
    stack.wait_until_healthy()


def test_a_replaced_proxy_has_its_routes_and_networks_again(stack: Stack, started: Started) -> None:
    client = started(FACTORY)
    kernel = client.start_kernel(f"{FACTORY}.machine-health")
    kernel.run("kept = 42")
    stack.compose("up", "-d", "--force-recreate", "--no-deps", "proxy")
    stack.wait_until_healthy("proxy")
    stack.wait_until(
        lambda: client.server("GET", "api/kernels").status_code == 200, "the proxy has its routes"
    )
    again = client.reconnect(kernel)
    assert again.run("print(kept)").text == "42\n"


def test_after_a_restart_of_the_engine_servers_are_shown_as_ended_and_start_again(
    stack: Stack, started: Started
) -> None:
    if stack.engine.directory is None:
        pytest.skip("this engine is not ours to restart; where none runs, the tests start one")
    client = started(FACTORY)
    client.terminal("echo mine > ~/kept.txt")
    stack.engine.restart()
    stack.wait_until_healthy()
    stack.wait_until(lambda: not client.servers(), "the hub knows that the workspace has ended")
    assert not [one for one in stack.workspaces() if one.name.endswith(f"-{client.user}")]
    client.start()
    assert client.terminal("cat ~/kept.txt").strip() == "mine"
