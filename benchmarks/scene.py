"""What the benchmarks are taken on: real packages of the registry, and everybody's way to them.

The same wheels serve all: uv installs them as they are, py-rattler and Perijove as the conda
packages that the site channel makes of them. Nothing is downloaded while something is measured.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec

from kernels import site_channel
from kernels.building.check import end_kernel, plan_manager, wait_until_heard
from kernels.platform import Platform
from kernels.projects import Project, load_projects
from kernels.store import Store, ensure_store

PACKAGES = ("ipykernel", "numpy>=2,<3", "pandas>=2.2,<3", "pip")
EXTRA = ("six", "attrs", "cycler", "toolz", "idna")
ROUNDS = 5
UV = (sys.executable, "-m", "uv")


def quiet(_step: str) -> None:
    """Takes what a builder says on the way."""


@dataclass(frozen=True)
class Scene:
    """A directory with a channel, the wheels it was made of, and room for stores."""

    root: Path

    @property
    def channel(self) -> Path:
        """A conda channel that holds what `PACKAGES` asks for."""
        return self.root / "channel"

    @property
    def wheelhouse(self) -> Path:
        """The same packages as wheels."""
        return self.root / "wheelhouse"

    def store(self, name: str) -> Store:
        """An empty store, used at its own path: what bubblewrap costs is nobody's here."""
        root = self.root / "stores" / name
        shutil.rmtree(root, ignore_errors=True)
        return ensure_store(root, root)

    def project(self, name: str, *specs: str) -> Project:
        """A project that asks for `PACKAGES` and more."""
        path = self.root / "projects/acme" / name
        (path / "examples").mkdir(parents=True, exist_ok=True)
        (path.parent / "client.toml").write_text('title = "Acme"\n')
        text = f'title = "{name}"\ndescription = "A benchmark."\nowner = "nobody"\n'
        (path / "project.toml").write_text(text)
        asked = json.dumps(["python=3.11", *PACKAGES, *specs])
        channels = json.dumps([self.channel.as_uri()])
        (path / "environment.yml").write_text(f"channels: {channels}\ndependencies: {asked}\n")
        return load_projects(self.root / "projects").find(f"acme/{name}")

    def fresh(self, name: str) -> Path:
        """A directory that does not exist."""
        path = self.root / "scratch" / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def make_scene(root: Path) -> Scene:
    """Fetches and packages what is needed, once; about a minute the first time."""
    scene = Scene(root)
    wheels = root / "wheels"
    (scene.channel / "noarch").mkdir(parents=True, exist_ok=True)
    specs = ["python=3.11", *PACKAGES, *EXTRA]
    site_channel.ensure_packages(scene.channel, wheels, specs, Platform(), quiet)
    scene.wheelhouse.mkdir(exist_ok=True)
    for wheel in wheels.glob("*/*.whl"):
        target = scene.wheelhouse / wheel.name
        if not target.exists():
            target.hardlink_to(wheel)
    return scene


def make_venv(
    scene: Scene, path: Path, *, cache: Path, more: Sequence[str] = (), compiled: bool = False
) -> None:
    """uv's way to the same: a virtual environment, from wheels on disk.

    It is not `compiled` by default, which is uv's own default: an environment is there much sooner,
    and its first kernel writes the bytecode of what it imports.
    """
    environment = os.environ | {"UV_CACHE_DIR": str(cache)}
    python = ("--python", str(path / "bin/python"))
    wheels = ["--no-index", "--find-links", str(scene.wheelhouse)]
    wheels += ["--compile-bytecode"] if compiled else []
    for command in (
        ("venv", "--quiet", "--python", sys.executable, str(path)),
        ("pip", "install", "--quiet", *python, *wheels, *PACKAGES, *more),
    ):
        subprocess.run([*UV, *command], check=True, env=environment)


def start_kernel(python: Path, variables: Mapping[str, str] | None = None) -> float:
    """Seconds until a kernel of `python` has run a cell, as jupyter_client starts it."""
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return asyncio.run(_start(KernelSpec(argv=argv, env=dict(variables or {}))))


async def _start(spec: KernelSpec) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        manager = plan_manager(Path(scratch))
        manager._kernel_spec = spec  # noqa: SLF001 - it is not published, so no name finds it
        begun = time.perf_counter()
        await manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            await wait_until_heard(manager, client, 120)
            await client.execute_interactive("1 + 1", timeout=60, output_hook=lambda _: None)
            return time.perf_counter() - begun
        finally:
            client.stop_channels()
            await end_kernel(manager)


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleaved(
    ways: Mapping[str, Callable[[int], float]], rounds: int = ROUNDS
) -> dict[str, float]:
    """The median of each way, taken in turns, so that a busy moment hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            taken[name].append(way(number))
    return {name: statistics.median(values) for name, values in taken.items()}
