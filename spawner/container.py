"""Translates a workspace's plan into what the Docker engine is asked for. Pure.

A container sees its image, read-only, the plan's mounts, and memory for what is thrown away. Mounts
are parts of named volumes, never paths of the host: no plan can name a file of the host, and a part
that does not exist is an error of the engine's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from docker.types import IPAMConfig, IPAMPool

from spawner.names import PROJECT_LABEL, object_name, service_name
from spawner.plan import Mount, Workspace
from spawner.settings import SUBNET_PREFIX, DockerSettings, Outside

UID = 1000
"""The user in every container that touches homes or the store: hub, builder and workspaces."""
PORT = 8888
"""Where a workspace's server listens, on its own network alone."""
RUNTIME_DIRECTORY = "/run/perijove"
"""Kernels' sockets stand here: in memory, and for the workspace's own user."""
HUB_URL = "http://hub:8081"
"""The hub as a workspace knows it, on its own network."""
EGRESS_PORT = 3128
GPUS_LABEL = "perijove.gpus"

_PIDS = 4096
_MIB = 1024**2


@dataclass(frozen=True)
class Volumes:
    """The named volumes of a compose project, and where the hub has them mounted."""

    store: tuple[str, Path]
    homes: tuple[str, Path]

    def find(self, path: Path) -> tuple[str, str]:
        """The volume that `path` is in, and the path in it. Raises ValueError outside of both."""
        for volume, root in (self.store, self.homes):
            if path.is_relative_to(root) and path != root:
                return volume, str(path.relative_to(root))
        raise ValueError(f"{path} is in no volume of this installation")


def plan_container(
    workspace: Workspace,
    *,
    site: DockerSettings,
    volumes: Volumes,
    environment: Mapping[str, str],
    command: Sequence[str],
    gpus: Sequence[str] = (),
) -> dict[str, Any]:
    """The body of Docker's `POST /containers/create` (API 1.45).

    Args:
        workspace: the plan.
        site: the installation.
        volumes: where the plan's mounts are.
        environment: variables the hub gives besides the plan's.
        command: what the container runs.
        gpus: the devices it has to itself.
    """
    name = object_name(site.project, workspace.name)
    memory = workspace.limits.memory
    labels = {**workspace.labels, PROJECT_LABEL: site.project, GPUS_LABEL: ",".join(gpus)}
    return {
        "Image": site.image,
        "Cmd": list(command),
        "User": f"{UID}:{UID}",
        "Hostname": "workspace",
        "WorkingDir": str(workspace.home),
        "Env": sorted(
            f"{key}={value}"
            for key, value in {
                **environment,
                **_outside_environment(site.outside),
                **workspace.environment,
                "JUPYTER_RUNTIME_DIR": RUNTIME_DIRECTORY,
                "XDG_RUNTIME_DIR": RUNTIME_DIRECTORY,
            }.items()
        ),
        "Labels": labels,
        "HostConfig": {
            "NetworkMode": name,
            "Mounts": [_mount(mount, volumes) for mount in workspace.mounts],
            "Tmpfs": {
                "/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={memory // 2}",  # noqa: S108 - the container's own
                RUNTIME_DIRECTORY: "rw,noexec,nosuid,nodev,mode=0700,"
                f"uid={UID},gid={UID},size={16 * _MIB}",
                # Holds the mount points of the examples; what is no mount takes no files either.
                str(workspace.examples): f"rw,noexec,nosuid,nodev,mode=0755,size={_MIB}",
            },
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": memory,
            "MemorySwap": memory,  # that is: no swap besides
            "NanoCpus": int(workspace.limits.cpu * 1e9),
            "PidsLimit": _PIDS,
            "ShmSize": memory // 2,
            "LogConfig": {"Type": "local", "Config": {"max-size": "10m", "max-file": "2"}},
            "DeviceRequests": _device_requests(gpus),
        },
    }


def plan_network(site: DockerSettings, name: str, subnet: IPv4Network) -> dict[str, Any]:
    """What docker-py's `create_network` is called with: a network for one workspace alone.

    `Internal` takes away the way out, `inhibit_ipv4` the host's own address on it: what is left to
    reach are the containers that are joined to it.
    """
    return {
        "name": name,
        "driver": "bridge",
        "internal": True,
        "options": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "ipam": IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))]),
        "labels": {PROJECT_LABEL: site.project},
    }


def plan_peers(site: DockerSettings) -> dict[str, list[str]]:
    """Who is joined to every workspace's network, with the names the workspace knows them by."""
    peers = {service_name(site.project, "hub"): ["hub"], service_name(site.project, "proxy"): []}
    if site.outside is not Outside.NONE:
        peers[service_name(site.project, "egress")] = ["egress"]
    return peers


def plan_subnet(pool: IPv4Network, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The first subnet of `pool` that is not taken; None if all are."""
    used = set(taken)
    every = pool.subnets(new_prefix=SUBNET_PREFIX)
    return next((subnet for subnet in every if subnet not in used), None)


def plan_gpus(count: int, devices: Iterable[str], taken: Iterable[str]) -> tuple[str, ...] | None:
    """`count` devices that nobody has; None if there are not so many."""
    used = set(taken)
    free = [device for device in devices if device not in used]
    return tuple(free[:count]) if len(free) >= count else None


def _mount(mount: Mount, volumes: Volumes) -> dict[str, Any]:
    volume, path = volumes.find(mount.source)
    return {
        "Type": "volume",
        "Source": volume,
        "Target": str(mount.target),
        "ReadOnly": mount.read_only,
        "VolumeOptions": {"NoCopy": True, "Subpath": path},
    }


def _device_requests(gpus: Sequence[str]) -> list[dict[str, Any]]:
    """Devices with a kind (`nvidia.com/gpu=0`) are CDI's; others go to the NVIDIA runtime."""
    if not gpus:
        return []
    if all("=" in gpu for gpu in gpus):
        return [{"Driver": "cdi", "DeviceIDs": list(gpus)}]
    return [{"Driver": "nvidia", "DeviceIDs": list(gpus), "Capabilities": [["gpu"]]}]


def _outside_environment(outside: Outside) -> dict[str, str]:
    if outside is Outside.NONE:
        return {}
    proxy = f"http://egress:{EGRESS_PORT}"
    names = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": "hub,localhost,127.0.0.1"}
    return names | {name.lower(): value for name, value in names.items()}
