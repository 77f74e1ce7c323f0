"""A workspace's network has no way out, and only the installation's own containers join it."""

import copy
from typing import Any

import pytest
from docker.types import IPAMConfig, IPAMPool

from spawner.container import plan_network, plan_peers, plan_subnet
from spawner.settings import DockerSettings
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import Request
from spawner.socket_proxy.rules import plan_call
from spawner.socket_proxy.shapes import RefusedError

NAME = "perijove-workspace-ana"


@pytest.fixture
def body(settings: DockerSettings) -> dict[str, Any]:
    """What docker-py makes of the plan."""
    subnet = plan_subnet(settings.subnets, [])
    assert subnet
    plan = plan_network(settings, "perijove-workspace-ana", subnet)
    return {
        "Name": plan["name"],
        "Driver": plan["driver"],
        "Options": plan["options"],
        "IPAM": plan["ipam"],
        "Labels": plan["labels"],
        "Internal": plan["internal"],
    }


def create(body: Any, policy: Policy) -> None:
    plan_call(Request("POST", "/networks/create", body=body), policy)


def subnet(address: str, **more: Any) -> dict[str, Any]:
    return dict(IPAMConfig(pool_configs=[IPAMPool(subnet=address) | more]))


def test_what_the_plan_asks_for_is_allowed(body: dict[str, Any], policy: Policy) -> None:
    create(body, policy)
    create(body | {"CheckDuplicate": True, "Attachable": False, "Scope": ""}, policy)
    create(body | {"IPAM": subnet("10.213.255.240/28", Gateway="10.213.255.241")}, policy)


OPENINGS: list[tuple[str, Any]] = [
    ("Name", "perijove_default"),
    ("Name", "perijove-workspace-"),
    ("Name", "bridge"),
    ("Name", None),
    ("Driver", "host"),
    ("Driver", "macvlan"),
    ("Driver", None),
    ("Internal", False),
    ("Internal", None),
    ("Internal", "true"),
    ("internal", False),
    ("Options", None),
    ("Options", {}),
    ("Options", {"com.docker.network.bridge.inhibit_ipv4": "false"}),
    (
        "Options",
        {
            "com.docker.network.bridge.inhibit_ipv4": "true",
            "com.docker.network.bridge.name": "eth0",
        },
    ),
    ("Labels", {}),
    ("Labels", {"perijove.project": "perijove2"}),
    ("Labels", {"perijove.project": "perijove", "com.docker.compose.network": "default"}),
    ("Attachable", True),
    ("Ingress", True),
    ("EnableIPv6", True),
    ("ConfigOnly", True),
    ("ConfigFrom", {"Network": "x"}),
    ("Scope", "swarm"),
    ("IPAM", None),
    ("IPAM", {"Driver": "dhcp", "Config": []}),
    ("IPAM", subnet("10.213.0.0/28") | {"Options": {"a": "b"}}),
    ("Config", {"Driver": "default", "Config": []}),
    ("Config", {"Driver": "default", "Config": subnet("10.213.0.0/28")["Config"] * 2}),
    ("Subnet", subnet("10.214.0.0/28")),
    ("Subnet", subnet("10.213.0.0/27")),
    ("Subnet", subnet("10.213.0.0/16")),
    ("Subnet", subnet("10.213.0.1/28")),
    ("Subnet", subnet("10.213.0.0/255.255.255.240")),
    ("Subnet", subnet("fd00::/64")),
    ("Subnet", subnet("")),
    ("Subnet", {"Config": [{}]}),
    ("Gateway", subnet("10.213.0.0/28", Gateway="10.213.0.17")),
    ("Gateway", subnet("10.213.0.0/28", Gateway="10.213.0.15")),
    ("IPRange", subnet("10.213.0.0/28", IPRange="10.213.0.0/30")),
    ("AuxiliaryAddresses", subnet("10.213.0.0/28", AuxiliaryAddresses={"host": "10.213.0.2"})),
]


@pytest.mark.parametrize(("field", "value"), OPENINGS, ids=[f"{p}={v}" for p, v in OPENINGS])
def test_what_would_open_a_network_is_refused_and_named(
    field: str, value: Any, body: dict[str, Any], policy: Policy
) -> None:
    whole = copy.deepcopy(body)
    whole[
        "IPAM"
        if field in {"Config", "Subnet", "Gateway", "IPRange", "AuxiliaryAddresses"}
        else field
    ] = value
    with pytest.raises(RefusedError, match=field):
        create(whole, policy)


def join(policy: Policy, body: Any, action: str = "connect") -> None:
    plan_call(Request("POST", f"/networks/{NAME}/{action}", body=body), policy)


def test_the_plans_peers_join_and_leave(settings: DockerSettings, policy: Policy) -> None:
    for peer, aliases in plan_peers(settings).items():
        join(policy, {"Container": peer, "EndpointConfig": {"Aliases": aliases}})
        join(policy, {"Container": peer, "EndpointConfig": {"IPAMConfig": {}}})
        join(policy, {"Container": peer, "EndpointConfig": None})
        join(policy, {"Container": peer, "Force": True}, "disconnect")
    join(policy, {"Container": NAME, "Force": True}, "disconnect")


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"Container": "perijove-database-1"},
        {"Container": NAME},
        {"Container": "4f5e6d7c8b9a"},
        {"Container": ["perijove-hub-1"]},
        {"Container": "perijove-hub-1", "container": "perijove-database-1"},
        {"Container": "perijove-hub-1", "EndpointConfig": {"Aliases": [""]}},
        {"Container": "perijove-hub-1", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "1"}}},
        {"Container": "perijove-hub-1", "EndpointConfig": {"Links": ["a:b"]}},
        {"Container": "perijove-hub-1", "EndpointConfig": {"DriverOpts": {"a": "b"}}},
        {"Container": "perijove-hub-1", "EndpointConfig": {"GwPriority": 1}},
        {"Container": "perijove-hub-1", "Force": True},
    ],
    ids=str,
)
def test_nobody_else_joins_in_no_other_way(body: Any, policy: Policy) -> None:
    with pytest.raises(RefusedError):
        join(policy, body)


@pytest.mark.parametrize("container", ["perijove-database-1", "4f5e6d7c8b9a", None, "x-hub-1"])
def test_nobody_else_is_taken_out(container: Any, policy: Policy) -> None:
    with pytest.raises(RefusedError, match="Container"):
        join(policy, {"Container": container, "Force": True}, "disconnect")


def test_force_is_yes_or_no(policy: Policy) -> None:
    with pytest.raises(RefusedError, match="Force"):
        join(policy, {"Container": NAME, "Force": "yes"}, "disconnect")
