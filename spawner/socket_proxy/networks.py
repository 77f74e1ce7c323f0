"""What a workspace's network may be, and who may join it. Pure."""

from ipaddress import IPv4Network
from typing import Any

from spawner.settings import SUBNET_PREFIX
from spawner.socket_proxy.labels import labels
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.shapes import (
    Check,
    RefusedError,
    among,
    any_text,
    empty,
    exactly,
    items,
    keys,
    optional,
    refuse,
    switch,
    text,
)

_ALIASES = items(text("[A-Za-z0-9][A-Za-z0-9.-]{0,62}", "a short host name"))

endpoint: Check = keys(
    {
        "Aliases": optional(_ALIASES),
        **dict.fromkeys(("IPAMConfig", "Links", "DriverOpts", "MacAddress"), empty),
    }
)
"""How a container is known in a network: by names only, its address is the engine's choice."""


def network(policy: Policy) -> Check:
    """The body that creates a workspace's network: a small one of its own, with no way out."""

    def check_name(found: Any, at: str) -> None:
        if not isinstance(found, str) or policy.find_home(found) is None:
            raise refuse(found, at, f"{policy.project}-workspace-<name>")

    return keys(
        {
            "Name": check_name,
            "Driver": exactly("bridge"),
            "Internal": exactly(True),
            # No address of the host in the network: what listens on the host is not there.
            "Options": exactly({"com.docker.network.bridge.inhibit_ipv4": "true"}),
            "IPAM": keys(
                {
                    "Driver": optional(exactly("", "default")),
                    "Config": _one_subnet(policy),
                    "Options": empty,
                }
            ),
            "Labels": labels(policy),
            "CheckDuplicate": switch,
            **dict.fromkeys(("Attachable", "Ingress", "EnableIPv6", "ConfigOnly"), empty),
            **dict.fromkeys(("ConfigFrom", "Scope"), empty),
        }
    )


def _one_subnet(policy: Policy) -> Check:
    subnet = keys(
        {
            "Subnet": any_text,
            "Gateway": optional(any_text),
            "IPRange": empty,
            "AuxiliaryAddresses": empty,
        }
    )

    def check(found: Any, at: str) -> None:
        if not isinstance(found, list) or len(found) != 1:
            raise refuse(found, at, "a list of one subnet")
        subnet(found[0], f"{at}[0]")
        written, gateway = found[0]["Subnet"], found[0].get("Gateway")
        try:
            parsed = IPv4Network(written)
        except ValueError as error:
            raise RefusedError(f"{at}[0].Subnet is no network: {error}") from None
        if (
            str(parsed) != written
            or parsed.prefixlen != SUBNET_PREFIX
            or not parsed.subnet_of(policy.subnets)
        ):
            raise refuse(written, f"{at}[0].Subnet", f"a /{SUBNET_PREFIX} within {policy.subnets}")
        if gateway and gateway not in map(str, parsed.hosts()):
            raise refuse(gateway, f"{at}[0].Gateway", f"an address in {written}")

    return check


def connection(policy: Policy) -> Check:
    """The body that joins a container of ours to a workspace's network."""
    return keys(
        {
            "Container": among(policy.companions, "a container that joins workspaces' networks"),
            "EndpointConfig": optional(endpoint),
        }
    )


def disconnection(policy: Policy) -> Check:
    """The body that takes a container of ours, or a workspace's own, out of its network."""
    companion = among(policy.companions, "a container that joins workspaces' networks")

    def check_container(found: Any, at: str) -> None:
        if not isinstance(found, str) or policy.find_home(found) is None:
            companion(found, at)

    return keys({"Container": check_container, "Force": switch})
