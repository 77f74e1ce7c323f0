"""The compose file as text: what can be held without an engine."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


def test_our_images_have_the_version_of_the_project_and_are_never_pulled() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = {name: one for name, one in SERVICES.items() if ":-perijove/" in one["image"]}
    assert {*SERVICES} - {*ours} == {"nginx", "database"}
    for name, service in ours.items():
        tag = re.search(r":([0-9.]+)}$", service["image"])
        assert tag, name
        assert name == "proxy" or tag[1] == version, name
        assert service["pull_policy"] == "never", name
        assert "build" in service, name


def test_foreign_images_are_pinned_to_a_version() -> None:
    images = [SERVICES[name]["image"] for name in ("nginx", "database")]
    bases = [one["build"]["args"]["BASE"] for one in SERVICES.values() if "build" in one]
    for image in images + bases:
        assert re.search(r":-[a-z0-9/]+:[a-z0-9-]*[0-9]+\.?[0-9.a-z-]*}$", image), image
        assert "latest" not in image


def test_every_secret_is_required_and_says_what_to_do() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("POSTGRES_PASSWORD", "CONFIGPROXY_AUTH_TOKEN", "PERIJOVE_SERVICE_TOKEN"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)}}", text)
        assert uses
        assert set(uses) == {":?run make secrets first"}, name


def test_only_nginx_is_published_and_every_service_gives_up_its_powers() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    for name, service in SERVICES.items():
        if name != "workspace":  # it ends as soon as it has started, without a network
            assert service["cap_drop"] == ["ALL"], name
            assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name


def test_what_stays_up_has_a_restart_policy_and_a_healthcheck() -> None:
    once = {"builder", "operator", "workspace"}
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name in once else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in once), name
