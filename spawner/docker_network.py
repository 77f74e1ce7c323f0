"""A workspace's own network: made, joined by hub, proxy and egress, and taken down again."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network
from typing import Any, ClassVar

from docker.errors import APIError, NotFound
from jupyterhub.spawner import SpawnException

from spawner.container import plan_network, plan_peers, plan_subnet
from spawner.names import PROJECT_LABEL
from spawner.settings import DockerSettings


class WorkspaceNetwork:
    """The network that belongs to one workspace.

    Args:
        name: of the network, and of the workspace's container.
        site: the installation.
        docker: calls a method of Docker's API in a thread of its own.
    """

    # Choosing what nobody has yet, and taking it, is one step.
    _choosing: ClassVar[asyncio.Lock] = asyncio.Lock()
    # Subnets of the pool that something else on this host uses.
    _foreign: ClassVar[set[IPv4Network]] = set()

    def __init__(
        self, name: str, site: DockerSettings, docker: Callable[..., Awaitable[Any]]
    ) -> None:
        self._name, self._site, self._docker = name, site, docker

    async def create(self) -> None:
        """Makes it, in the first subnet that is free."""
        async with self._choosing:
            while True:
                subnet = plan_subnet(self._site.subnets, [*await self._taken(), *self._foreign])
                if subnet is None:
                    raise SpawnException(
                        f"All networks in {self._site.subnets} are taken; an admin can give more "
                        "with PERIJOVE_WORKSPACE_SUBNETS.",
                        reason="subnets",
                    )
                try:
                    await self._docker(
                        "create_network", **plan_network(self._site, self._name, subnet)
                    )
                except APIError as error:
                    if "overlaps" not in str(error):
                        raise
                    self._foreign.add(subnet)
                else:
                    return

    async def join_peers(self) -> None:
        """Joins hub, proxy and egress, where they are not: they may have been replaced."""
        joined = await self._joined()
        await asyncio.gather(
            *(
                self._docker("connect_container_to_network", peer, self._name, aliases=aliases)
                for peer, aliases in plan_peers(self._site).items()
                if peer not in joined
            )
        )

    async def remove(self) -> None:
        """Takes it down, if it is there."""
        try:
            for container in await self._joined():
                await self._docker(
                    "disconnect_container_from_network", container, self._name, force=True
                )
            await self._docker("remove_network", self._name)
        except NotFound:
            return

    async def _joined(self) -> set[str]:
        network = await self._docker("inspect_network", self._name)
        return {container["Name"] for container in network["Containers"].values()}

    async def _taken(self) -> list[IPv4Network]:
        label = f"{PROJECT_LABEL}={self._site.project}"
        return [
            IPv4Network(config["Subnet"])
            for network in await self._docker("networks", filters={"label": label})
            for config in network["IPAM"]["Config"]
        ]
