"""The hub's settings come from the environment, and what is wrong there is named."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from spawner.settings import DockerSettings, Outside, Settings, SettingsError, load_settings

PROCESS = Settings(
    home=Path("/srv/perijove"),
    projects=Path("/srv/projects"),
    store_mount=Path("/opt/perijove"),
    public_url="https://hub.example.com/",
    hub_url="http://127.0.0.1:8081/hub/",
    hub_connect_url="http://127.0.0.1:8081/hub/",
    proxy_url="http://127.0.0.1:8000/",
    proxy_api_url="http://127.0.0.1:8001",
    proxy_token="proxy",
    service_token="service",
    database_url="sqlite:////srv/perijove/state/jupyterhub.sqlite",
)
DOCKER = {
    "PERIJOVE_ENGINE": "docker",
    "COMPOSE_PROJECT_NAME": "orbit",
    "PERIJOVE_WORKSPACE_IMAGE": "perijove/workspace:1",
    "PERIJOVE_WORKSPACE_SUBNETS": "10.213.0.0/16",
    "PERIJOVE_OUTSIDE": "allow-list",
    "PERIJOVE_GPUS": "nvidia.com/gpu=0, nvidia.com/gpu=1",
}


def test_settings_come_back_from_the_environment_they_are_written_to() -> None:
    assert load_settings(PROCESS.to_environment()) == PROCESS


def test_the_docker_engine_in_full() -> None:
    settings = load_settings(PROCESS.to_environment() | DOCKER)
    site = DockerSettings(
        project="orbit",
        image="perijove/workspace:1",
        subnets=IPv4Network("10.213.0.0/16"),
        outside=Outside.ALLOW_LIST,
        gpus=("nvidia.com/gpu=0", "nvidia.com/gpu=1"),
    )
    assert settings == replace(PROCESS, docker=site)


def test_subdomains_are_below_the_public_address() -> None:
    assert PROCESS.subdomain_host == ""
    settings = load_settings(PROCESS.to_environment() | {"PERIJOVE_SUBDOMAINS": "yes"})
    assert settings.subdomain_host == "https://hub.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERIJOVE_HOME", ""),
        ("PERIJOVE_PUBLIC_URL", "hub.example.com"),
        ("PERIJOVE_HUB_URL", "ftp://hub"),
        ("PERIJOVE_SUBDOMAINS", "maybe"),
        ("CONFIGPROXY_AUTH_TOKEN", ""),
        ("PERIJOVE_ENGINE", "kubernetes"),
        ("PERIJOVE_WORKSPACE_IMAGE", ""),
        ("PERIJOVE_WORKSPACE_SUBNETS", "10.213.0.1/16"),
        ("PERIJOVE_OUTSIDE", "everything"),
        ("PERIJOVE_GPUS", "nvidia.com/gpu=0,1"),
    ],
)
def test_what_is_missing_or_wrong_is_named(name: str, value: str) -> None:
    environ = PROCESS.to_environment() | DOCKER
    with pytest.raises(SettingsError, match=name):
        load_settings(environ | {name: value})
