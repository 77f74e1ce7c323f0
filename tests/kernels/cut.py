"""Work that is cut off: killed just before its Nth step, as if the machine had lost its power."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

Work = Callable[..., object]
"""`work(step, ...)`, a function of a module; each call of `step(what)` is a step too."""

_OWNERS = {"Path": Path, "os": os}
# A process forked from one that has all this, and no threads: it begins at once.
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(
    [
        *("pytest", "hypothesis.stateful", "jupyter_client.manager"),
        *("kernels.building.build", "kernels.publishing.rollback", "kernels.disk.collect"),
        "kernels.delivery.receive",
    ]
)


@dataclass(frozen=True)
class Cut:
    """How the work ended: whether it was cut off, what it came to before, and what it raised."""

    is_cut: bool
    steps: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True)
class Running:
    """Work in a process of its own."""

    process: BaseProcess
    _steps: Connection

    def wait(self) -> Cut:
        """Waits until it ended, by itself or killed."""
        steps: list[str] = []
        error = ""
        while True:
            try:
                kind, text = self._steps.recv()
            except EOFError:
                break
            if kind == "step":
                steps.append(text)
            else:
                error = text
        self.process.join()
        assert self.process.exitcode in {0, -signal.SIGKILL}
        return Cut(self.process.exitcode != 0, tuple(steps), error)


def begin(work: Work, *arguments: object, at: int = 0, counted: Sequence[str] = ()) -> Running:
    """Begins `work(step, *arguments)`, to be killed before its step number `at`; 0 is never.

    Calls of the functions named in `counted` (`Path.rename`, `os.link`) are steps too.
    """
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(
        target=_do, args=(there, dict(os.environ), work, arguments, at, counted)
    )
    process.start()
    there.close()
    return Running(process, here)


def cut_off(work: Work, *arguments: object, at: int = 0, counted: Sequence[str] = ()) -> Cut:
    """The same, waited for; what it raises is a failure of the test."""
    done = begin(work, *arguments, at=at, counted=counted).wait()
    assert not done.error, done.error
    return done


def _do(  # noqa: PLR0917 - all that a process is given
    steps: Connection,
    environment: Mapping[str, str],
    work: Work,
    arguments: Sequence[object],
    at: int,
    counted: Sequence[str],
) -> None:
    os.environ.clear()  # it has that of the first test
    os.environ.update(environment)
    count = 0

    def step(what: str) -> None:
        nonlocal count
        count += 1
        steps.send(("step", what))
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in counted:
        owner, function = name.split(".")
        setattr(_OWNERS[owner], function, _counting(name, getattr(_OWNERS[owner], function), step))
    try:
        work(step, *arguments)
    except Exception:  # noqa: BLE001 - whatever it is, the test is told
        steps.send(("error", traceback.format_exc()))
    steps.close()
    os._exit(0)


def _counting(name: str, function: Callable[..., Any], step: Callable[[str], None]) -> Any:
    def before(*arguments: object, **keys: object) -> object:
        step(name)
        return function(*arguments, **keys)

    return before
