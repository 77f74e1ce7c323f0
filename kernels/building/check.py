"""The last word before an environment counts: its kernel starts, and runs a cell.

It is started where workspaces will see it.
"""

import asyncio
import queue
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kernels.errors import CheckError
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import Environment, Store

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.manager import AsyncKernelManager

_READY_SECONDS = 60
_PATIENCE_SECONDS = 0.1
_RECONNECT_MS = 10
_CELL = "import sys; print(sys.prefix)"


def check_kernel(environment: Environment, store: Store, variables: dict[str, str]) -> None:
    """Starts the environment's kernel, runs a cell and reads its output.

    Raises:
        CheckError: it does not start in a minute, or does not answer as it must; with its output.
    """
    from jupyter_client.kernelspec import KernelSpec  # noqa: PLC0415 - as in `plan_manager`

    expected = str(store.target(environment.path))
    with tempfile.TemporaryDirectory(prefix="perijove-check-") as scratch:
        log = Path(scratch, "kernel.log")
        manager = plan_manager(Path(scratch))
        manager._kernel_spec = KernelSpec(  # noqa: SLF001 - it is not published, so no name finds it
            argv=as_seen_by_workspaces(
                kernel_argv(environment, store),
                store,
                environment.path.parents[1],
                Path(scratch),
            ),
            env=variables,
            language="python",
        )
        try:
            printed = asyncio.run(_run_cell(manager, log, scratch))
        except (RuntimeError, OSError) as error:
            raise CheckError(
                f"{environment.name}: its kernel does not start ({error}): {_tail(log)}"
            ) from None
    if printed != expected:
        raise CheckError(
            f"{environment.name}: its kernel runs in {printed or 'an unknown place'}, "
            f"expected {expected}."
        )


def kernel_argv(environment: Environment, store: Store) -> list[str]:
    """How the environment's kernel is started, in paths of the workspace."""
    python = store.target(environment.path) / "bin/python"
    return [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def _clean_environment(home: str) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}


def plan_manager(scratch: Path) -> "AsyncKernelManager":
    """A kernel's manager that keeps everything in `scratch`."""
    # A tenth of a second, which verbs that start no kernel need not wait.
    import zmq  # noqa: PLC0415
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415

    manager = AsyncKernelManager(
        transport="ipc",
        ip=str(scratch / "s"),
        connection_file=str(scratch / "kernel.json"),
    )
    # Its sockets are not there yet when we first knock; the usual is to wait 100 ms.
    manager.context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    return manager


async def end_kernel(manager: "AsyncKernelManager") -> None:
    """Kills a kernel. jupyter_client alone looks every 100 ms whether it has ended."""
    process = getattr(manager.provisioner, "process", None)
    if process is not None:
        process.kill()
        await asyncio.to_thread(process.wait)
    await manager.shutdown_kernel(now=True)
    await manager.cleanup_resources()


async def _run_cell(manager: "AsyncKernelManager", log: Path, home: str) -> str:
    """Starts a kernel, and what the cell printed in it.

    Raises:
        OSError: it cannot be started, or takes too long over the cell.
        RuntimeError: it does not answer.
    """
    lines: list[str] = []

    def collect(message: dict[str, dict[str, str]]) -> None:
        if message["content"].get("name") == "stdout":
            lines.append(message["content"]["text"])

    try:
        with log.open("w") as output:
            await manager.start_kernel(
                stdout=output, stderr=output, cwd=home, env=_clean_environment(home)
            )
        client = manager.client()
        try:
            client.start_channels()
            await wait_until_heard(manager, client, _READY_SECONDS)
            await client.execute_interactive(_CELL, timeout=_READY_SECONDS, output_hook=collect)
        finally:
            client.stop_channels()
    finally:
        await end_kernel(manager)
    return "".join(lines).strip()


async def wait_until_heard(
    manager: "AsyncKernelManager", client: "AsyncKernelClient", seconds: float
) -> None:
    """Waits until the kernel answers, and what it publishes arrives here.

    jupyter_client's own `wait_for_ready` then listens 0.2 s longer for stray messages; a cell's
    output is told from those by the message it answers.

    Raises:
        RuntimeError: it ended, or does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        client.kernel_info()
        try:
            await client.get_iopub_msg(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            if not await manager.is_alive():
                raise RuntimeError("it ended before it answered") from None
            if time.monotonic() > deadline:
                raise RuntimeError(f"it does not answer in {seconds:.0f} seconds") from None
        else:
            return


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " ".join(" / ".join(lines[-3:]).split()) or "it said nothing"
