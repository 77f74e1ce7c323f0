"""The settings of one installation; the only reader of environment variables for the hub.

Secrets and facts about the host come from the environment (all are listed in `.env.example`);
everything a site decides about its hub is a traitlet in `jupyterhub_config.py`.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from kernels.store import MOUNT, Store

SUBNET_PREFIX = 28
"""Bits of a workspace's own subnet: fourteen addresses, of which it needs five."""

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where Perijove's own files stand."""


_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Outside(StrEnum):
    """What workspaces reach of the world, besides the hub."""

    OPEN = "open"
    """Every public address."""
    ALLOW_LIST = "allow-list"
    """The sites that the operator names."""
    NONE = "none"
    """Nothing."""


@dataclass(frozen=True)
class DockerSettings:
    """What the `docker` engine has to know of the compose project it belongs to.

    Attributes:
        project: the compose project's name, with which all names of ours begin.
        image: of workspaces; it is never pulled.
        subnets: the addresses workspaces are given, a /28 network each.
        outside: what workspaces reach of the world.
        gpus: devices workspaces may be given, as `nvidia.com/gpu=0` (CDI) or `0` (NVIDIA runtime).
    """

    project: str
    image: str
    subnets: IPv4Network
    outside: Outside
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Where things are and how they are reached.

    Attributes:
        home: everything that an installation keeps.
        projects: the client projects.
        store_mount: where workspaces see the store; the store's own path if there are no walls.
        public_url: how browsers reach the platform, ending in `/`.
        hub_url: where the hub listens.
        hub_connect_url: where the proxy reaches the hub.
        proxy_url: where the proxy takes requests from nginx.
        proxy_api_url: where the proxy takes routes from the hub.
        proxy_token: the secret between hub and proxy.
        service_token: the secret with which the `perijove` command asks the hub.
        database_url: the hub's database, as SQLAlchemy names it.
        bwrap: the bubblewrap program.
        admin_password: the first password of the account `admin`; empty if there is none.
        subdomains: whether every workspace has a host name, and so an origin, of its own.
        docker: workspaces are containers; None: they are local processes.
    """

    home: Path
    projects: Path
    store_mount: Path
    public_url: str
    hub_url: str
    hub_connect_url: str
    proxy_url: str
    proxy_api_url: str
    proxy_token: str
    service_token: str
    database_url: str = ""
    bwrap: str = "bwrap"
    admin_password: str = ""
    subdomains: bool = False
    docker: DockerSettings | None = None

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

    @property
    def subdomain_host(self) -> str:
        """The address below which every workspace has a host name of its own; empty: none has."""
        return self.public_url.rstrip("/") if self.subdomains else ""

    def to_environment(self) -> dict[str, str]:
        """The variables from which `load_settings` makes these settings again (without Docker)."""
        return {
            "PERIJOVE_HOME": str(self.home),
            "PERIJOVE_PROJECTS": str(self.projects),
            "PERIJOVE_STORE_MOUNT": str(self.store_mount),
            "PERIJOVE_PUBLIC_URL": self.public_url,
            "PERIJOVE_HUB_URL": self.hub_url,
            "PERIJOVE_HUB_CONNECT_URL": self.hub_connect_url,
            "PERIJOVE_PROXY_URL": self.proxy_url,
            "PERIJOVE_PROXY_API_URL": self.proxy_api_url,
            "CONFIGPROXY_AUTH_TOKEN": self.proxy_token,
            "PERIJOVE_SERVICE_TOKEN": self.service_token,
            "PERIJOVE_DATABASE_URL": self.database_url,
            "PERIJOVE_BWRAP": self.bwrap,
        }


class SettingsError(Exception):
    """An environment variable is missing or wrong; the text names it."""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises SettingsError naming the one that is wrong."""
    home = Path(_get(environ, "PERIJOVE_HOME"))
    hub_url = _url(environ, "PERIJOVE_HUB_URL")
    return Settings(
        home=home,
        projects=Path(environ.get("PERIJOVE_PROJECTS", CHECKOUT / "projects")),
        store_mount=Path(environ.get("PERIJOVE_STORE_MOUNT", MOUNT)),
        public_url=_url(environ, "PERIJOVE_PUBLIC_URL"),
        hub_url=hub_url,
        hub_connect_url=environ.get("PERIJOVE_HUB_CONNECT_URL") or hub_url,
        proxy_url=_url(environ, "PERIJOVE_PROXY_URL"),
        proxy_api_url=_url(environ, "PERIJOVE_PROXY_API_URL"),
        proxy_token=_get(environ, "CONFIGPROXY_AUTH_TOKEN"),
        service_token=_get(environ, "PERIJOVE_SERVICE_TOKEN"),
        database_url=environ.get("PERIJOVE_DATABASE_URL")
        or f"sqlite:///{home}/state/jupyterhub.sqlite",
        bwrap=environ.get("PERIJOVE_BWRAP", "bwrap"),
        admin_password=environ.get("PERIJOVE_ADMIN_PASSWORD", ""),
        subdomains=_flag(environ, "PERIJOVE_SUBDOMAINS"),
        docker=load_docker(environ) if _is_docker(environ) else None,
    )


