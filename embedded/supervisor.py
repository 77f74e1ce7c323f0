"""Keeps the platform's processes running, and leaves none behind.

Each process has a log of its own and is started again when it dies, with a sentence for the person
who watches. The supervisor adopts whatever its processes leave (workspaces of a hub that was
killed) and ends it with itself; should it be killed outright, the kernel ends its processes, and
the hub on its way out ends the workspaces.
"""

import asyncio
import ctypes
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedded.errors import EmbeddedError

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_SECONDS = 0.2
_REAP_LOOKS = 25  # reading all of /proc is dear, and a zombie hurts nobody for five seconds
_RESTARTS, _RESTART_SECONDS = 5, 60.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    """One process of the platform.

    Attributes:
        name: for people and for the log's file name.
        argv: its command line.
        environment: all its variables.
        directory: where it runs.
        without: what people notice while it is gone, as a sentence.
        stop_seconds: how long it may take to end by itself.
    """

    name: str
    argv: Sequence[str]
    environment: dict[str, str]
    directory: Path
    without: str
    stop_seconds: float = 10


class Supervisor:
    """Runs processes in the order given, and ends them in the opposite order."""

    def __init__(
        self, processes: Sequence[Process], logs: Path, say: Callable[[str], None]
    ) -> None:
        self._plan = {process.name: process for process in processes}
        self._logs = logs
        self._say = say
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, list[float]] = {process.name: [] for process in processes}

    def start(self) -> None:
        """Starts all processes."""
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._logs.mkdir(parents=True, exist_ok=True)
        for name in self._plan:
            log = self.log_file(name)
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
            self._start(name)

    def log_file(self, name: str) -> Path:
        """What a process says."""
        return self._logs / f"{name}.log"

    async def watch(self) -> None:
        """Starts processes again that die, until cancelled.

        Raises:
            EmbeddedError: one dies again and again.
        """
        for look in itertools.count():
            self.look()
            if look % _REAP_LOOKS == 0:
                self._reap()
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """One look at the processes; see `watch`."""
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                self._say(f"{name} {_ending(status)}. {self._plan[name].without}")
                self._check_restarts(name, status)
                _end_session(process.pid)
                self._start(name)
                self._say(f"{name} runs again.")

    def stop(self) -> None:
        """Ends all processes, and whatever they left behind."""
        for name in reversed(self._plan):
            if process := self._running.pop(name, None):
                _end(process, self._plan[name].stop_seconds)
        # What died on the way was handed to us: nothing may outlive the platform.
        for _ in range(5):
            left = psutil.Process().children(recursive=True)
            for orphan in left:
                try:
                    orphan.kill()
                except psutil.NoSuchProcess:
                    continue
            self._reap()
            if not left:
                return
            time.sleep(_LOOK_SECONDS)

    def _start(self, name: str) -> None:
        process = self._plan[name]
        self._starts[name].append(time.monotonic())
        with self.log_file(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                process.argv,
                env=process.environment,
                cwd=process.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077,  # databases, logs and sockets are nobody else's on this machine
                start_new_session=True,  # Ctrl-C is for us; we end the others in order
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - we have one thread when we start them
            )

    def _check_restarts(self, name: str, status: int) -> None:
        recent = [at for at in self._starts[name] if time.monotonic() - at < _RESTART_SECONDS]
        if len(recent) >= _RESTARTS:
            tail = self.log_file(name).read_text(errors="replace").strip().splitlines()[-3:]
            raise EmbeddedError(
                f"{name} {_ending(status)} {len(recent)} times within a minute; its last words: "
                f"{' / '.join(tail) or 'none'} (all of them: {self.log_file(name)})."
            )

    def _reap(self) -> None:
        own = {process.pid for process in self._running.values()}
        for child in psutil.Process().children():
            try:
                if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
            except (psutil.NoSuchProcess, ChildProcessError):
                continue


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_session(leader: int) -> None:
    """Ends what a dead process left of its own session, such as nginx's workers on their port."""
    left = []
    for process in psutil.Process().children(recursive=True):
        try:
            if os.getsid(process.pid) == leader:
                process.kill()
                left.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    psutil.wait_procs(left, timeout=5)


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
