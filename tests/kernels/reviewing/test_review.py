"""What is wrong with a project's lock, rule by rule."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels.channels import PLAIN, Channels
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements
from kernels.errors import StoreError
from kernels.locking.lock import Lock
from kernels.projects import Project
from kernels.reviewing.review import (
    Finding,
    is_distribution,
    load_any_lock,
    load_named_channels,
    plan_review,
)
from tests.kernels.pretend import conda, lock, wheel

MakeProject = Callable[..., Project]
WANTED = Requirements(conda=("python=3.11", "numpy>=2,<3", "ipykernel", "pip"))
FORGE = ("conda-forge",)


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project("a/b", channels=FORGE)


def review(
    project: Project,
    made: Lock | None,
    *,
    wanted: Requirements = WANTED,
    named: tuple[str, ...] = FORGE,
    channels: Channels = PLAIN,
) -> list[Finding]:
    return list(plan_review(project, wanted, named, made, channels))


def good(*packages: Any, **keys: Any) -> Lock:
    return lock(*packages, **{"requirements": WANTED} | keys)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(str(finding.severity), finding.rule) for finding in findings]


def test_a_good_lock_has_no_finding(project: Project) -> None:
    assert review(project, good(conda("numpy", depends=("python",)), wheel("report"))) == []


def test_a_project_that_was_never_locked(project: Project) -> None:
    (finding,) = review(project, None)
    assert (finding.severity, finding.rule) == ("error", "no-lock")
    assert finding.text == "there is no lock; run 'perijove lock a/b'."


def test_a_lock_older_than_what_is_asked_for_says_what_differs(project: Project) -> None:
    wanted = replace(WANTED, conda=("python=3.11", "numpy>=3", "ipykernel", "pip"))
    (finding,) = review(project, good(), wanted=wanted)
    assert (finding.severity, finding.rule) == ("error", "stale-lock")
    assert finding.text == (
        "the lock is older than what is asked for (dependencies: now numpy>=3, no more "
        "numpy>=2,<3); run 'perijove lock a/b'."
    )


def test_a_lock_for_another_platform_is_stale(project: Project) -> None:
    cuda = replace(project, platform=replace(project.platform, cuda="12.4"))
    (finding,) = review(cuda, good())
    assert "platform.cuda: now 12.4, was nothing" in finding.text


def test_a_lock_of_another_project_is_stale(project: Project) -> None:
    (finding,) = review(project, good(project="a/other"))
    assert finding.text == "the lock is that of a/other; run 'perijove lock a/b'."


def test_a_channel_that_is_not_named_and_a_package_without_a_version(project: Project) -> None:
    wanted = replace(WANTED, conda=("python=3.11", "numpy", "ipykernel", "pip"), pip=("report",))
    findings = review(project, good(requirements=wanted), wanted=wanted, named=())
    assert told(findings) == [
        ("warning", "unnamed-channel"),
        ("warning", "unpinned"),
        ("warning", "unpinned"),
    ]
    assert [finding.package for finding in findings] == [None, "numpy", "report"]


@pytest.mark.parametrize(
    "name",
    [
        *("defaults", "main", "r", "msys2", "anaconda", "pkgs/main"),
        "https://repo.anaconda.com/pkgs/main",
        "https://conda.anaconda.org/t/a-token/main",
        "mine",
    ],
)
def test_a_licensed_channel_is_an_error_under_all_its_names(project: Project, name: str) -> None:
    channels = Channels(aliases={"mine": "https://repo.anaconda.com/pkgs"})
    (finding,) = review(project, good(), named=(name,), channels=channels)
    assert (finding.severity, finding.rule) == ("error", "licensed-channel")
    assert "a-token" not in finding.text


@pytest.mark.parametrize("name", ["conda-forge", "nvidia", "https://conda.example.com/main"])
def test_other_channels_are_not_licensed(project: Project, name: str) -> None:
    assert review(project, good(), named=(name,)) == []


def test_a_licensed_channel_in_one_dependency_is_found(project: Project) -> None:
    wanted = replace(WANTED, conda=("python=3.11", "defaults::numpy=2"))
    findings = review(project, good(requirements=wanted), wanted=wanted)
    assert told(findings) == [("error", "licensed-channel")]


def test_what_a_lock_took_from_a_licensed_channel_is_found_once(project: Project) -> None:
    address = "https://repo.anaconda.com/pkgs/main/"
    packages = [conda(name, channel=address) for name in ("a", "b", "c", "d")]
    (finding,) = review(project, good(*packages))
    assert finding.rule == "licensed-channel"
    assert finding.text.startswith(f"4 packages of the lock come from {address}, which")
    assert finding.text.endswith("(a, b, c and 1 more).")


@pytest.mark.parametrize("sha256", ["", "abc", "X" * 64])
def test_a_package_without_a_hash_is_an_error(project: Project, sha256: str) -> None:
    findings = review(project, good(conda("numpy", sha256=sha256), wheel("report", sha256=sha256)))
    assert told(findings) == [("error", "no-hash"), ("error", "no-hash")]
    assert [finding.package for finding in findings] == ["numpy 1.0", "report 1.0"]


def test_the_same_package_by_pip_and_conda_is_an_error(project: Project) -> None:
    torch = conda("pytorch", "2.1", depends=("python >=3.11",))
    (finding,) = review(project, good(torch, wheel("torch", "2.2")))
    assert (finding.severity, finding.rule, finding.package) == ("error", "duplicate", "torch 2.2")
    assert "pip installs it over conda's pytorch 2.1" in finding.text


@pytest.mark.parametrize(
    ("package", "pypi", "expected"),
    [
        (conda("numpy", depends=("python >=3.11", "libblas")), "numpy", True),
        (conda("tqdm", noarch="python"), "tqdm", True),
        (conda("pytorch", depends=("python",)), "torch", True),
        (conda("zstd"), "zstd", False),  # conda's is the program, not a library for Python
        (conda("numpy", channel="site"), "numpy", True),
        (conda("jupyter_core", channel="site"), "jupyter-core", True),
        (conda("numpy", depends=("python",)), "pandas", False),
    ],
)
def test_which_conda_package_is_which_of_pypis(
    package: CondaPackage, pypi: str, expected: bool
) -> None:
    assert is_distribution(package, pypi) is expected


def test_a_lock_without_hashes_is_read_and_a_missing_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "lock.json"
    assert load_any_lock(file) is None
    table = json.loads(good(conda("numpy"), wheel("report")).text)
    del table["conda"][1]["sha256"]
    table["pip"][0]["sha256"] = None
    file.write_text(json.dumps(table))
    found = load_any_lock(file)
    assert found
    assert [package.sha256 for package in (*found.conda[1:], *found.pip)] == ["", ""]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"conda": [1], "pip": []}', "\0"])
def test_what_is_no_lock_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(StoreError, match=r"lock.json: not a lock \(.*\); lock the project again"):
        load_any_lock(tmp_path / "lock.json")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dependencies: [python=3.11]\n", ()),
        ("channels:\ndependencies: [python=3.11]\n", ()),
        ("channels: [nodefaults]\n", ()),
        ("channels: [acme, nodefaults]\n", ("acme",)),
    ],
)
def test_the_channels_that_a_file_names_itself(
    tmp_path: Path, text: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / "environment.yml").write_text(text)
    assert load_named_channels(tmp_path / "environment.yml") == expected
