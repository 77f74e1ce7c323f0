"""What `perijove doctor` asks of Docker, by the calls that the hub may make."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

from docker import APIClient
from docker.errors import DockerException, NotFound
from docker.utils import kwargs_from_env

from operating.errors import OperatingError
from operating.findings import Finding, reason
from spawner.container import plan_subnet
from spawner.names import PROJECT_LABEL
from spawner.settings import SUBNET_PREFIX, DockerSettings

_OLDEST_API = (1, 45)
_SECONDS = 10


@contextmanager
def connect() -> Iterator[APIClient]:
    """The engine at DOCKER_HOST. Raises OperatingError if nobody answers there."""
    at = kwargs_from_env()
    try:
        client = APIClient(**at, version="auto", timeout=_SECONDS)
    except DockerException as error:
        raise OperatingError(
            f"Docker does not answer at {at.get('base_url', 'its usual socket')} "
            f"({_cause(error)}); 'docker compose up -d' starts the way to it."
        ) from None
    try:
        yield client
    finally:
        client.close()


def check_engine() -> Finding:
    """Whether it answers, and is new enough."""
    with connect() as client:
        told = client.version()
    version, api = told["Version"], told["ApiVersion"]
    text = f"Docker {version}, API {api}"
    if tuple(int(part) for part in api.split(".")) < _OLDEST_API:
        return Finding(
            "engine", ok=False, text=f"{text}: too old; install Docker 26 (API 1.45) or newer"
        )
    return Finding("engine", ok=True, text=text)


def check_images(site: DockerSettings) -> Finding:
    """Whether there is an image to start workspaces from: it is never pulled."""
    try:
        with connect() as client:
            found = client.inspect_image(site.image)
    except NotFound:
        return Finding(
            "images",
            ok=False,
            text=f"{site.image} is missing; build it with 'docker compose build workspace', or "
            "pull it",
        )
    made = str(found["Created"])[:10]
    return Finding("images", ok=True, text=f"{site.image}, made on {made}")


def check_networks(site: DockerSettings) -> Finding:
    """Whether the next workspace can have a network of its own."""
    with connect() as client:
        taken = _taken(client, site)
    inside = [subnet for subnet in taken if subnet.subnet_of(site.subnets)]
    room = 2 ** (SUBNET_PREFIX - site.subnets.prefixlen)
    text = f"{len(inside)} of {room} networks for workspaces in {site.subnets} are taken"
    if plan_subnet(site.subnets, inside) is None:
        return Finding(
            "networks", ok=False, text=f"{text}; give more with PERIJOVE_WORKSPACE_SUBNETS in .env"
        )
    if len(taken) > len(inside):
        text += f", and {len(taken) - len(inside)} outside of it: the pool was another one"
    return Finding("networks", ok=True, text=text)


def find_running_workspaces(site: DockerSettings) -> list[str]:
    """The names of workspaces' containers that run; none where no engine answers."""
    try:
        with connect() as client:
            there = client.containers(filters={"label": f"{PROJECT_LABEL}={site.project}"})
    except (OperatingError, DockerException):
        return []
    return sorted(container["Names"][0].lstrip("/") for container in there)


def _cause(error: BaseException) -> str:
    """What was wrong first: docker-py packs errors into errors."""
    for cause in error.args:
        if isinstance(cause, BaseException):
            return _cause(cause)
    told = getattr(error, "strerror", None) or (error.__context__ and _cause(error.__context__))
    return told or reason(error)


def _taken(client: APIClient, site: DockerSettings) -> list[IPv4Network]:
    label = f"{PROJECT_LABEL}={site.project}"
    return [
        IPv4Network(config["Subnet"])
        for network in client.networks(filters={"label": label})
        for config in network["IPAM"]["Config"]
    ]
