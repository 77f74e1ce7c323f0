"""What a workspace's container may be: the walls, key by key. Pure."""

from typing import Any

from spawner.socket_proxy.labels import labels
from spawner.socket_proxy.mounts import TMPFS, mounts
from spawner.socket_proxy.networks import endpoint
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
    mapping,
    number,
    optional,
    switch,
    text,
)

_PORT = text("[0-9]{1,5}(/(tcp|udp))?", "a port")
_TEXTS = items(any_text)


def container(name: str, home: str, policy: Policy) -> Check:
    """The body that creates the container `name`, whose files are in `home`."""
    return keys(
        {
            "Image": among(policy.images, "a workspace's image"),
            "User": exactly(policy.user),
            "Env": optional(items(_variable)),
            "Cmd": optional(_TEXTS),
            "WorkingDir": optional(any_text),
            "Labels": labels(policy),
            "Hostname": optional(text("[A-Za-z0-9.-]{0,63}", "a short host name")),
            "ExposedPorts": optional(mapping(_PORT, empty)),
            "StopSignal": optional(text("[A-Z0-9+-]{1,16}", "the name of a signal")),
            "StopTimeout": optional(number(0)),
            "AttachStdout": switch,
            "AttachStderr": switch,
            "HostConfig": _host_config(name, home, policy),
            "NetworkingConfig": optional(
                keys({"EndpointsConfig": optional(keys({name: optional(endpoint)}))})
            ),
            # What is sent without need: harmless while it is empty.
            **dict.fromkeys(("AttachStdin", "OpenStdin", "StdinOnce", "Tty"), empty),
            **dict.fromkeys(("Domainname", "Entrypoint", "Healthcheck", "MacAddress"), empty),
            **dict.fromkeys(("NetworkDisabled", "OnBuild", "Shell", "Volumes"), empty),
        }
    )


def _host_config(name: str, home: str, policy: Policy) -> Check:
    walls = keys(
        {
            "CapDrop": exactly(["ALL"]),
            "SecurityOpt": exactly(["no-new-privileges"], ["no-new-privileges:true"]),
            "ReadonlyRootfs": exactly(True),
            "NetworkMode": exactly(name),
            "Mounts": optional(mounts(home, policy)),
            "Tmpfs": optional(TMPFS),
            "Memory": number(1),
            "MemorySwap": number(1),
            "PidsLimit": number(1),
            "DeviceRequests": optional(items(_device_request(policy))),
            "IpcMode": optional(exactly("", "private")),
            "CgroupnsMode": optional(exactly("", "private")),
            "RestartPolicy": optional(
                keys({"Name": optional(exactly("", "no")), "MaximumRetryCount": empty})
            ),
            "LogConfig": optional(_LOG),
            "AutoRemove": switch,
            "Init": switch,
            **dict.fromkeys(
                ("NanoCpus", "CpuShares", "CpuQuota", "CpuPeriod", "MemoryReservation"),
                optional(number(0)),
            ),
            **dict.fromkeys(("ShmSize", "OomScoreAdj"), optional(number(0))),
            # What is sent without need. Keys whose empty value opens something are not among
            # them: an empty list of MaskedPaths shows the host's kernel.
            **dict.fromkeys(("Binds", "CapAdd", "Devices", "DeviceCgroupRules"), empty),
            **dict.fromkeys(("Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd"), empty),
            **dict.fromkeys(("Links", "OomKillDisable", "PortBindings", "Privileged"), empty),
            **dict.fromkeys(("PublishAllPorts", "Sysctls", "Ulimits", "VolumesFrom"), empty),
            **dict.fromkeys(
                ("PidMode", "UTSMode", "UsernsMode", "Runtime", "CgroupParent", "VolumeDriver"),
                optional(exactly("")),
            ),
        }
    )

    def check(found: Any, at: str) -> None:
        walls(found, at)
        exactly(found["Memory"])(found["MemorySwap"], f"{at}.MemorySwap")

    return check


_LOG = keys(
    {
        "Type": exactly("local", "json-file"),
        "Config": optional(
            keys(dict.fromkeys(("max-size", "max-file", "compress"), optional(any_text)))
        ),
    }
)


def _device_request(policy: Policy) -> Check:
    device_ids = items(among(policy.gpus, "a GPU of this installation"))

    def check_ids(found: Any, at: str) -> None:
        if not found:
            raise RefusedError(f"{at} is empty, which means all GPUs; it must name them")
        device_ids(found, at)

    return keys(
        {
            "Driver": exactly("nvidia", "cdi"),
            "DeviceIDs": check_ids,
            "Count": empty,
            "Capabilities": optional(exactly([], [["gpu"]])),
            "Options": empty,
        }
    )


def _variable(found: Any, at: str) -> None:
    """A variable of the environment; its value may be a secret and is never shown.

    NVIDIA's runtime takes orders from the environment (`NVIDIA_VISIBLE_DEVICES=all`), and its
    hooks, which are root on the host, have loaded what `LD_PRELOAD` names (CVE-2025-23266).
    """
    any_text(found, at)
    name = found.partition("=")[0]
    if name.startswith("LD_") or (
        name.startswith("NVIDIA_") and name != "NVIDIA_DRIVER_CAPABILITIES"
    ):
        raise RefusedError(
            f"{at} sets {name}, which acts on the GPU runtime outside of the container"
        )
