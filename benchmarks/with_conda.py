"""conda and nb_conda_kernels, where the machine has them: `CONDA_EXE` names a conda."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scene import PACKAGES, Scene, start_kernel, timed

_LISTING = """
import time
from nb_conda_kernels.manager import CondaKernelSpecManager
begun = time.perf_counter()
found = len(CondaKernelSpecManager(ensure_native_kernel=False, conda_only=True).get_all_specs())
print(found, time.perf_counter() - begun)
"""


@dataclass(frozen=True)
class Conda:
    """A conda, used with the solver that its own configuration names.

    Attributes:
        program: its `conda`.
    """

    program: Path

    @property
    def version(self) -> str:
        """What it calls itself, with its solver: `conda 26.7.1 (rattler)`."""
        told = json.loads(self._run("info", "--json"))
        return f"conda {told['conda_version']} ({told['solver']['name']})"

    @property
    def lists_kernels(self) -> bool:
        """Whether nb_conda_kernels is beside it."""
        argv = [self._python, "-c", "import nb_conda_kernels.manager"]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0

    def solve(self, specs: Sequence[str], channel: Path, scratch: Path) -> float:
        """Seconds to choose packages, with what it takes to start conda."""
        return timed(lambda: self._create("--dry-run", scratch, specs, channel, scratch / "pkgs"))

    def create(self, scene: Scene, name: str, packages: Path, *more: str) -> float:
        """Seconds for an environment and its kernel; packages are unpacked under `packages`."""
        prefix = scene.fresh(name)

        def work() -> None:
            asked = ["python=3.11", *PACKAGES, *more]
            self._create("--yes", prefix, asked, scene.channel, packages)
            start_kernel(prefix / "bin/python")

        return timed(work)

    def list_kernels(self, count: int, envs: Path) -> float:
        """Seconds until nb_conda_kernels knows the kernels of `count` environments."""
        for number in range(count):
            prefix = envs / f"e{number}"
            kernel = prefix / "share/jupyter/kernels/python3/kernel.json"
            if not kernel.exists():
                kernel.parent.mkdir(parents=True)
                kernel.write_text(
                    json.dumps({"argv": ["python"], "display_name": "x", "language": "python"})
                )
                (prefix / "conda-meta").mkdir()
                (prefix / "conda-meta/history").touch()
        told = subprocess.run(
            [self._python, "-c", _LISTING],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"CONDA_EXE": str(self.program), "CONDA_ENVS_PATH": str(envs)},
        ).stdout.split()
        if int(told[0]) < count:
            raise RuntimeError(f"nb_conda_kernels lists {told[0]} kernels, expected {count}.")
        return float(told[1])

    @property
    def _python(self) -> str:
        return str(self.program.with_name("python"))

    def _create(
        self, how: str, prefix: Path, specs: Sequence[str], channel: Path, packages: Path
    ) -> None:
        self._run(
            *("create", how, "--quiet", "--override-channels", "--channel", channel.as_uri()),
            *("--prefix", str(prefix), *specs),
            packages=packages,
        )

    def _run(self, *arguments: str, packages: Path | None = None) -> str:
        caches = {"CONDA_PKGS_DIRS": str(packages)} if packages else {}
        return subprocess.run(
            [self.program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | caches,
        ).stdout


def find_conda() -> Conda | None:
    """conda itself, where `CONDA_EXE` names it."""
    program = os.environ.get("CONDA_EXE")
    return Conda(Path(program)) if program else None
