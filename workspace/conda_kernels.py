"""People's own conda environments as kernels, found by nb_conda_kernels where there is conda.

Conda takes most of a second to answer, so it is asked in a thread: when the server has started, and
again when a listing finds the last answer old. Nobody waits for it. The store's environments are
published under names of their own, and conda's base and the server's own environment are not for
projects; none of them is shown here.
"""

import importlib
import importlib.util
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets.config import LoggingConfigurable

OLD_S = 30.0  # asking costs 0.7 s of a processor, and launchers list every 5 s

Specs = dict[str, dict[str, Any]]  # by name: `resource_dir` and `spec`


class CondaError(Exception):
    """Conda, or nb_conda_kernels, had no answer; the text says why."""


class CondaKernels:
    """What is known of people's own environments; asks anew in a thread when that is old."""

    def __init__(
        self, ask: Callable[[], Specs], hidden: tuple[Path, ...], log: logging.Logger
    ) -> None:
        self._ask = ask
        self._hidden = hidden
        self._log = log
        self._known: Specs = {}
        self._asked: float | None = None
        self._thread: threading.Thread | None = None
        self._reported = ""

    def specs(self) -> Specs:
        """Return what is known, at once; start to ask if that is old."""
        if self._asked is None or time.monotonic() - self._asked > OLD_S:
            self.refresh()
        return self._known

    def refresh(self) -> None:
        """Start to ask, if nobody is asking."""
        if self._thread is None or not self._thread.is_alive():
            self._asked = time.monotonic()
            self._thread = threading.Thread(target=self._learn, name="conda", daemon=True)
            self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait for the answer to what is being asked, but not for long."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _learn(self) -> None:
        try:
            found = self._ask()
        except Exception as error:  # noqa: BLE001 # whatever goes wrong there, kernels are listed
            if str(error) != self._reported:
                self._reported = str(error)
                self._log.warning("Conda's environments could not be listed: %s", error)
        else:
            self._reported = ""
            self._known = {name: found[name] for name in found if is_own(found[name], self._hidden)}


def is_own(model: dict[str, Any], hidden: tuple[Path, ...]) -> bool:
    """Return whether a kernel of nb_conda_kernels is of an environment of the person's own."""
    about = model["spec"]["metadata"]
    environment = Path(about["conda_env_path"])
    return not about["conda_is_base_environment"] and not any(
        environment.is_relative_to(folder) for folder in hidden
    )


def find_conda_kernels(parent: LoggingConfigurable, store: Path) -> CondaKernels | None:
    """Return the kernels of conda's environments, None where there is no conda to ask."""
    if shutil.which("conda") is None or importlib.util.find_spec("nb_conda_kernels") is None:
        return None
    return CondaKernels(lambda: _ask_conda(parent), (store, Path(sys.prefix)), parent.log)


async def _start_jupyter_server_extension(server: Any) -> None:
    """Ask conda once the server answers, so that its answer is there when a page asks."""
    server.kernel_spec_manager.refresh_conda_kernels()


def _load_jupyter_server_extension(server: Any) -> None:
    """Nothing to do before the server has started; Jupyter expects to find this."""


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _ask_conda(parent: LoggingConfigurable) -> Specs:
    """Return all kernels that nb_conda_kernels finds, as of now.

    A new manager each time, so that none of its own caches answers. Raises CondaError.
    """
    library = importlib.import_module("nb_conda_kernels.manager")  # there only where conda is

    class Manager(library.CondaKernelSpecManager):  # type: ignore[name-defined]
        def wait_for_child_processes_cleanup(self) -> None:
            """Leave the server's children alone: they are kernels, and others wait for them."""

    log = logging.Logger("nb_conda_kernels")  # noqa: LOG001 # this call's alone
    complaints = _Complaints()
    log.addHandler(complaints)
    found: Specs = Manager(conda_only=True, config=parent.config, log=log).get_all_specs()
    if complaints.messages and not found:
        raise CondaError(complaints.messages[0])
    return found
