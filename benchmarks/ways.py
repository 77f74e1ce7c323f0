"""How a build, an installation, ten at once and disk are done, for every figure that needs them."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.scene import EXTRA, PACKAGES, Scene, quiet, timed
from kernels import conda
from kernels.building.build import build_environment
from kernels.locking.lock import Lock, make_lock
from kernels.platform import Platform
from kernels.projects import Project
from kernels.store import Environment, Store

Thing = TypeVar("Thing")


def extra(number: int) -> tuple[str]:
    """One more package, another one each time."""
    return (EXTRA[number % len(EXTRA)],)


@dataclass(frozen=True)
class Built:
    """An environment, and how many seconds of its build were the kernel's check."""

    environment: Environment
    check: float


def build(store: Store, project: Project, lock: Lock | None = None) -> Built:
    """Locks and builds, and tells how many seconds of that the kernel's check took."""
    moments: dict[str, float] = {}

    def report(step: str) -> None:
        moments[step] = time.perf_counter()

    lock = lock or make_lock(project, store, quiet)
    environment = build_environment(project, lock, store, report)
    return Built(environment, moments["finishing"] - moments["starting its kernel"])


def plain_install(scene: Scene, prefix: Path, store: Store, *specs: str) -> None:
    """py-rattler as it comes: no bytecode, nothing checked, nothing published."""
    channel = [scene.channel.as_uri()]
    asked = ["python=3.11", *PACKAGES, *specs]
    packages = conda.solve(asked, channel, Platform())
    conda.install(
        packages, prefix, target=prefix, cache_dir=store.packages, requested=asked, channels={}
    )


def together(things: Sequence[Thing], work: Callable[[Thing], object]) -> float:
    """Seconds until `work` is done for all things, which are begun at the same time."""
    with ThreadPoolExecutor(len(things)) as pool:
        return timed(lambda: list(pool.map(work, things)))


def disk_usage(*paths: Path) -> int:
    """Bytes on disk, every file once."""
    told = subprocess.run(
        ["du", "-s", "-c", "-B1", *paths], capture_output=True, text=True, check=True
    )
    return int(told.stdout.splitlines()[-1].split()[0])
