"""One installation's policy, and what its hub asks for when all is well."""

from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from kernels.projects import Limits
from spawner.container import Volumes, plan_container
from spawner.plan import Mount, Workspace
from spawner.settings import DockerSettings, Outside
from spawner.socket_proxy.policy import Policy

GPU = "nvidia.com/gpu=0"


@pytest.fixture(scope="session")
def settings() -> DockerSettings:
    return DockerSettings(
        project="perijove",
        image="perijove/workspace:1",
        subnets=IPv4Network("10.213.0.0/16"),
        outside=Outside.ALLOW_LIST,
        gpus=(GPU,),
    )


@pytest.fixture(scope="session")
def policy(settings: DockerSettings) -> Policy:
    return Policy(
        settings.project, frozenset({settings.image}), settings.subnets, frozenset(settings.gpus)
    )


@pytest.fixture
def body(settings: DockerSettings) -> dict[str, Any]:
    """What the hub creates Ana's container with."""
    home = PurePosixPath("/home/ana")
    workspace = Workspace(
        user="Ana",
        name="ana",
        home=home,
        grants=(),
        mounts=(
            Mount(Path("/srv/homes/ana"), home, read_only=False),
            Mount(Path("/srv/store/alder-bank"), PurePosixPath("/opt/perijove/alder-bank")),
            Mount(Path("/srv/store/alder-bank/risk/examples"), home / "examples/alder-bank/risk"),
        ),
        environment={"HOME": str(home)},
        limits=Limits(),
        labels={"perijove.user": "Ana", "perijove.server": ""},
    )
    return plan_container(
        workspace,
        site=settings,
        volumes=Volumes(
            ("perijove_store", Path("/srv/store")), ("perijove_homes", Path("/srv/homes"))
        ),
        environment={"JUPYTERHUB_API_TOKEN": "secret"},
        command=["jupyterhub-singleuser"],
        gpus=[GPU],
    )
