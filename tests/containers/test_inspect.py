"""`docker inspect` of a running workspace, whole: a wall cannot vanish unnoticed."""

import re
from ipaddress import IPv4Network
from typing import Any

import pytest

from tests.containers.stack import Stack
from tests.e2e.conftest import Started

pytestmark = pytest.mark.containers

GIB = 1024**3


def test_a_running_workspace_is_the_plan_and_nothing_more(stack: Stack, started: Started) -> None:
    client = started("alder-bank/credit-risk")
    name = f"{stack.project}-workspace-{client.user}"
    found = stack.engine.docker.api.inspect_container(name)
    home = f"/home/{client.user}"
    assert found.pop("Name") == f"/{name}"
    assert {key: value for key, value in found["HostConfig"].items() if value} == {
        "NetworkMode": name,
        "Mounts": [
            {
                "Type": "volume",
                "Source": f"{stack.project}_homes",
                "Target": home,
                "VolumeOptions": {"NoCopy": True, "Subpath": client.user},
            },
            {
                "Type": "volume",
                "Source": f"{stack.project}_store",
                "Target": "/opt/perijove/alder-bank/credit-risk",
                "ReadOnly": True,
                "VolumeOptions": {"NoCopy": True, "Subpath": "alder-bank/credit-risk"},
            },
            {
                "Type": "volume",
                "Source": f"{stack.project}_store",
                "Target": f"{home}/examples/alder-bank/credit-risk",
                "ReadOnly": True,
                "VolumeOptions": {"NoCopy": True, "Subpath": "alder-bank/credit-risk/examples"},
            },
        ],
        "Tmpfs": {
            "/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={GIB}",  # noqa: S108 - in the workspace
            "/run/perijove": "rw,noexec,nosuid,nodev,mode=0700,uid=1000,gid=1000,size=16777216",
            f"{home}/examples": "rw,noexec,nosuid,nodev,mode=0755,size=1048576",
        },
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 2 * GIB,
        "MemorySwap": 2 * GIB,
        "NanoCpus": 1_000_000_000,
        "PidsLimit": 4096,
        "ShmSize": GIB,
        "LogConfig": {"Type": "local", "Config": {"max-size": "10m", "max-file": "2"}},
        # Docker's own, for every container.
        "CgroupnsMode": found["HostConfig"]["CgroupnsMode"],
        "IpcMode": "private",
        "MaskedPaths": found["HostConfig"]["MaskedPaths"],
        "ReadonlyPaths": found["HostConfig"]["ReadonlyPaths"],
        "RestartPolicy": found["HostConfig"]["RestartPolicy"],
        "Runtime": "runc",
        "ConsoleSize": [0, 0],
    }
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= {*found["HostConfig"]["MaskedPaths"]}
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= {*found["HostConfig"]["ReadonlyPaths"]}


def test_what_a_user_asks_for_at_the_start_changes_nothing(stack: Stack, started: Started) -> None:
    client = started("alder-bank/credit-risk")
    client.stop()
    wishes = {"image": "perijove/hub:0.2.0", "volumes": {"/": "/host"}, "cmd": ["sleep", "9"]}
    answer = client.hub("POST", f"users/{client.user}/server", json=wishes)
    assert answer.status_code in (201, 202)
    stack.wait_until(client.is_running, "the workspace runs")
    found = stack.workspace(client.user).attrs
    assert found["Config"]["Image"] == stack.settings.get(
        "PERIJOVE_WORKSPACE_IMAGE", "perijove/workspace:0.2.0"
    )
    assert found["Config"]["Cmd"][0] == "/opt/server/bin/python"
    assert {mount["Type"] for mount in found["HostConfig"]["Mounts"]} == {"volume"}
    assert not found["HostConfig"]["Binds"]


def test_its_network_has_no_way_out_and_nobody_in_it_but_hub_and_proxy(
    stack: Stack, started: Started
) -> None:
    client = started("alder-bank/credit-risk")
    name = f"{stack.project}-workspace-{client.user}"
    found = stack.engine.docker.api.inspect_network(name)
    assert found["Internal"]
    assert not found["EnableIPv6"]
    assert found["Options"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    (config,) = found["IPAM"]["Config"]
    subnet = IPv4Network(config["Subnet"])
    assert subnet.prefixlen == 28
    assert subnet.subnet_of(IPv4Network(stack.settings["PERIJOVE_WORKSPACE_SUBNETS"]))
    joined = {container["Name"] for container in found["Containers"].values()}
    assert joined == {name, f"{stack.project}-hub-1", f"{stack.project}-proxy-1"}
    container = stack.engine.docker.api.inspect_container(name)
    assert [*container["NetworkSettings"]["Networks"]] == [name]
    assert container["NetworkSettings"]["Ports"] == {}


def test_what_it_is_told_holds_no_secret_but_its_own_token(stack: Stack, started: Started) -> None:
    client = started("alder-bank/credit-risk")
    name = f"{stack.project}-workspace-{client.user}"
    config: dict[str, Any] = stack.engine.docker.api.inspect_container(name)["Config"]
    assert config["User"] == "1000:1000"
    assert config["Labels"] == {
        "perijove.project": stack.project,
        "perijove.user": client.user,
        "perijove.server": "",
        "perijove.gpus": "",
    } | {key: value for key, value in config["Labels"].items() if not key.startswith("perijove.")}
    variables = dict(entry.split("=", 1) for entry in config["Env"])
    secret = {key for key in variables if re.search("TOKEN|SECRET|PASSWORD|KEY", key)}
    assert secret == {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"}
    secrets = {
        value
        for name, value in stack.settings.items()
        if name.endswith(("_TOKEN", "_PASSWORD")) and value
    }
    assert len(secrets) == 4
    assert not secrets & {*variables.values()}
