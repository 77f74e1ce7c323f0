"""What is a workspace's is told by name and label; the environment names the rest."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.names import object_name, safe_name, service_name, volume_name, workspace_name
from spawner.settings import SettingsError
from spawner.socket_proxy.policy import Policy, load_policy

ENVIRONMENT = {
    "COMPOSE_PROJECT_NAME": "perijove",
    "PERIJOVE_WORKSPACE_IMAGE": "perijove/workspace:1",
    "PERIJOVE_WORKSPACE_SUBNETS": "10.213.0.0/16",
    "PERIJOVE_OUTSIDE": "none",
    "PERIJOVE_GPUS": "nvidia.com/gpu=0, nvidia.com/gpu=1",
}


def test_the_whole_policy() -> None:
    assert load_policy(ENVIRONMENT) == Policy(
        project="perijove",
        images=frozenset({"perijove/workspace:1"}),
        subnets=IPv4Network("10.213.0.0/16"),
        gpus=frozenset({"nvidia.com/gpu=0", "nvidia.com/gpu=1"}),
        user="1000:1000",
    )


def test_no_gpus_are_no_gpus() -> None:
    assert load_policy(ENVIRONMENT | {"PERIJOVE_GPUS": ""}).gpus == frozenset()
    del (without := dict(ENVIRONMENT))["PERIJOVE_GPUS"]
    assert load_policy(without).gpus == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPOSE_PROJECT_NAME", ""),
        ("COMPOSE_PROJECT_NAME", "Perijove"),
        ("COMPOSE_PROJECT_NAME", "peri/jove"),
        ("PERIJOVE_WORKSPACE_IMAGE", ""),
        ("PERIJOVE_WORKSPACE_SUBNETS", ""),
        ("PERIJOVE_WORKSPACE_SUBNETS", "10.213.0.1/16"),
        ("PERIJOVE_WORKSPACE_SUBNETS", "10.213.0.0/29"),
        ("PERIJOVE_WORKSPACE_SUBNETS", "fd00::/64"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_policy(ENVIRONMENT | {name: value})


@given(user=st.text(min_size=1), server=st.text())
def test_the_home_of_every_workspace_is_its_users(user: str, server: str) -> None:
    policy = load_policy(ENVIRONMENT)
    name = object_name("perijove", workspace_name(user, server))
    assert policy.find_home(name) == safe_name(user)
    assert policy.is_ours(name, {"perijove.project": "perijove"})


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ana",
        "perijove-hub-1",
        "perijove-workspace-",
        "perijove-workspace-Ana",
        "perijove-workspace-ana\n",
        "perijove-workspace-../ana",
        "perijove-workspace----work",  # a home without a name is all homes
        "other-perijove-workspace-ana",
        "perijove2-workspace-ana",
    ],
)
def test_other_names_are_no_workspaces(name: str) -> None:
    assert load_policy(ENVIRONMENT).find_home(name) is None


@pytest.mark.parametrize("labels", [None, {}, {"perijove.project": "perijove2"}, {"x": "perijove"}])
def test_a_workspace_without_our_label_is_not_ours(labels: object) -> None:
    assert not load_policy(ENVIRONMENT).is_ours("perijove-workspace-ana", labels)


def test_names_are_those_the_hub_gives() -> None:
    policy = load_policy(ENVIRONMENT)
    assert policy.homes == volume_name("perijove", "homes")
    assert policy.store == volume_name("perijove", "store")
    assert policy.companions == {
        service_name("perijove", service) for service in ("hub", "proxy", "egress")
    }
