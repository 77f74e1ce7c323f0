"""Where an installation is: told by the hub's own settings, or by the home of `make up`."""

from pathlib import Path

import pytest

from kernels.store import MOUNT
from operating.site import load_site
from spawner.settings import SettingsError

HOME = Path("/srv/perijove")
DOCKER = {
    "PERIJOVE_ENGINE": "docker",
    "PERIJOVE_HOME": str(HOME),
    "PERIJOVE_PUBLIC_URL": "https://hub.example.com/",
    "PERIJOVE_HUB_URL": "http://0.0.0.0:8081/hub/",
    "PERIJOVE_PROXY_URL": "http://proxy:8000/",
    "PERIJOVE_PROXY_API_URL": "http://proxy-api:8001",
    "PERIJOVE_DATABASE_URL": "postgresql+psycopg://perijove:x@database/perijove",
    "PERIJOVE_SERVICE_TOKEN": "x",
    "CONFIGPROXY_AUTH_TOKEN": "x",
    "COMPOSE_PROJECT_NAME": "perijove",
    "PERIJOVE_WORKSPACE_IMAGE": "perijove/workspace:1",
    "PERIJOVE_WORKSPACE_SUBNETS": "10.213.0.0/16",
    "PERIJOVE_OUTSIDE": "none",
}
RUNNING = ("https://hub.example.com/", "http://hub:8081/hub/")


def test_an_installation_in_containers() -> None:
    site = load_site(DOCKER, HOME, MOUNT, RUNNING)
    assert site.docker
    assert (site.hosts, site.hub) == (("hub.example.com",), RUNNING[1])
    assert site.database_url == DOCKER["PERIJOVE_DATABASE_URL"]
    assert site.secrets[".env"] == HOME / "secrets/.env"
    assert site.secrets["key.pem"] == site.key == Path("/run/secrets/key")


def test_workspaces_with_names_of_their_own() -> None:
    site = load_site(DOCKER | {"PERIJOVE_SUBDOMAINS": "yes"}, HOME, MOUNT, RUNNING)
    assert site.hosts == ("hub.example.com", "workspace.hub.example.com")


def test_an_installation_of_make_up() -> None:
    site = load_site({}, HOME, MOUNT, None)
    assert (site.docker, site.hub, site.hosts) == (None, None, ())
    assert site.database_url == "sqlite:////srv/perijove/state/jupyterhub.sqlite"
    assert list(site.secrets) == ["accounts.json"]


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="COMPOSE_PROJECT_NAME"):
        load_site(DOCKER | {"COMPOSE_PROJECT_NAME": ""}, HOME, MOUNT, RUNNING)
