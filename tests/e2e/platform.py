"""Starts and ends the real platform for tests, as a person would: `make up`, and Ctrl-C."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.e2e.client import Client

CHECKOUT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 900  # a first start builds every environment, on two busy cores


@dataclass
class Account:
    """One of the demonstration accounts."""

    user: str
    password: str
    groups: list[str]
    admin: bool


@dataclass
class Platform:
    """One installation, started and ended at will."""

    home: Path
    projects: Path
    port: int
    wrapper: tuple[str, ...] = ()  # a program that `make up` is run by
    process: subprocess.Popen[str] | None = None
    children: list[psutil.Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.home / "state/tls/perijove.crt"

    @property
    def said(self) -> str:
        return (self.home.parent / "up.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """What `make up` and `perijove` are started with."""
        return os.environ | {
            "PERIJOVE_HOME": str(self.home),
            "PERIJOVE_PROJECTS": str(self.projects),
            "PORT": str(self.port),
        }

    @property
    def accounts(self) -> list[Account]:
        entries = json.loads((self.home / "accounts.json").read_text())["accounts"]
        return [Account(**entry) for entry in entries]

    def account(self, *groups: str) -> Account:
        """The account that is in exactly these groups (and no admin)."""
        return next(one for one in self.accounts if one.groups == [*groups] and not one.admin)

    @property
    def admin(self) -> Account:
        return next(one for one in self.accounts if one.admin)

    def client(self, account: Account) -> Client:
        """That person, logged in."""
        return Client(self.url, self.certificate, account.user, account.password)

    def perijove(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, on this installation."""
        return subprocess.run(
            [CHECKOUT / ".venv/bin/perijove", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def start(self) -> None:
        """`make up`, until it says that it is ready."""
        with (self.home.parent / "up.log").open("w") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, "make", "up"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        ends = time.monotonic() + _READY_SECONDS
        while "Ready: " not in self.said:
            assert self.process.poll() is None, f"make up ended:\n{self.said}"
            assert time.monotonic() < ends, f"make up is not ready:\n{self.said}"
            time.sleep(0.2)

    def stop(self) -> list[psutil.Process]:
        """Ctrl-C, as a terminal sends it; returns the processes that stay behind."""
        assert self.process is not None
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        self.process = None
        _, alive = psutil.wait_procs(self.children, timeout=30)
        return alive

    def find(self, *words: str) -> psutil.Process:
        """The process of the platform whose command line has all these words."""
        assert self.process is not None
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if all(any(word in part for part in process.cmdline()) for word in words):
                    return process
            except psutil.Error:
                continue
        raise AssertionError(f"no process with {words}")

    def evidence(self) -> str:
        """The ends of all logs, for a failed test."""
        tails = [f"--- make up\n{self.said[-3000:]}"]
        tails += [
            f"--- {log.name}\n{log.read_text(errors='replace')[-2500:]}"
            for log in sorted((self.home / "logs").glob("*.log"))
        ]
        return "\n".join(tails)


def new_platform(directory: Path) -> Platform:
    """An installation of its own, with its own copy of the client projects."""
    projects = directory / "projects"
    shutil.copytree(CHECKOUT / "projects", projects)
    return Platform(directory / "home", projects, _free_ports())


def _free_ports() -> int:
    """The first of two free ports in a row: one for TLS, one for plain HTTP."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
