"""With a real engine behind it, the socket proxy lets workspaces live and everything else be."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound

from kernels.projects import Limits
from spawner.container import PROJECT_LABEL, Volumes, plan_container, plan_network
from spawner.plan import Mount, Workspace
from spawner.settings import DockerSettings, Outside

pytestmark = pytest.mark.containers

PROGRAMS = ("sh", "cat", "chmod", "ls", "mkdir", "sleep")
POOL = IPv4Network("10.219.77.0/24")
HOMES, STORE = Path("/srv/homes"), Path("/srv/store")
FURNISH = """
cd /srv && mkdir -p homes/ana homes/bea store/bank/risk store/secret
echo bea > homes/bea/letter && echo 1 > store/bank/risk/kernel && chmod 777 homes/*
"""


@dataclass
class Site:
    """An installation whose hub has nothing but the proxy's socket."""

    settings: DockerSettings
    engine: docker.DockerClient
    hub: docker.APIClient
    log: Path
    volumes: Volumes = field(init=False)

    def __post_init__(self) -> None:
        self.volumes = Volumes((f"{self.project}_store", STORE), (f"{self.project}_homes", HOMES))

    @property
    def project(self) -> str:
        return self.settings.project

    def name(self, workspace: str) -> str:
        return f"{self.project}-workspace-{workspace}"

    def body(self, name: str, command: str, **changes: Any) -> dict[str, Any]:
        """What the hub creates a workspace with; `changes` are to its HostConfig."""
        home = PurePosixPath("/home/ana")
        workspace = Workspace(
            user="Ana",
            name=name,
            home=home,
            grants=(),
            mounts=(
                Mount(HOMES / name.partition("---")[0], home, read_only=False),
                Mount(STORE / "bank/risk", PurePosixPath("/opt/perijove/bank/risk")),
            ),
            environment={"HOME": str(home)},
            limits=Limits(),
        )
        body = plan_container(
            workspace,
            site=self.settings,
            volumes=self.volumes,
            environment={},
            command=["sh", "-c", command],
        )
        body["HostConfig"] |= changes
        return body

    def create(self, name: str, body: dict[str, Any]) -> str:
        made = self.hub.create_container_from_config(body, self.name(name))
        return str(made["Id"])

    @contextmanager
    def network(self, name: str) -> Iterator[str]:
        plan = plan_network(self.settings, self.name(name), next(POOL.subnets(new_prefix=28)))
        self.hub.create_network(**plan)
        try:
            yield self.name(name)
        finally:
            self.hub.remove_network(self.name(name))

    def run(self, name: str, command: str) -> str:
        """What a workspace says that runs `command` to its end."""
        with self.network(name):
            made = self.create(name, self.body(name, command))
            try:
                self.hub.start(made)
                self.hub.wait(made)
                said: bytes = self.hub.logs(made)
            finally:
                self.hub.remove_container(made, v=True, force=True)
        return said.decode()


@pytest.fixture(scope="module")
def image(engine: Any) -> Iterator[str]:
    """A few programs of this machine and their libraries, as an image."""
    found = {f"/bin/{name}": os.path.realpath(shutil.which(name) or name) for name in PROGRAMS}
    linked = subprocess.run(
        ["ldd", *found.values()], check=True, capture_output=True, text=True
    ).stdout
    found |= {file: os.path.realpath(file) for file in re.findall(r"(/\S+\.so\S*) \(", linked)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, file in found.items():
            tar.add(file, name)
    name = f"sp-test-{uuid.uuid4().hex[:8]}"
    engine.docker.api.import_image_from_data(packed.getvalue(), repository=name, tag="1")
    yield f"{name}:1"
    engine.docker.images.remove(f"{name}:1", force=True)


@contextmanager
def running_proxy(settings: DockerSettings, engine: Path, folder: Path) -> Iterator[Path]:
    """The proxy as a process; the value is its log."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "spawner.socket_proxy"],
            env={
                **os.environ,
                "COMPOSE_PROJECT_NAME": settings.project,
                "PERIJOVE_WORKSPACE_IMAGE": settings.image,
                "PERIJOVE_WORKSPACE_SUBNETS": str(settings.subnets),
                "PERIJOVE_OUTSIDE": str(settings.outside),
                "PERIJOVE_ENGINE_SOCKET": str(engine),
                "PERIJOVE_PROXY_SOCKET": str(folder / "docker.sock"),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 30
        while "listens at" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield log
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def site(engine: Any, image: str) -> Iterator[Site]:
    project = f"sp-test-{uuid.uuid4().hex[:8]}"
    settings = DockerSettings(project, image, POOL, Outside.NONE)
    volumes = [f"{project}_homes", f"{project}_store"]
    client: docker.DockerClient = engine.docker
    with (
        tempfile.TemporaryDirectory() as folder,  # a socket's path must be short
        running_proxy(settings, engine.socket, Path(folder)) as log,
    ):
        hub = docker.APIClient(f"unix://{folder}/docker.sock", version="auto", timeout=60)
        try:
            for volume in volumes:
                client.volumes.create(volume)
            client.containers.run(
                image,
                ["sh", "-c", FURNISH],
                volumes=[f"{project}_homes:/srv/homes", f"{project}_store:/srv/store"],
                remove=True,
            )
            client.containers.run(image, ["sleep", "600"], name=f"{project}-hub-1", detach=True)
            yield Site(settings, client, hub, log)
        finally:
            hub.close()
            for container in client.containers.list(all=True, filters={"name": project}):
                container.remove(force=True, v=True)
            for network in client.networks.list(names=[project]):
                network.remove()
            for volume in volumes:
                client.volumes.get(volume).remove()


@pytest.fixture(scope="module")
def foreign(site: Site) -> str:
    """The id of a container that is none of the installation's workspaces: its hub."""
    return str(site.engine.containers.get(f"{site.project}-hub-1").id)


def test_a_workspace_lives_from_its_network_to_its_end(site: Site) -> None:
    hub, name = site.hub, site.name("ana")
    assert hub.inspect_image(site.settings.image)["Id"]
    with pytest.raises(NotFound):
        hub.inspect_container(name)
    with site.network("ana"):
        hub.connect_container_to_network(f"{site.project}-hub-1", name, aliases=["hub"])
        made = site.create("ana", site.body("ana", "echo started; sleep 60"))
        hub.start(made)
        state = hub.inspect_container(name)
        assert state["Id"] == made
        assert state["State"]["Running"]
        assert state["NetworkSettings"]["Networks"][name]["IPAddress"].startswith("10.219.77.")
        peers = hub.inspect_network(name)["Containers"].values()
        assert {peer["Name"] for peer in peers} == {name, f"{site.project}-hub-1"}
        only = {"label": f"{PROJECT_LABEL}={site.project}"}
        assert [each["Id"] for each in hub.containers(all=True, filters=only)] == [made]
        assert [each["Name"] for each in hub.networks(filters=only)] == [name]
        while not (said := hub.logs(name, tail=5)):
            time.sleep(0.02)
        assert said == b"started\n"
        hub.stop(name, timeout=0)
        assert not hub.inspect_container(made)["State"]["Running"]
        hub.remove_container(name, v=True, force=True)
        hub.disconnect_container_from_network(f"{site.project}-hub-1", name, force=True)
    with pytest.raises(NotFound):
        hub.inspect_network(name)


def test_a_workspace_is_walled(site: Site) -> None:
    said = site.run(
        "ana",
        "cd /home/ana && echo mine > file && cat file && ls -A /home/ana /opt/perijove;"
        "echo x > /opt/perijove/bank/risk/kernel || echo store is read-only;"
        "echo x > /bin/x || echo image is read-only; cat /proc/self/status",
    )
    assert "mine" in said
    assert "letter" not in said
    assert "secret" not in said
    assert "store is read-only" in said
    assert "image is read-only" in said
    assert re.search(r"CapBnd:\s+0+\n", said)
    assert re.search(r"NoNewPrivs:\s+1\n", said)


def test_a_named_server_has_the_home_of_its_user(site: Site) -> None:
    site.run("ana", "echo mine > /home/ana/file")
    assert site.run("ana---work", "cat /home/ana/file") == "mine\n"


HOST = {"Type": "bind", "Source": "/", "Target": "/host"}
ATTACKS: dict[str, dict[str, Any]] = {
    "a path of the host": {"Binds": ["/:/host"]},
    "a path of the host as a mount": {"Mounts": [HOST]},
    "all privileges": {"Privileged": True},
    "all privileges, in the engine's other spelling": {"privileged": True},
    "a capability": {"CapAdd": ["SYS_ADMIN"]},
    "the host's processes": {"PidMode": "host"},
    "the host's network": {"NetworkMode": "host"},
    "the default network": {"networkmode": ""},
    "the kernel's files": {"MaskedPaths": []},
    "a device": {"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]},
    "all GPUs": {"DeviceRequests": [{"Driver": "nvidia", "Count": -1}]},
    "no seccomp": {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "memory without end": {"Memory": 0, "MemorySwap": 0},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_container_cannot_be_given(site: Site, attack: str) -> None:
    changes = ATTACKS[attack]
    with pytest.raises(APIError, match="the socket proxy refuses this call") as refused:
        site.create("eve", site.body("eve", "sleep 60", **changes))
    assert refused.value.status_code == 403
    assert next(iter(changes)) in refused.value.explanation
    assert not site.engine.containers.list(all=True, filters={"name": site.name("eve")})
    assert f"HostConfig.{next(iter(changes))}" in site.log.read_text().splitlines()[-1]


def test_the_home_of_somebody_else_cannot_be_mounted(site: Site) -> None:
    body = site.body("eve", "cat /home/ana/letter")
    body["HostConfig"]["Mounts"][0]["VolumeOptions"]["Subpath"] = "bea"
    with pytest.raises(APIError, match="Subpath"):
        site.create("eve", body)


def test_a_version_of_the_api_that_knows_no_parts_of_volumes_is_refused(site: Site) -> None:
    body, name = site.body("eve", "ls /home/ana"), site.name("eve")
    address = f"unix://{site.log.parent}/docker.sock"
    old = docker.APIClient(address, version="1.44")
    with pytest.raises(APIError, match=r"v1\.45 or later"):
        old.create_container_from_config(body, name)
    old.close()


def test_what_is_no_workspace_is_left_alone(site: Site, foreign: str) -> None:
    hub = site.hub
    for name in (foreign, foreign[:12], f"{site.project}-hub-1"):
        for call in (hub.inspect_container, hub.logs, hub.stop, hub.kill, hub.remove_container):
            with pytest.raises(APIError, match="is no workspace of") as refused:
                call(name)
            assert refused.value.status_code == 403
    assert site.engine.containers.get(foreign).status == "running"


def test_a_container_that_has_only_the_name_of_a_workspace_is_left_alone(site: Site) -> None:
    made = site.engine.containers.create(site.settings.image, ["sh"], name=site.name("zoe"))
    try:
        with pytest.raises(APIError, match="is no workspace of"):
            site.hub.start(site.name("zoe"))
    finally:
        made.remove()


def test_networks_of_others_are_left_alone(site: Site) -> None:
    bridge = site.engine.networks.get("bridge")
    for name in ("bridge", bridge.id):
        with pytest.raises(APIError, match="is no workspace of"):
            site.hub.inspect_network(name)
        with pytest.raises(APIError, match="is no workspace of"):
            site.hub.connect_container_to_network(f"{site.project}-hub-1", name)


def test_a_running_workspace_cannot_be_entered(site: Site) -> None:
    hub = site.hub
    with site.network("ana"):
        made = site.create("ana", site.body("ana", "sleep 60"))
        hub.start(made)
        try:
            for enter in (
                lambda: hub.exec_create(made, ["sh"]),
                lambda: hub.attach(made),
                lambda: hub.attach_socket(made),
                lambda: hub.get_archive(made, "/home"),
                lambda: hub.put_archive(made, "/home", b""),
                lambda: hub.update_container(made, mem_limit="9g"),
                lambda: hub.rename(made, "other"),
                lambda: hub.commit(made, "other"),
            ):
                with pytest.raises(APIError, match="the socket proxy refuses this call"):
                    enter()
        finally:
            hub.remove_container(made, force=True)


def test_images_volumes_and_the_engine_itself_are_out_of_reach(site: Site) -> None:
    hub = site.hub
    for reach in (
        lambda: hub.pull("busybox", "1"),
        lambda: list(hub.build(fileobj=io.BytesIO(b"FROM scratch"))),
        lambda: hub.inspect_image("busybox:1"),
        hub.images,
        hub.volumes,
        lambda: hub.create_volume("other"),
        lambda: hub.remove_volume(f"{site.project}_homes"),
        hub.containers,
        hub.networks,
        hub.info,
        hub.prune_containers,
        lambda: hub._result(hub._get(hub._url("/events"))),
        hub.init_swarm,
    ):
        with pytest.raises(APIError, match="the socket proxy refuses this call"):
            reach()
