"""What one installation's workspaces are called and may be given; loaded from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from spawner.names import PROJECT_LABEL, object_name, service_name, volume_name
from spawner.settings import load_docker

_WORKSPACE = re.compile(r"[a-z0-9-]{1,128}")


@dataclass(frozen=True)
class Policy:
    """What the hub of one installation may ask of the engine.

    Attributes:
        project: the name of the compose project, with which all names begin.
        images: workspaces may be started from.
        subnets: the pool that workspaces' networks are cut from.
        gpus: device ids that workspaces may be given.
        user: workspaces run as.
    """

    project: str
    images: frozenset[str]
    subnets: IPv4Network
    gpus: frozenset[str] = frozenset()
    user: str = "1000:1000"

    @property
    def label(self) -> str:
        """The label of this installation, as the engine's filters write it."""
        return f"{PROJECT_LABEL}={self.project}"

    @property
    def homes(self) -> str:
        """The volume of all homes."""
        return volume_name(self.project, "homes")

    @property
    def store(self) -> str:
        """The volume of the store."""
        return volume_name(self.project, "store")

    @property
    def companions(self) -> frozenset[str]:
        """The containers of the compose project that join the networks of workspaces."""
        return frozenset(service_name(self.project, name) for name in ("hub", "proxy", "egress"))

    def find_home(self, name: str) -> str | None:
        """The home that goes with the container or network `name`; None: it is no workspace's.

        A user's named servers share a home: their names are the user's, `---` and the server's.
        """
        prefix = object_name(self.project, "")
        workspace = name.removeprefix(prefix)
        if workspace == name or not _WORKSPACE.fullmatch(workspace):
            return None
        # Without a home's name, the whole volume would be mounted.
        return workspace.partition("---")[0] or None

    def is_ours(self, name: object, labels: object) -> bool:
        """Whether a container or network of this name and these labels is a workspace's."""
        return (
            isinstance(name, str)
            and self.find_home(name) is not None
            and isinstance(labels, dict)
            and labels.get(PROJECT_LABEL) == self.project
        )


def load_policy(environ: Mapping[str, str]) -> Policy:
    """The policy that the environment names. Raises SettingsError naming what is wrong there."""
    site = load_docker(environ)
    return Policy(site.project, frozenset({site.image}), site.subnets, frozenset(site.gpus))
