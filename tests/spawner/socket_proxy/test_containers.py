"""A workspace's container is created as the plan has it; what would open its walls is refused."""

import copy
import re
from typing import Any

import pytest
from docker import APIClient
from docker.types import LogConfig, Mount
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import Request
from spawner.socket_proxy.rules import plan_call
from spawner.socket_proxy.shapes import RefusedError

NAME = "perijove-workspace-ana"


def create(body: Any, policy: Policy, name: str = NAME) -> None:
    plan_call(Request("POST", "/containers/create", query={"name": name}, body=body), policy)


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The body with another value at a path such as `HostConfig.Mounts.0.Source`."""
    whole = copy.deepcopy(body)
    *way, last = path.split("/")
    place: Any = whole
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return whole


def test_what_the_plan_asks_for_is_allowed(body: dict[str, Any], policy: Policy) -> None:
    create(body, policy)


def test_a_named_server_mounts_the_home_of_its_user(body: dict[str, Any], policy: Policy) -> None:
    name = f"{NAME}---work"
    create(changed(body, "HostConfig/NetworkMode", name), policy, name)
    with pytest.raises(RefusedError, match=r'Subpath is "ana"; it must be "ana-2"'):
        create(changed(body, "HostConfig/NetworkMode", f"{NAME}-2"), policy, f"{NAME}-2")


def test_what_docker_py_and_dockerspawner_write_is_allowed(policy: Policy) -> None:
    client = APIClient("unix:///nowhere", version="1.45")
    host_config = client.create_host_config(
        auto_remove=True,
        binds={},
        links={},
        mounts=[
            Mount("/home/ana", "perijove_homes", no_copy=True, subpath="ana"),
            Mount("/opt/x", "perijove_store", read_only=True, no_copy=True, subpath="x"),
        ],
        mem_limit="1G",
        memswap_limit="1G",
        cpu_period=100_000,
        cpu_quota=50_000,
        pids_limit=100,
        privileged=False,
        publish_all_ports=False,
        restart_policy={"Name": "no"},
        log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
        network_mode=NAME,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        init=True,
        shm_size="64m",
        tmpfs={"/tmp": "size=64m,mode=1777"},  # noqa: S108
    )
    config = client.create_container_config(
        "perijove/workspace:1",
        ["jupyterhub-singleuser"],
        user="1000:1000",
        hostname="workspace",
        environment={"A": "b"},
        volumes=[],
        ports=[(8888, "tcp")],
        labels={"perijove.project": "perijove"},
        host_config=host_config,
        networking_config=client.create_networking_config(
            {NAME: client.create_endpoint_config(aliases=["me"])}
        ),
    )
    client.close()
    create({key: value for key, value in config.items() if value is not None}, policy)


HOST = {"Type": "bind", "Source": "/", "Target": "/host"}
VOLUME = {"Type": "volume", "Target": "/x", "ReadOnly": True}
WHOLE = {"Source": "perijove_store", "VolumeOptions": {"NoCopy": True}}
OPENINGS: list[tuple[str, Any]] = [
    ("Image", "alpine"),
    ("Image", ["perijove/workspace:1"]),
    ("User", "root"),
    ("User", ""),
    ("User", "1000"),
    ("Hostname", "x" * 64),
    ("Domainname", "bank.example"),
    ("Env", "A=b"),
    ("Env", ["NVIDIA_VISIBLE_DEVICES=all"]),
    ("Env", ["LD_PRELOAD=/home/ana/x.so"]),
    ("Cmd", "sh"),
    ("Entrypoint", ["sh"]),
    ("Volumes", {"/x": {}}),
    ("Healthcheck", {"Test": ["CMD", "sh"]}),
    ("Tty", True),
    ("OpenStdin", True),
    ("AttachStdin", True),
    ("AttachStdout", 1),
    ("StdinOnce", True),
    ("WorkingDir", 1),
    ("StopSignal", "KILL 9"),
    ("StopTimeout", -1),
    ("OnBuild", ["RUN sh"]),
    ("Shell", ["sh"]),
    ("NetworkDisabled", True),
    ("Labels", None),
    ("Labels", {}),
    ("Labels/perijove.project", "perijove2"),
    ("Labels/perijove.user", 1),
    ("Labels/com.docker.compose.project", "perijove"),
    ("ExposedPorts", {"all": {}}),
    ("MacAddress", "02:42:ac:11:00:02"),
    ("NetworkingConfig", {"EndpointsConfig": {"bridge": {}}}),
    ("NetworkingConfig", {"EndpointsConfig": {NAME: {"IPAMConfig": {"IPv4Address": "10.0.0.1"}}}}),
    ("NetworkingConfig", {"EndpointsConfig": {NAME: {"DriverOpts": {"a": "b"}}}}),
    ("HostConfig", None),
    ("HostConfig", []),
    ("HostConfig/CapDrop", []),
    ("HostConfig/CapDrop", None),
    ("HostConfig/CapDrop", ["all"]),
    ("HostConfig/CapAdd", ["SYS_ADMIN"]),
    ("HostConfig/SecurityOpt", []),
    ("HostConfig/SecurityOpt", ["no-new-privileges:false"]),
    ("HostConfig/SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
    ("HostConfig/SecurityOpt", ["no-new-privileges", "apparmor=unconfined"]),
    ("HostConfig/ReadonlyRootfs", False),
    ("HostConfig/ReadonlyRootfs", 1),
    ("HostConfig/Privileged", True),
    ("HostConfig/Binds", ["/:/host"]),
    ("HostConfig/VolumesFrom", ["perijove-hub-1"]),
    ("HostConfig/VolumeDriver", "local"),
    ("HostConfig/Devices", [{"PathOnHost": "/dev/sda"}]),
    ("HostConfig/DeviceCgroupRules", ["b 8:* rwm"]),
    ("HostConfig/PortBindings", {"8888/tcp": [{"HostPort": "80"}]}),
    ("HostConfig/PublishAllPorts", True),
    ("HostConfig/PidMode", "host"),
    ("HostConfig/IpcMode", "host"),
    ("HostConfig/IpcMode", "shareable"),
    ("HostConfig/UTSMode", "host"),
    ("HostConfig/UsernsMode", "host"),
    ("HostConfig/CgroupnsMode", "host"),
    ("HostConfig/CgroupParent", "/"),
    ("HostConfig/Sysctls", {"net.ipv4.ip_forward": "1"}),
    ("HostConfig/Runtime", "nvidia"),
    ("HostConfig/ExtraHosts", ["hub:10.0.0.1"]),
    ("HostConfig/Dns", ["10.0.0.1"]),
    ("HostConfig/DnsOptions", ["ndots:1"]),
    ("HostConfig/DnsSearch", ["bank.example"]),
    ("HostConfig/Init", "yes"),
    ("HostConfig/Links", ["perijove-database-1:db"]),
    ("HostConfig/GroupAdd", ["0"]),
    ("HostConfig/OomScoreAdj", -1000),
    ("HostConfig/OomKillDisable", True),
    ("HostConfig/Ulimits", [{"Name": "nofile", "Soft": 1, "Hard": 1}]),
    ("HostConfig/MaskedPaths", []),
    ("HostConfig/ReadonlyPaths", []),
    ("HostConfig/StorageOpt", {"size": "1T"}),
    ("HostConfig/Annotations", {"a": "b"}),
    ("HostConfig/NetworkMode", "host"),
    ("HostConfig/NetworkMode", "bridge"),
    ("HostConfig/NetworkMode", "container:perijove-hub-1"),
    ("HostConfig/NetworkMode", "perijove-workspace-bea"),
    ("HostConfig/NetworkMode", None),
    ("HostConfig/Memory", 0),
    ("HostConfig/Memory", True),
    ("HostConfig/Memory", None),
    ("HostConfig/MemorySwap", -1),
    ("HostConfig/MemorySwap", 2**50),
    ("HostConfig/PidsLimit", 0),
    ("HostConfig/PidsLimit", -1),
    ("HostConfig/PidsLimit", None),
    ("HostConfig/NanoCpus", -1),
    ("HostConfig/ShmSize", 0.5),
    ("HostConfig/RestartPolicy", {"Name": "always"}),
    ("HostConfig/AutoRemove", "yes"),
    ("HostConfig/LogConfig", {"Type": "syslog", "Config": {}}),
    ("HostConfig/LogConfig", {"Type": "local", "Config": {"syslog-address": "tcp://x"}}),
    ("HostConfig/Tmpfs", {"/": ""}),
    ("HostConfig/Tmpfs", {"tmp": ""}),
    ("HostConfig/Tmpfs", {"/x/../etc": ""}),
    ("HostConfig/Tmpfs", {"/x": "suid"}),
    ("HostConfig/Tmpfs", {"/x": "size=1m,dev"}),
    ("HostConfig/Mounts", [HOST]),
    ("HostConfig/Mounts", ["/:/host"]),
    ("HostConfig/Mounts", [{"Type": "tmpfs", "Target": "/x"}]),
    ("HostConfig/Mounts", [{"Type": "image", "Source": "alpine", "Target": "/x"}]),
    ("HostConfig/Mounts", [VOLUME]),
    ("HostConfig/Mounts", [VOLUME | {"Source": "perijove_database"}]),
    ("HostConfig/Mounts", [VOLUME | {"Source": "perijove_store"}]),
    ("HostConfig/Mounts", [VOLUME | WHOLE]),
    ("HostConfig/Mounts/0/Type", "bind"),
    ("HostConfig/Mounts/0/Target", "/"),
    ("HostConfig/Mounts/0/Target", "home"),
    ("HostConfig/Mounts/0/Target", "/home/.."),
    ("HostConfig/Mounts/0/Target", "/home//ana"),
    ("HostConfig/Mounts/0/Consistency", 1),
    ("HostConfig/Mounts/0/TmpfsOptions", {"SizeBytes": 1}),
    ("HostConfig/Mounts/0/BindOptions", {"Propagation": "rshared"}),
    ("HostConfig/Mounts/0/VolumeOptions/Subpath", "bea"),
    ("HostConfig/Mounts/0/VolumeOptions/Subpath", ""),
    ("HostConfig/Mounts/0/VolumeOptions/Subpath", "ana/../bea"),
    ("HostConfig/Mounts/0/VolumeOptions/Subpath", "."),
    ("HostConfig/Mounts/0/VolumeOptions", None),
    ("HostConfig/Mounts/0/VolumeOptions/DriverConfig", {"Options": {"device": "/"}}),
    ("HostConfig/Mounts/1/ReadOnly", False),
    ("HostConfig/Mounts/1/ReadOnly", None),
    ("HostConfig/Mounts/1/VolumeOptions/NoCopy", False),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", ""),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "/"),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "."),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", ".packages"),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "alder-bank/../.."),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "alder-bank/.hidden"),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "alder-bank\x00/x"),
    ("HostConfig/Mounts/1/VolumeOptions/Subpath", "alder-bank\n"),
    ("HostConfig/DeviceRequests", [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=1"]}]),
    ("HostConfig/DeviceRequests", [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]),
    ("HostConfig/DeviceRequests", [{"Driver": "nvidia", "DeviceIDs": []}]),
    ("HostConfig/DeviceRequests", [{"Driver": "nvidia", "Count": -1}]),
    ("HostConfig/DeviceRequests/0/Count", -1),
    ("HostConfig/DeviceRequests/0/Driver", "other"),
    ("HostConfig/DeviceRequests/0/Capabilities", [["gpu", "display"]]),
    ("HostConfig/DeviceRequests/0/Options", {"a": "b"}),
]


@pytest.mark.parametrize(("path", "value"), OPENINGS, ids=[f"{p}={v}" for p, v in OPENINGS])
def test_what_would_open_the_walls_is_refused_and_named(
    path: str, value: Any, body: dict[str, Any], policy: Policy
) -> None:
    field = next(part for part in reversed(path.split("/")) if not part.isdecimal())
    with pytest.raises(RefusedError, match=re.escape(field)):
        create(changed(body, path, value), policy)


REQUIRED = (
    "CapDrop",
    "SecurityOpt",
    "ReadonlyRootfs",
    "NetworkMode",
    "Memory",
    "MemorySwap",
    "PidsLimit",
)


@pytest.mark.parametrize("key", REQUIRED)
def test_a_wall_that_is_left_out_is_missed(key: str, body: dict[str, Any], policy: Policy) -> None:
    del body["HostConfig"][key]
    with pytest.raises(RefusedError, match=f"HostConfig.{key} is null"):
        create(body, policy)


@pytest.mark.parametrize("key", ["Image", "User", "Labels", "HostConfig"])
def test_what_makes_it_a_workspace_is_missed(
    key: str, body: dict[str, Any], policy: Policy
) -> None:
    del body[key]
    with pytest.raises(RefusedError, match=f"{key} is null"):
        create(body, policy)


PLACES = ("", "HostConfig/", "HostConfig/Mounts/0/", "HostConfig/Mounts/1/VolumeOptions/")
DOCUMENTED = re.compile("[A-Z][A-Za-z]+")
UNKNOWN = st.from_regex("[A-Z][a-z]{2,9}Zz", fullmatch=True) | st.text().filter(
    lambda key: not DOCUMENTED.fullmatch(key) and "/" not in key
)
VALUES = st.sampled_from([True, 1, "x", ["x"], {"x": "y"}, None, False, 0, "", [], {}])


@pytest.mark.parametrize("place", PLACES)
@how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=UNKNOWN, value=VALUES)
def test_a_key_that_is_not_known_is_refused(
    place: str, key: str, value: Any, body: dict[str, Any], policy: Policy
) -> None:
    with pytest.raises(RefusedError, match="is not among the keys that may be set"):
        create(changed(body, f"{place}{key}", value), policy)


@pytest.mark.parametrize("value", [None, False, "", [], {}])
@pytest.mark.parametrize("respell", [str.lower, str.upper, str.swapcase])
@pytest.mark.parametrize("key", [*REQUIRED, "Mounts", "Privileged", "Binds"])
def test_a_key_in_the_engines_other_spellings_is_refused_even_if_empty(
    key: str, respell: Any, value: Any, body: dict[str, Any], policy: Policy
) -> None:
    with pytest.raises(RefusedError, match=f"HostConfig.{respell(key)} is not among"):
        create(changed(body, f"HostConfig/{respell(key)}", value), policy)


@pytest.mark.parametrize("key", ["U\u017fer", "Label\u017f", "Wor\u212aingDir"])
def test_a_key_that_only_folds_to_ours_is_refused(
    key: str, body: dict[str, Any], policy: Policy
) -> None:
    with pytest.raises(RefusedError, match="is not among"):
        create(body | {key: None}, policy)


def test_the_value_of_a_variable_is_never_told(body: dict[str, Any], policy: Policy) -> None:
    with pytest.raises(RefusedError) as refused:
        create(changed(body, "Env", ["LD_PRELOAD=hunter2"]), policy)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["", "perijove-hub-1", "ana", "perijove-workspace-", "perijove-workspace----x"]
)
def test_another_name_is_refused(name: str, body: dict[str, Any], policy: Policy) -> None:
    with pytest.raises(RefusedError, match=r"query\.name"):
        create(body, policy, name)


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_a_body_that_is_no_object_is_refused(body: Any, policy: Policy) -> None:
    with pytest.raises(RefusedError, match=r"the body is .* it must be an object"):
        create(body, policy)
