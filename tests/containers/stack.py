"""The shipped stack as an operator runs it: a fresh checkout, `make secrets`, `compose up`.

Nothing is overridden but where images come from, the ports, and the addresses, which must not meet
those of another stack on this machine.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient

from tests.e2e.client import Client

CHECKOUT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 1800  # everything is built, on two busy cores


@dataclass
class Engine:
    """A real Docker engine."""

    host: str
    directory: Path | None  # of an engine of our own
    docker: DockerClient = field(init=False)

    def __post_init__(self) -> None:
        self.docker = DockerClient(self.host, version="auto", timeout=120)

    @property
    def socket(self) -> Path:
        return Path(self.host.removeprefix("unix://"))

    def restart(self) -> None:
        """Ends the engine and starts it again; containers with a restart policy come back."""
        subprocess.run([CHECKOUT / "scripts/docker-engine", "restart"], check=True)


@dataclass
class Account:
    """A person of the tests."""

    user: str
    password: str
    groups: list[str]
    admin: bool = False


@dataclass
class Stack:
    """One compose project, in a checkout of its own."""

    engine: Engine
    directory: Path
    images: dict[str, str]
    project: str = "perijove-test"
    port: int = 9743
    accounts: list[Account] = field(default_factory=list)
    _logins: dict[str, Client] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.directory / "certificates/certificate.pem"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"DOCKER_HOST": self.engine.host}

    @property
    def settings(self) -> dict[str, str]:
        """What stands in `.env`."""
        lines = (self.directory / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if re.match("[A-Z]", line))

    @property
    def admin(self) -> Account:
        return Account("admin", self.settings["PERIJOVE_ADMIN_PASSWORD"], ["admins"], admin=True)

    def install(self) -> None:
        """A checkout with nothing but what git knows, and `make secrets`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        for name in filter(None, names.stdout.split("\0")):
            if (CHECKOUT / name).is_file() and not name.startswith("tests/"):
                (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, self.directory / name)
        self.run("make", "secrets", f"PORT={self.port}", f"HTTP_PORT={self.port + 1}")
        self.configure(
            COMPOSE_PROJECT_NAME=self.project,
            DOCKER_SOCKET=str(self.engine.socket),
            EXTRA_CA_CERTS=_authorities(self.directory / "authorities"),
            PERIJOVE_WORKSPACE_SUBNETS="10.219.0.0/20",
            PERIJOVE_FRONT_SUBNET="10.218.0.0/28",
            PERIJOVE_PROXY_ADDRESS="10.218.0.2",
            **self.images,
        )

    def configure(self, **settings: str) -> None:
        """Writes settings into `.env`, as an operator does with an editor."""
        merged = self.settings | settings
        text = "".join(f"{name}={value}\n" for name, value in merged.items())
        (self.directory / ".env").write_text(text)

    def run(
        self, *command: str, check: bool = True, timeout: float = _READY_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A command in the checkout."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check:
            told = f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            assert done.returncode == 0, told
        return done

    def compose(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`docker compose`."""
        return self.run("docker", "compose", *arguments, **options)

    def perijove(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line, in the builder."""
        return self.compose("run", "--rm", "-T", "builder", *arguments, check=check)

    def up(self) -> None:
        """`docker compose up -d`, until the builder has ended and people can log in.

        `--build`, since an earlier run's images have the same tags; on a new machine it is implied.
        """
        self.compose("up", "-d", "--build")
        self.wait_for_builder()
        self.wait_until_healthy()

    def wait_for_builder(self) -> None:
        builder = self.container("builder")
        status = builder.wait(timeout=_READY_SECONDS)["StatusCode"]
        assert status == 0, builder.logs(tail=40).decode()

    def wait_until_healthy(self, *services: str) -> None:
        """Until all services say that they are well."""
        ends = time.monotonic() + 180
        waiting = set(services or ("nginx", "proxy", "hub", "socket-proxy", "database", "egress"))
        while waiting:
            assert time.monotonic() < ends, f"not healthy: {waiting}\n{self.evidence()}"
            for service in set(waiting):
                container = self.container(service)
                state = container.attrs["State"]
                if state["Running"] and state.get("Health", {}).get("Status") == "healthy":
                    waiting.discard(service)
            time.sleep(0.3)
        self.wait_until(self._lets_people_in, "the hub answers through nginx and the proxy")

    def _lets_people_in(self) -> bool:
        with requests.Session() as visitor:
            visitor.trust_env, visitor.verify = False, str(self.certificate)
            try:
                return visitor.get(f"{self.url}/hub/login").status_code == HTTPStatus.OK
            except requests.ConnectionError:
                return False

    def down(self) -> None:
        """Removes everything, data included."""
        for container in self.workspaces():
            container.remove(force=True)
        self.compose("--profile", "operator", "down", "--volumes", "--timeout", "5", check=False)
        for network in self.engine.docker.networks.list(
            filters={"label": f"perijove.project={self.project}"}
        ):
            network.remove()

    def container(self, service: str) -> Any:
        """The container of a service."""
        return self.engine.docker.containers.get(f"{self.project}-{service}-1")

    def workspaces(self) -> list[Any]:
        """The containers of all workspaces."""
        return list(
            self.engine.docker.containers.list(
                all=True, filters={"label": f"perijove.project={self.project}"}
            )
        )

    def workspace(self, user: str) -> Any:
        """The container of a user's workspace."""
        return self.engine.docker.containers.get(f"{self.project}-workspace-{user}")

    # People.

    def client(self, account: Account) -> Client:
        """That person, logged in."""
        if account.user not in self._logins:
            client = Client(self.url, self.certificate, account.user, account.password)
            assert client.logged_in, f"{account.user} does not get in"
            self._logins[account.user] = client
        return self._logins[account.user].again()

    def forget_logins(self) -> None:
        """Everybody has to log in again."""
        self._logins.clear()

    def account(self, *groups: str) -> Account:
        """The person who is in exactly these groups; made when first asked for."""
        for account in self.accounts:
            if account.groups == [*groups]:
                return account
        account = Account(f"person{uuid.uuid4().hex[:6]}", "correct-horse-battery", [*groups])
        self.sign_up(account)
        self.accounts.append(account)
        return account

    def ensure_stopped(self, account: Account) -> None:
        """Ends a workspace that a failed test has left."""
        client = self.client(account)
        if client.servers():
            client.stop()

    def sign_up(self, account: Account) -> None:
        """Signs a person up, and lets them in as the admin does."""
        with requests.Session() as visitor:
            visitor.trust_env, visitor.verify = False, str(self.certificate)
            visitor.get(f"{self.url}/hub/signup")
            form = {
                "username": account.user,
                "signup_password": account.password,
                "signup_password_confirmation": account.password,
                "_xsrf": visitor.cookies.get("_xsrf", path="/hub/"),
            }
            answer = visitor.post(f"{self.url}/hub/signup", data=form)
        assert answer.status_code == 200, answer.text
        admin = self.client(self.admin)
        answer = admin.http.get(f"{self.url}/hub/authorize/{account.user}")
        assert answer.status_code == 200, answer.text
        answer = admin.hub("POST", f"users/{account.user}")
        assert answer.status_code == 201, answer.text
        for group in account.groups:
            path = f"groups/{group.replace('/', '%2F')}/users"
            answer = admin.hub("POST", path, json={"users": [account.user]})
            assert answer.status_code == 200, answer.text

    def kill(self, service: str) -> None:
        """`kill -9`, until Docker has started the container again.

        Not by `docker kill`: Docker would take it for the operator's wish, and leave it ended.
        """
        state = self.container(service).attrs
        os.kill(state["State"]["Pid"], signal.SIGKILL)
        self.wait_until(
            lambda: self.container(service).attrs["RestartCount"] > state["RestartCount"],
            f"{service} restarts",
        )

    def wait_until(self, is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Asks again and again."""
        ends = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < ends, f"waited in vain until {what}\n{self.evidence()}"
            time.sleep(0.2)

    @contextmanager
    def web_servers(self, *names: str) -> Iterator[list[str]]:
        """Web servers that stand outside: on the egress's own network, under these names."""
        servers = [
            self.engine.docker.containers.run(
                self.settings["PYTHON_IMAGE"],
                ["python3", "-m", "http.server", "80"],
                name=f"{self.project}-{name}.example",
                network=f"{self.project}_egress",
                detach=True,
            )
            for name in names
        ]
        try:
            yield [server.name for server in servers]
        finally:
            for server in servers:
                server.remove(force=True)

    def evidence(self) -> str:
        """The ends of all logs, for a failed test."""
        said = self.compose("logs", "--no-color", "--tail", "40", check=False)
        status = self.compose("ps", "--all", check=False)
        return f"{status.stdout}\n{said.stdout[-12000:]}"


def ensure_engine() -> Engine:
    """A running engine: the machine's, or one of our own. Raises RuntimeError with the reason."""
    started = subprocess.run(
        [CHECKOUT / "scripts/docker-engine", "start"], capture_output=True, text=True, check=False
    )
    if started.returncode:
        raise RuntimeError(started.stderr.strip().splitlines()[-1])
    told = dict(line.split("=", 1) for line in started.stdout.splitlines())
    directory = Path(os.environ.get("PERIJOVE_ENGINE_DIR", "/var/tmp/perijove-engine"))  # noqa: S108
    own = told["DOCKER_HOST"] == f"unix://{directory}/docker.sock"
    return Engine(told["DOCKER_HOST"], directory if own else None)


def build_base_images(engine: Engine) -> dict[str, str]:
    """What a registry would give."""
    built = subprocess.run(
        [sys.executable, CHECKOUT / "tests/containers/registry/build"],
        env=os.environ | {"DOCKER_HOST": engine.host},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in built.stdout.splitlines())


def _authorities(directory: Path) -> str:
    """This machine's own certificate authorities, where a proxy on the way inspects TLS."""
    directory.mkdir()
    for certificate in Path("/usr/local/share/ca-certificates").rglob("*.crt"):
        shutil.copy(certificate, directory)
    return str(directory)
