"""An installation as its operator's commands see it: where everything of it stands.

In the container (`PERIJOVE_ENGINE`) the hub's own settings say so; else it is a home of `make up`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kernels.store import Store
from spawner.settings import DockerSettings, load_settings

_SECRETS = Path("/run/secrets")
RESTORING = ".restoring"
"""Where a restore is at work in `homes`; there after it was cut off."""
REPLACED = ".replaced-"
"""How begins what a restore put aside, before the time."""


@dataclass(frozen=True)
class Site:
    """Where things are.

    Attributes:
        home: everything that the installation keeps.
        store: its environments.
        database_url: the hub's database, as SQLAlchemy names it.
        hub: the hub's address as seen from here, ending in `/hub/`; None if none is started.
        hosts: what browsers call it, and a workspace of it; empty if nobody knows.
        certificate: what nginx shows.
        key: the certificate's key.
        secrets: files that a new machine needs before anything of it starts, by their names in a
            backup.
        docker: workspaces are containers; None: they are local processes.
    """

    home: Path
    store: Store
    database_url: str
    hub: str | None
    hosts: tuple[str, ...]
    certificate: Path
    key: Path
    secrets: Mapping[str, Path]
    docker: DockerSettings | None = None

    @property
    def homes(self) -> Path:
        """People's own files, a directory each."""
        return self.home / "homes"

    @property
    def state(self) -> Path:
        """What the processes keep between starts."""
        return self.home / "state"


def load_site(
    environ: Mapping[str, str], home: Path, mount: Path, running: tuple[str, str] | None
) -> Site:
    """The installation in `home`. Raises SettingsError naming the variable that is wrong.

    Args:
        environ: environment variables.
        home: everything that the installation keeps.
        mount: where workspaces see the store.
        running: its public address and that of its hub, if there is one.
    """
    public_url, hub = running or (None, None)
    hosts = tuple(filter(None, [urlsplit(public_url or "").hostname]))
    store = Store(home / "store", mount)
    if environ.get("PERIJOVE_ENGINE", "process") == "process":
        tls = home / "state/tls"
        return Site(
            home=home,
            store=store,
            database_url=f"sqlite:///{home}/state/jupyterhub.sqlite",
            hub=hub,
            hosts=hosts,
            certificate=tls / "perijove.crt",
            key=tls / "perijove.key",
            secrets={"accounts.json": home / "accounts.json"},
        )
    settings = load_settings(environ)
    certificate, key = _SECRETS / "certificate", _SECRETS / "key"
    return Site(
        home=home,
        store=store,
        database_url=settings.database_url,
        hub=hub,
        hosts=(*hosts, f"workspace.{hosts[0]}") if settings.subdomains and hosts else hosts,
        certificate=certificate,
        key=key,
        secrets={
            ".env": home / "secrets/.env",
            "certificate.pem": certificate,
            "key.pem": key,
        },
        docker=settings.docker,
    )
