"""What happens when a kernel dies: it starts again, and the person is told if memory ran out.

Jupyter starts a dead kernel anew, and its page says no more than that. This restarter compares how
many processes the workspace lost for lack of memory with the number from before the kernel's death,
and sends an event that our extension of JupyterLab shows.
"""

from collections import deque
from pathlib import Path
from typing import Any

from jupyter_client.ioloop.restarter import AsyncIOLoopKernelRestarter
from traitlets import Unicode

from workspace.memory import find_limit, find_oom_kills, out_of_memory_message

EVENT = "https://perijove/events/out-of-memory"  # as in out-of-memory.yaml

# A process that is being ended for lack of memory is counted first and lives on for as long as it
# takes to free what it holds. One look could fall in between; so the count of two looks ago counts.
_LOOKS = 2


def _load_jupyter_server_extension(server: Any) -> None:
    """Make the event known as the server starts: a page hears of those known when it connects."""
    server.event_logger.register_event_schema(Path(__file__).with_name("out-of-memory.yaml"))


class WorkspaceKernelRestarter(AsyncIOLoopKernelRestarter):
    """Starts a dead kernel again, and sends an event if it was ended for lack of memory."""

    cgroup = Unicode(
        "/sys/fs/cgroup",
        config=True,
        help="""The directory that says how much memory the workspace may take, and how many
        processes were ended for lack of it: Linux's control groups, version 1 or 2.""",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._counts: deque[int | None] = deque(maxlen=_LOOKS)
        self.add_callback(self._tell_if_memory_ran_out)

    def start(self) -> None:
        """Start to look after the kernel; what happened before is not its story."""
        self._forget()
        super().start()

    async def poll(self) -> None:  # type: ignore[override] # as of the class it extends
        """Look whether the kernel lives; start it again if not."""
        await super().poll()
        self._counts.append(self._count())

    def _tell_if_memory_ran_out(self) -> None:
        before, now = self._counts[0], self._count()
        self._forget()  # it is told once, even if the kernel does not come up again
        if before is None or now is None or now <= before:
            return
        message = out_of_memory_message(find_limit(Path(self.cgroup)))
        kernel = self.kernel_manager
        self.log.warning("Kernel %s: %s", kernel.kernel_id, message)
        kernel.emit(schema_id=EVENT, data={"kernel_id": kernel.kernel_id, "message": message})

    def _forget(self) -> None:
        self._counts.extend([self._count()] * _LOOKS)

    def _count(self) -> int | None:
        return find_oom_kills(Path(self.cgroup))
