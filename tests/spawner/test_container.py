"""What Docker is asked for is the plan and nothing more."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from kernels.projects import Limits
from spawner.container import (
    Volumes,
    plan_container,
    plan_gpus,
    plan_network,
    plan_peers,
    plan_subnet,
)
from spawner.plan import Mount, Workspace
from spawner.settings import DockerSettings, Outside

GIB = 1024**3
HOME = PurePosixPath("/home/ana")
STORE, HOMES = Path("/srv/perijove/store"), Path("/srv/perijove/homes")
VOLUMES = Volumes(store=("orbit_store", STORE), homes=("orbit_homes", HOMES))
SITE = DockerSettings(
    project="orbit",
    image="perijove/workspace:1",
    subnets=IPv4Network("10.213.0.0/24"),
    outside=Outside.NONE,
)
WORKSPACE = Workspace(
    user="Ana",
    name="ana",
    home=HOME,
    grants=(),
    mounts=(
        Mount(HOMES / "ana", HOME, read_only=False),
        Mount(STORE / "alder-bank", PurePosixPath("/opt/perijove/alder-bank")),
        Mount(STORE / "alder-bank/risk/examples", HOME / "examples/alder-bank/risk"),
    ),
    environment={"HOME": "/home/ana", "USER": "Ana"},
    limits=Limits(memory=4 * GIB, cpu=1.5),
    labels={"perijove.user": "Ana", "perijove.server": ""},
)


def plan(workspace: Workspace = WORKSPACE, site: DockerSettings = SITE, **more: Any) -> Any:
    return plan_container(
        workspace,
        site=site,
        volumes=VOLUMES,
        environment={"JUPYTERHUB_USER": "Ana"},
        command=["server", "--option"],
        **more,
    )


def test_the_whole_container() -> None:
    assert plan() == {
        "Image": "perijove/workspace:1",
        "Cmd": ["server", "--option"],
        "User": "1000:1000",
        "Hostname": "workspace",
        "WorkingDir": "/home/ana",
        "Env": [
            "HOME=/home/ana",
            "JUPYTERHUB_USER=Ana",
            "JUPYTER_RUNTIME_DIR=/run/perijove",
            "USER=Ana",
            "XDG_RUNTIME_DIR=/run/perijove",
        ],
        "Labels": {
            "perijove.user": "Ana",
            "perijove.server": "",
            "perijove.project": "orbit",
            "perijove.gpus": "",
        },
        "HostConfig": {
            "NetworkMode": "orbit-workspace-ana",
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": "orbit_homes",
                    "Target": "/home/ana",
                    "ReadOnly": False,
                    "VolumeOptions": {"NoCopy": True, "Subpath": "ana"},
                },
                {
                    "Type": "volume",
                    "Source": "orbit_store",
                    "Target": "/opt/perijove/alder-bank",
                    "ReadOnly": True,
                    "VolumeOptions": {"NoCopy": True, "Subpath": "alder-bank"},
                },
                {
                    "Type": "volume",
                    "Source": "orbit_store",
                    "Target": "/home/ana/examples/alder-bank/risk",
                    "ReadOnly": True,
                    "VolumeOptions": {"NoCopy": True, "Subpath": "alder-bank/risk/examples"},
                },
            ],
            "Tmpfs": {
                "/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={2 * GIB}",  # noqa: S108
                "/run/perijove": "rw,noexec,nosuid,nodev,mode=0700,uid=1000,gid=1000,size=16777216",
                "/home/ana/examples": "rw,noexec,nosuid,nodev,mode=0755,size=1048576",
            },
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": 4 * GIB,
            "MemorySwap": 4 * GIB,
            "NanoCpus": 1_500_000_000,
            "PidsLimit": 4096,
            "ShmSize": 2 * GIB,
            "LogConfig": {"Type": "local", "Config": {"max-size": "10m", "max-file": "2"}},
            "DeviceRequests": [],
        },
    }


def test_the_whole_network_has_no_way_out_and_no_address_of_the_host() -> None:
    assert plan_network(SITE, "orbit-workspace-ana", IPv4Network("10.213.0.16/28")) == {
        "name": "orbit-workspace-ana",
        "driver": "bridge",
        "internal": True,
        "options": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "ipam": {
            "Driver": "default",
            "Config": [
                {
                    "Subnet": "10.213.0.16/28",
                    "IPRange": None,
                    "Gateway": None,
                    "AuxiliaryAddresses": None,
                }
            ],
        },
        "labels": {"perijove.project": "orbit"},
    }


def test_the_way_out_is_joined_only_if_there_is_one() -> None:
    assert plan_peers(SITE) == {"orbit-hub-1": ["hub"], "orbit-proxy-1": []}
    for outside in (Outside.OPEN, Outside.ALLOW_LIST):
        site = replace(SITE, outside=outside)
        assert plan_peers(site)["orbit-egress-1"] == ["egress"]
        assert "HTTPS_PROXY=http://egress:3128" in plan(site=site)["Env"]
        assert "no_proxy=hub,localhost,127.0.0.1" in plan(site=site)["Env"]


def test_the_plan_s_own_variables_win() -> None:
    mean = replace(WORKSPACE, environment={"HOME": "/home/ana", "JUPYTERHUB_USER": "x"})
    assert "JUPYTERHUB_USER=x" in plan(mean)["Env"]
    assert "JUPYTERHUB_USER=Ana" not in plan(mean)["Env"]


@pytest.mark.parametrize("source", ["/etc", "/srv/perijove/store", "/srv/perijove/state/x"])
def test_what_is_in_no_volume_cannot_be_mounted(source: str) -> None:
    with pytest.raises(ValueError, match="in no volume"):
        plan(replace(WORKSPACE, mounts=(Mount(Path(source), HOME),)))


def test_gpus_of_the_cdi_are_told_from_those_of_the_nvidia_runtime_by_their_names() -> None:
    cdi = plan(gpus=["nvidia.com/gpu=0", "nvidia.com/gpu=1"])
    assert cdi["HostConfig"]["DeviceRequests"] == [
        {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}
    ]
    assert cdi["Labels"]["perijove.gpus"] == "nvidia.com/gpu=0,nvidia.com/gpu=1"
    classic = plan(gpus=["0"])
    assert classic["HostConfig"]["DeviceRequests"] == [
        {"Driver": "nvidia", "DeviceIDs": ["0"], "Capabilities": [["gpu"]]}
    ]


def test_the_first_free_subnet_is_taken_and_a_full_pool_is_told() -> None:
    pool = IPv4Network("10.213.0.0/27")
    first, second = pool.subnets(new_prefix=28)
    assert plan_subnet(pool, []) == first
    assert plan_subnet(pool, [first]) == second
    assert plan_subnet(pool, [second]) == first
    assert plan_subnet(pool, [first, second]) is None


def test_a_gpu_is_never_given_twice() -> None:
    assert plan_gpus(1, ["0", "1"], [""]) == ("0",)
    assert plan_gpus(1, ["0", "1"], ["0"]) == ("1",)
    assert plan_gpus(2, ["0", "1"], ["0"]) is None
    assert plan_gpus(1, [], []) is None
