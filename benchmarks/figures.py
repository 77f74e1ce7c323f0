"""Each figure: what is measured, by whom, and what the target is."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

from benchmarks.scene import (
    EXTRA,
    Scene,
    interleaved,
    make_venv,
    quiet,
    start_kernel,
    timed,
)
from benchmarks.synthetic import SPECS, ensure_large_channel
from benchmarks.ways import build, disk_usage, extra, plain_install, together
from benchmarks.with_conda import Conda, find_conda
from kernels.conda import solve
from kernels.disk.room import measure_store
from kernels.locking.lock import make_lock
from kernels.platform import Platform
from kernels.publishing.publish import publish
from kernels.store import FINISHED
from workspace.kernelspecs import StoreKernelSpecManager

Way = Callable[[int], float]


@dataclass(frozen=True)
class Figure:
    """One row: medians in `unit` by who took them; the first is ours.

    Attributes:
        title: what was measured.
        unit: of the values.
        values: by name, ours first.
        target: what ours must stay under, in the unit or as a share of `against`.
        against: whose value the target is a share of; empty if it is absolute.
    """

    title: str
    unit: str
    values: dict[str, float]
    target: float | None = None
    against: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        base = self.values[self.against] if self.against else 1.0
        return self.ours < self.target * base

    @property
    def ours(self) -> float:
        """Our value."""
        return next(iter(self.values.values()))


def measure_all(scene: Scene) -> Iterator[Figure]:
    """All figures, one after the other."""
    conda = find_conda()
    yield from publishing(scene, conda)
    yield from building(scene, conda)
    yield from starting(scene)
    yield from listing(scene, conda)
    yield at_once(scene)
    yield disk(scene)
    yield solving(scene, conda)


def publishing(scene: Scene, conda: Conda | None) -> Iterator[Figure]:
    """From an edit of environment.yml to the kernel listed in a running workspace."""
    store, uv_cache = scene.store("publish"), scene.root / "uv-cache"
    build(store, scene.project("warm", *EXTRA))
    make_venv(scene, scene.fresh("warm"), cache=uv_cache, more=EXTRA)
    steps: list[tuple[float, float]] = []

    def ours(number: int) -> float:
        project = scene.project("edited", *extra(number))
        kernels = StoreKernelSpecManager(store=str(store.root))
        checks = []

        def work() -> None:
            built = build(store, project)
            publish(project, built.environment, store)
            kernels.get_kernel_spec(f"acme.edited.v{built.environment.version}")
            checks.append(built.check)

        total = timed(work)
        steps.append((total, total - checks[0]))
        return total

    def uv(number: int) -> float:
        path = scene.fresh(f"venv-{number}")
        directory = scene.fresh("jupyter") / "kernels"

        def work() -> None:
            make_venv(scene, path, cache=uv_cache, more=extra(number))
            start_kernel(path / "bin/python")
            (directory / "edited").mkdir(parents=True)
            (directory / "edited/kernel.json").write_text(
                json.dumps({"argv": [str(path / "bin/python")], "display_name": "Edited"})
            )
            KernelSpecManager(kernel_dirs=[str(directory)]).get_kernel_spec("edited")

        return timed(work)

    def rattler(number: int) -> float:
        prefix = scene.fresh(f"rattler-{number}")

        def work() -> None:
            plain_install(scene, prefix, store, *extra(number))
            start_kernel(prefix / "bin/python")

        return timed(work)

    ways: dict[str, Way] = {
        "Perijove": ours,
        "uv, a virtual environment": uv,
        "py-rattler": rattler,
    }
    if conda:
        packages = scene.root / "conda-pkgs"
        conda.create(scene, "conda-warm", packages, *EXTRA)
        ways["conda"] = lambda n: conda.create(scene, f"conda-{n}", packages, *extra(n))
    values = interleaved(ways)
    yield Figure("Edit to kernel listed, packages cached, kernel checked", "s", values, target=1.0)
    yield Figure(
        "Of that, the store's work: solve, install, bytecode, publish",
        "s",
        {"Perijove": sorted(steps)[len(steps) // 2][1]},
        target=0.3,
    )


def building(scene: Scene, conda: Conda | None) -> Iterator[Figure]:
    """A build alone: packages on the local disk, nothing of them in the caches; and cached."""

    def ours(number: int) -> float:
        store = scene.store(f"cold-{number}")
        project = scene.project("cold")
        lock = make_lock(project, store, quiet)
        return timed(lambda: build(store, project, lock))

    def rattler(number: int) -> float:
        store = scene.store(f"rattler-{number}")
        prefix = scene.fresh(f"cold-rattler-{number}")

        def work() -> None:
            plain_install(scene, prefix, store)
            start_kernel(prefix / "bin/python")

        return timed(work)

    def uv(number: int) -> float:
        path, cache = scene.fresh(f"cold-uv-{number}"), scene.fresh(f"cold-cache-{number}")

        def work() -> None:
            make_venv(scene, path, cache=cache)
            start_kernel(path / "bin/python")

        return timed(work)

    ways: dict[str, Way] = {"Perijove": ours, "uv": uv, "py-rattler": rattler}
    if conda:
        ways["conda"] = lambda n: conda.create(scene, f"cold-{n}", scene.fresh("cold-pkgs"))
    yield Figure("Build with nothing cached, kernel checked", "s", interleaved(ways))


def starting(scene: Scene) -> Iterator[Figure]:
    """Until a kernel has run a cell."""
    store = scene.store("start")
    environment = build(store, scene.project("start")).environment
    variables = json.loads((environment.path / FINISHED).read_text())["variables"]
    expanded = {key: os.path.expandvars(value) for key, value in variables.items()}
    venv, plain = scene.fresh("start-venv"), scene.fresh("start-rattler")
    make_venv(scene, venv, cache=scene.root / "uv-cache", compiled=True)
    plain_install(scene, plain, store)
    subprocess.run(["chmod", "-R", "a-w", plain], check=True)  # as a mount that is read-only
    read_only = {"PYTHONDONTWRITEBYTECODE": "1"}
    ways: dict[str, Way] = {
        "Perijove": lambda _: start_kernel(environment.path / "bin/python", expanded),
        "bare interpreter": lambda _: start_kernel(venv / "bin/python"),
        "py-rattler": lambda _: start_kernel(plain / "bin/python", read_only),
    }
    values = interleaved(ways, rounds=15)
    subprocess.run(["chmod", "-R", "u+w", plain], check=True)
    yield Figure("Kernel start", "s", values, target=1.05, against="bare interpreter")


def listing(scene: Scene, conda: Conda | None) -> Iterator[Figure]:
    """All kernels, as a launcher asks for them every five seconds."""
    for count in (1, 10, 100):
        store, plain = scene.fresh("listing"), scene.fresh("listing-plain")
        for number in range(count):
            text = json.dumps(
                {"argv": ["python"], "display_name": f"Kernel {number}", "language": "python"}
            )
            name = f"acme.p{number}"
            for folder in (store / f"acme/p{number}/kernels" / name, plain / name):
                folder.mkdir(parents=True)
                (folder / "kernel.json").write_text(text)
        ours = StoreKernelSpecManager(store=str(store), kernel_dirs=[])
        theirs = KernelSpecManager(kernel_dirs=[str(plain)], ensure_native_kernel=False)
        ways: dict[str, Way] = {
            "Perijove": lambda _, m=ours: timed(m.get_all_specs) * 1000,  # type: ignore[misc]
            "jupyter_client": lambda _, m=theirs: timed(m.get_all_specs) * 1000,  # type: ignore[misc]
        }
        values = interleaved(ways, rounds=21)
        if conda and conda.lists_kernels:
            envs = scene.fresh("envs")
            asked = {"nb_conda_kernels": lambda _, n=count, e=envs: conda.list_kernels(n, e) * 1000}
            values |= interleaved(asked)
        target = 10.0 if count == 100 else None  # noqa: PLR2004 - the target's own number
        yield Figure(f"Listing of {count} kernels", "ms", values, target=target)


def at_once(scene: Scene) -> Figure:
    """Ten projects built at the same time, nothing cached."""

    def ours(number: int) -> float:
        store = scene.store(f"ten-{number}")
        projects = [scene.project(f"ten{index}") for index in range(10)]
        return together(projects, lambda project: build(store, project))

    def uv(number: int) -> float:
        cache = scene.fresh(f"ten-cache-{number}")
        paths = [scene.fresh(f"ten-venv-{index}") for index in range(10)]

        def one(path: Path) -> None:
            make_venv(scene, path, cache=cache)
            start_kernel(path / "bin/python")

        return together(paths, one)

    values = interleaved({"Perijove": ours, "uv": uv})
    return Figure("Ten builds at once, nothing cached, kernels checked", "s", values)


def disk(scene: Scene) -> Figure:
    """Ten projects with the same packages, one more each."""
    store, cache = scene.store("disk"), scene.fresh("disk-cache")
    projects = [scene.project(f"disk{index}", *extra(index)) for index in range(10)]
    made = [build(store, project).environment for project in projects]
    venvs = scene.fresh("disk-venvs")
    for index in range(10):
        make_venv(scene, venvs / str(index), cache=cache, more=extra(index))
    size = measure_store(store, made)
    separate = sum(disk_usage(environment.path) for environment in made)
    return Figure(
        "Disk for ten environments that share packages, caches included",
        "MB",
        {
            "Perijove": size.real / 1e6,
            "uv (hard links to its cache)": disk_usage(venvs, cache) / 1e6,
            "ten separate copies": separate / 1e6,
        },
        target=0.3,
        against="ten separate copies",
    )


def solving(scene: Scene, conda: Conda | None) -> Figure:
    """A solve on a channel of conda-forge's size."""
    channel = ensure_large_channel(scene.root / "large-channel")
    platform = Platform()
    ways: dict[str, Way] = {
        "Perijove": lambda _: timed(lambda: solve(SPECS, [channel.as_uri()], platform))
    }
    if conda:
        ways["conda, with its start"] = lambda _: conda.solve(
            SPECS, channel, scene.fresh("conda-solve")
        )
    return Figure("Solve on a channel of 500,000 records", "s", interleaved(ways), target=0.5)
