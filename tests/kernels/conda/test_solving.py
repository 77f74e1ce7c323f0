"""Builds are chosen for the declared platform, whatever machine solves."""

from typing import Any

import pytest

from kernels import conda
from kernels.errors import SolveError
from kernels.platform import Platform
from kernels.site_channel.package import PackageIndex, write_package


@pytest.fixture(name="builds")
def _builds(own_channel: Any) -> Any:
    """One `torch` in four builds, as real channels have it, and a package for a new processor."""

    def add(build: str, *depends: str, subdir: str = "linux-64", name: str = "torch") -> None:
        # By its build number a channel puts GPU builds before the others.
        number = {"build_number": int(build.rsplit("_", maxsplit=1)[-1])}
        index = PackageIndex(name, "2.5.0", build, subdir, depends=depends, extra=number)  # type: ignore[arg-type]
        write_package(own_channel.path, index, None)

    add("cpu_0")
    add("cuda12_1", "__cuda >=12", "cuda-version")
    add("cuda13_2", "__cuda >=13", "cuda-version")
    add("0", name="cuda-version")
    add("base_0", name="fast")
    add("v3_1", "_x86_64-microarch-level >=3", name="fast")
    for level, archspec in ((1, "x86_64"), (3, "x86_64_v3")):
        index = PackageIndex(
            "_x86_64-microarch-level",
            str(level),
            "0",
            "linux-64",
            depends=(f"__archspec 1 {archspec}",),
        )
        write_package(own_channel.path, index, None)
    add("old_0", "__glibc >=2.17", name="wheel-like")
    add("new_1", "__glibc >=2.34", name="wheel-like")
    add("arm_0", subdir="linux-aarch64", name="armed")
    own_channel.index()
    return own_channel


def build_of(channel: Any, name: str, platform: Platform) -> str:
    found = conda.solve([name], [channel.url], platform)
    return next(package.build for package in found if package.name == name)


@pytest.mark.parametrize(
    ("cuda", "build"),
    [(None, "cpu_0"), ("11.8", "cpu_0"), ("12.4", "cuda12_1"), ("13.0", "cuda13_2")],
)
def test_the_gpu_build_is_chosen_by_declaration_on_a_machine_without_a_gpu(
    builds: Any, cuda: str | None, build: str
) -> None:
    chosen = conda.solve(["torch"], [builds.url], Platform(cuda=cuda))
    assert {package.name: package.build for package in chosen}["torch"] == build
    assert ("cuda-version" in {package.name for package in chosen}) == build.startswith("cuda")


def test_the_gpu_of_this_machine_is_not_asked(builds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "13.0")
    assert build_of(builds, "torch", Platform()) == "cpu_0"


def test_the_processor_is_the_declared_one(builds: Any) -> None:
    assert build_of(builds, "_x86_64-microarch-level", Platform()) == "0"
    with pytest.raises(SolveError, match="__archspec"):
        conda.solve(["_x86_64-microarch-level=3"], [builds.url], Platform())
    assert build_of(builds, "fast", Platform()) == "base_0"
    assert build_of(builds, "fast", Platform(archspec="x86_64_v3")) == "v3_1"


def test_the_c_library_is_the_declared_one(builds: Any) -> None:
    assert build_of(builds, "wheel-like", Platform(glibc="2.28")) == "old_0"
    assert build_of(builds, "wheel-like", Platform(glibc="2.36")) == "new_1"


def test_another_processor_family_may_be_declared(builds: Any) -> None:
    assert build_of(builds, "armed", Platform(subdir="linux-aarch64")) == "arm_0"
    with pytest.raises(SolveError):
        conda.solve(["armed"], [builds.url], Platform())


def test_a_solver_answers_several_questions_alike(builds: Any) -> None:
    solver = conda.Solver([builds.url], Platform(cuda="12.4"))
    assert solver.solve(["torch"]) == solver.solve(["torch"])
    with pytest.raises(SolveError):
        solver.solve(["torch=9"])
    assert [package.name for package in solver.solve(["python=3.11"])] == ["python"]
