"""GPUs by the engine's device interface, CDI: stand-ins for devices, but the real way."""

import json
from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack
from tests.e2e.client import Client
from tests.e2e.conftest import Started

pytestmark = pytest.mark.containers

FACTORY, PROJECT = "norrland-works", "norrland-works/machine-health"
DEVICES = ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]


@pytest.fixture(name="gpus")
def _gpus(stack: Stack) -> Iterator[Stack]:
    """Two devices, of which each workspace of a project needs one."""
    directory = stack.engine.directory
    if directory is None:
        pytest.skip("this engine's CDI specifications are not ours to write")
    specification = {
        "cdiVersion": "0.6.0",
        "kind": "nvidia.com/gpu",
        "devices": [
            {
                "name": name,
                "containerEdits": {
                    "env": [f"TEST_GPU={name}"],
                    "deviceNodes": [{"path": f"/dev/test-gpu{name}", "hostPath": "/dev/null"}],
                },
            }
            for name in "01"
        ],
    }
    (directory / "cdi").mkdir(exist_ok=True)
    file = directory / "cdi/perijove-test.json"
    file.write_text(json.dumps(specification))
    project = stack.directory / "projects" / PROJECT / "project.toml"
    before = project.read_text()
    project.write_text(before.replace("[limits]\n", "[limits]\ngpus = 1\n"))
    stack.configure(PERIJOVE_GPUS=",".join(DEVICES))
    stack.compose("up", "-d", "hub", "socket-proxy")
    stack.wait_until_healthy("hub", "socket-proxy")
    yield stack
    project.write_text(before)
    stack.configure(PERIJOVE_GPUS="")
    stack.compose("up", "-d", "hub", "socket-proxy")
    stack.wait_until_healthy("hub", "socket-proxy")
    file.unlink()


def test_an_exclusive_device_is_given_to_one_workspace_and_the_next_is_told(
    gpus: Stack, started: Started
) -> None:
    first, second = started(FACTORY), started(PROJECT)
    assert {seen(first), seen(second)} == {
        "TEST_GPU=0 /dev/test-gpu0",
        "TEST_GPU=1 /dev/test-gpu1",
    }
    requests = [
        gpus.workspace(client.user).attrs["HostConfig"]["DeviceRequests"]
        for client in (first, second)
    ]
    assert [request["Driver"] for (request,) in requests] == ["cdi", "cdi"]
    assert sorted(request["DeviceIDs"][0] for (request,) in requests) == DEVICES

    third = gpus.client(gpus.account("alder-bank", FACTORY))
    refused = third.hub("POST", f"users/{third.user}/server")
    assert refused.status_code == 400
    assert "need 1 GPU, and of the 2 here not so many are free" in refused.text
    assert first.user not in refused.text
    first.stop()
    third.start()
    assert seen(third).startswith("TEST_GPU=")
    assert seen(third) != seen(second)
    third.stop()


def test_who_needs_no_gpu_sees_none(gpus: Stack, started: Started) -> None:
    assert seen(started("alder-bank/credit-risk")) == ""
    assert gpus.settings["PERIJOVE_GPUS"]


def seen(client: Client) -> str:
    return " ".join(client.terminal("env | grep ^TEST_GPU; ls /dev/test-gpu* 2>/dev/null").split())
