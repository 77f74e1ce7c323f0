"""Runs a notebook's cells in the environment's kernel, and stops at the first that fails.

What they print goes to the terminal; pictures are not kept, and the notebook stays as it is. A
Jupyter with the archive's kernel (`./install-kernel`) shows it all.
"""

import json
import sys
import tempfile
from pathlib import Path

_MINUTES = 60


def run_notebook(path: Path) -> int:
    """Runs the notebook at `path` in its own folder; 1 if a cell failed, else 0."""
    # Of the environment: ipykernel brings it.
    from jupyter_client.kernelspec import KernelSpec  # noqa: PLC0415
    from jupyter_client.manager import KernelManager  # noqa: PLC0415

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    with tempfile.TemporaryDirectory() as scratch:
        # Sockets are files: no port, no network.
        manager = KernelManager(
            transport="ipc", ip=scratch + "/s", connection_file=scratch + "/kernel.json"
        )
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        manager._kernel_spec = KernelSpec(argv=argv, language="python")  # noqa: SLF001 - it has no name
        manager.start_kernel(cwd=str(path.parent))
        client = manager.blocking_client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            for cell in cells:
                if cell["cell_type"] != "code":
                    continue
                text = "".join(cell["source"])
                reply = client.execute_interactive(text, timeout=60 * _MINUTES, allow_stdin=False)
                if reply["content"]["status"] != "ok":
                    return 1
            return 0
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    sys.exit(run_notebook(Path(sys.argv[1]).resolve()))
