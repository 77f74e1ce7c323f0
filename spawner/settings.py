"""The settings of one installation; the only reader of environment variables for the hub.

Secrets and facts about the host come from the environment (all are listed in `.env.example`);
everything a site decides about its hub is a traitlet in `jupyterhub_config.py`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.store import MOUNT, Store

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where Perijove's own files stand."""


@dataclass(frozen=True)
class Settings:
    """Where things are and how they are reached.

    Attributes:
        home: everything that an installation keeps.
        projects: the client projects.
        store_mount: where workspaces see the store; the store's own path if there are no walls.
        public_url: how browsers reach the platform, ending in `/`.
        hub_port: the hub's own port on loopback.
        proxy_port: the port on loopback where the proxy takes requests from nginx.
        proxy_api_port: the port on loopback where the proxy takes routes from the hub.
        proxy_token: the secret between hub and proxy.
        service_token: the secret with which the `perijove` command asks the hub.
        bwrap: the bubblewrap program.
    """

    home: Path
    projects: Path
    store_mount: Path
    public_url: str
    hub_port: int
    proxy_port: int
    proxy_api_port: int
    proxy_token: str
    service_token: str
    bwrap: str = "bwrap"

    @property
    def store(self) -> Store:
        """The store of built environments."""
        return Store(self.home / "store", self.store_mount, self.bwrap)

    @property
    def homes(self) -> Path:
        """People's own files, a directory each."""
        return self.home / "homes"

    @property
    def state(self) -> Path:
        """What the processes keep between starts: the hub's database, secrets, certificates."""
        return self.home / "state"

    @property
    def logs(self) -> Path:
        """What the processes say."""
        return self.home / "logs"

    @property
    def accounts(self) -> Path:
        """The demonstration accounts."""
        return self.home / "accounts.json"

    @property
    def is_walled(self) -> bool:
        """Whether workspaces are walled off from each other."""
        return self.store_mount != self.home / "store"

    def to_environment(self) -> dict[str, str]:
        """The environment variables from which `load_settings` makes these settings again."""
        return {
            "PERIJOVE_HOME": str(self.home),
            "PERIJOVE_PROJECTS": str(self.projects),
            "PERIJOVE_STORE_MOUNT": str(self.store_mount),
            "PERIJOVE_PUBLIC_URL": self.public_url,
            "PERIJOVE_HUB_PORT": str(self.hub_port),
            "PERIJOVE_PROXY_PORT": str(self.proxy_port),
            "PERIJOVE_PROXY_API_PORT": str(self.proxy_api_port),
            "CONFIGPROXY_AUTH_TOKEN": self.proxy_token,
            "PERIJOVE_SERVICE_TOKEN": self.service_token,
            "PERIJOVE_BWRAP": self.bwrap,
        }


class SettingsError(Exception):
    """An environment variable is missing or wrong; the text names it."""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises SettingsError naming the one that is wrong."""
    return Settings(
        home=Path(_get(environ, "PERIJOVE_HOME")),
        projects=Path(environ.get("PERIJOVE_PROJECTS", CHECKOUT / "projects")),
        store_mount=Path(environ.get("PERIJOVE_STORE_MOUNT", MOUNT)),
        public_url=_get(environ, "PERIJOVE_PUBLIC_URL"),
        hub_port=_port(environ, "PERIJOVE_HUB_PORT"),
        proxy_port=_port(environ, "PERIJOVE_PROXY_PORT"),
        proxy_api_port=_port(environ, "PERIJOVE_PROXY_API_PORT"),
        proxy_token=_get(environ, "CONFIGPROXY_AUTH_TOKEN"),
        service_token=_get(environ, "PERIJOVE_SERVICE_TOKEN"),
        bwrap=environ.get("PERIJOVE_BWRAP", "bwrap"),
    )


def server_directories() -> tuple[Path, ...]:
    """What a workspace must see to run the server: its Python and our `workspace` package."""
    return tuple(dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), CHECKOUT / "workspace")))


def _get(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise SettingsError(f"The environment variable {name} is not set; see .env.example.")
    return value


def _port(environ: Mapping[str, str], name: str) -> int:
    value = _get(environ, name)
    if not value.isdigit() or not 0 < int(value) < 65536:  # noqa: PLR2004 - the range of ports
        raise SettingsError(f"{name}: found '{value}', expected a port between 1 and 65535.")
    return int(value)