def _is_docker(environ: Mapping[str, str]) -> bool:
    engine = environ.get("PERIJOVE_ENGINE", "process")
    if engine not in {"process", "docker"}:
        raise SettingsError(f"PERIJOVE_ENGINE: found '{engine}', expected process or docker.")
    return engine == "docker"


def load_docker(environ: Mapping[str, str]) -> DockerSettings:
    """The `docker` engine's part of the settings. Raises SettingsError naming what is wrong."""
    project = _get(environ, "COMPOSE_PROJECT_NAME")
    if not _PROJECT.fullmatch(project):
        raise SettingsError(
            f"COMPOSE_PROJECT_NAME: found '{project}', expected a-z, 0-9, _ and -, with a letter "
            "or digit at the beginning."
        )
    subnets = _get(environ, "PERIJOVE_WORKSPACE_SUBNETS")
    outside = _get(environ, "PERIJOVE_OUTSIDE")
    try:
        network = IPv4Network(subnets)
    except ValueError as error:
        raise SettingsError(
            f"PERIJOVE_WORKSPACE_SUBNETS: found '{subnets}', expected a network such as "
            f"10.213.0.0/16 ({error})."
        ) from error
    if network.prefixlen > SUBNET_PREFIX:
        raise SettingsError(
            f"PERIJOVE_WORKSPACE_SUBNETS: found '{subnets}', expected room for a /{SUBNET_PREFIX}."
        )
    if outside not in list(Outside):
        raise SettingsError(
            f"PERIJOVE_OUTSIDE: found '{outside}', expected one of {', '.join(Outside)}."
        )
    gpus = tuple(filter(None, map(str.strip, environ.get("PERIJOVE_GPUS", "").split(","))))
    if len({"=" in gpu for gpu in gpus}) > 1:
        raise SettingsError(
            "PERIJOVE_GPUS: found CDI devices (nvidia.com/gpu=0) and ids of the NVIDIA runtime (0) "
            "side by side, expected one kind."
        )
    return DockerSettings(
        project=project,
        image=_get(environ, "PERIJOVE_WORKSPACE_IMAGE"),
        subnets=network,
        outside=Outside(outside),
        gpus=gpus,
    )


def server_directories() -> tuple[Path, ...]:
    """What a workspace must see to run the server: its Python and our `workspace` package."""
    return tuple(dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), CHECKOUT / "workspace")))


def _get(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise SettingsError(f"The environment variable {name} is not set; see .env.example.")
    return value


def _url(environ: Mapping[str, str], name: str) -> str:
    value = _get(environ, name)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{name}: found '{value}', expected an http or https address.")
    return value


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "")
    if value not in {"", "yes"}:
        raise SettingsError(f"{name}: found '{value}', expected yes or nothing.")
    return value == "yes"
