"""The `process` engine: workspaces as local processes, walled off by bubblewrap.

It only translates the plan. A workspace outlives the hub (a hub that was killed finds it again by
its process id and start time) but never its keeper, a small process that stands between the two
and takes the whole workspace down with it.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from jupyterhub.utils import random_port
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from spawner import unwalled
from spawner.bubblewrap import RUNTIME_DIRECTORY, account_files, plan_command
from spawner.plan import Workspace
from spawner.planned import PlannedSpawner, prepare_home
from spawner.settings import CHECKOUT, server_directories

_KEEPER = ["/bin/sh", "-c", 'umask 022; ulimit -d "$0"; "$@" & wait $!']
"""Waits for the workspace; `$0` is the most memory each of its processes may take, in KiB."""
_PROBE_SECONDS = 0.02


class ProcessSpawner(PlannedSpawner):
    """Starts a workspace as a local process behind bubblewrap's walls."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pid = 0
        self._started = 0.0
        self._child: subprocess.Popen[bytes] | None = None

    # What survives a restart of the hub.

    def get_state(self) -> dict[str, Any]:
        """The keeper's process id and start time, which no other process shares."""
        state = super().get_state()
        if self._pid:
            state |= {"pid": self._pid, "started": self._started}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up a workspace that an earlier hub started."""
        super().load_state(state)
        self._pid = state.get("pid", 0)
        self._started = state.get("started", 0.0)

    def clear_state(self) -> None:
        """Forgets the workspace."""
        super().clear_state()
        self._pid, self._started, self._child = 0, 0.0, None

    # Start, look, stop.

    async def start(self) -> tuple[str, int]:
        """Starts the workspace and returns where it listens, once it answers there."""
        workspace: Workspace = self.workspace
        self.port = random_port()
        command = [
            *(sys.executable, "-I", "-m", "jupyterhub.singleuser"),
            f"--config={CHECKOUT}/workspace/jupyter_server_config.py",
            *self.get_args(),
        ]
        prepare_home(workspace)
        if not self.settings.is_walled:
            unwalled.prepare_home(workspace)
        with self._log_file(workspace).open("wb") as log:
            self._child = subprocess.Popen(  # noqa: ASYNC220 - it returns at once; asyncio would tie it to us
                [*_KEEPER, _memory_limit(workspace), *self._walled(workspace, command)],
                env=self._environment(workspace),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=workspace.mounts[0].source,
            )
        self._pid = self._child.pid
        self._started = psutil.Process(self._pid).create_time()
        self._held = workspace.grants
        await self._wait_until_answering(workspace)
        return "127.0.0.1", self.port

    async def poll(self) -> int | None:
        """None while the workspace runs as it should, else its exit status.

        A workspace whose user has lost an entitlement that it still shows is stopped here.
        """
        own = self._child
        status = own.poll() if own is not None else None if self._keeper() else 0
        if status is not None:
            self.clear_state()
            return status
        return 0 if await self.stop_if_not_entitled() else None

    async def stop(self, now: bool = False) -> None:
        """Ends the workspace: kernels are shut down first, unless it has to be `now`."""
        keeper = self._keeper()
        if keeper is None:
            return
        processes = keeper.children(recursive=True)
        server = next((process for process in processes if _is_server(process)), None)
        if server is not None and not now:
            _signal(server, signal.SIGTERM)
            await self._wait_for_end(keeper, self.stop_seconds)
        _signal(keeper, signal.SIGKILL)
        await self._wait_for_end(keeper, self.stop_seconds)

    # Details.

    def _walled(self, workspace: Workspace, command: list[str]) -> list[str]:
        if not self.settings.is_walled:
            return command
        accounts = self.settings.state / "workspaces" / workspace.name
        accounts.mkdir(parents=True, exist_ok=True)
        for name, text in account_files(workspace).items():
            (accounts / name).write_text(text)
        return plan_command(
            workspace,
            command,
            bwrap=self.settings.bwrap,
            server=server_directories(),
            accounts=accounts,
        )

    def _environment(self, workspace: Workspace) -> dict[str, str]:
        environment = {**self.get_env(), "PATH": "/usr/local/bin:/usr/bin:/bin"}
        if not self.settings.is_walled:
            return environment | dict(unwalled.plan_environment(workspace))
        runtime = {"JUPYTER_RUNTIME_DIR": RUNTIME_DIRECTORY, "XDG_RUNTIME_DIR": RUNTIME_DIRECTORY}
        return environment | dict(workspace.environment) | runtime

    def _log_file(self, workspace: Workspace) -> Path:
        directory: Path = self.settings.logs
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"workspace-{workspace.name}.log"

    async def _wait_until_answering(self, workspace: Workspace) -> None:
        """Asks often, so that nobody waits for a server that is up; the hub would ask ever less."""
        client = AsyncHTTPClient()
        url = f"http://127.0.0.1:{self.port}{self.server.base_url}api"
        while True:
            if self._child is not None and self._child.poll() is not None:
                raise RuntimeError(
                    f"The workspace of {workspace.user} ended while it started: "
                    f"{_tail(self._log_file(workspace))}"
                )
            try:
                await client.fetch(url, request_timeout=5)
            except HTTPClientError as error:
                if error.code < 500:  # noqa: PLR2004 - it answers, and asks who is there
                    return
            except OSError:
                pass
            else:
                return
            await asyncio.sleep(_PROBE_SECONDS)

    async def _wait_for_end(self, process: psutil.Process, seconds: float) -> None:
        for _ in range(int(seconds / _PROBE_SECONDS)):
            if self._child is not None:
                self._child.poll()
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return
            await asyncio.sleep(_PROBE_SECONDS)

    def _keeper(self) -> psutil.Process | None:
        """The workspace's keeper, if it is still the process we started."""
        try:
            process = psutil.Process(self._pid) if self._pid else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process if abs(process.create_time() - self._started) < 1 else None


def _memory_limit(workspace: Workspace) -> str:
    """What `ulimit -d` takes: without control groups, which need root, the limit is per process."""
    return str(workspace.limits.memory // 1024)


def _is_server(process: psutil.Process) -> bool:
    try:
        return "jupyterhub.singleuser" in process.cmdline() and process.name() != "bwrap"
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " / ".join(line.strip() for line in lines[-3:]) or "it said nothing"
