"""A person's own packages are listed, cleared, and turned into a change for the project's owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workspace.overlay import Overlay, Package, find_overlays
from workspace.proposal import Environment, ProposalError, plan_proposal

COMMAND = Path(__file__).resolve().parents[2] / "workspace/bin/perijove"
YML = """\
name: acme_risk
channels:
  - conda-forge
dependencies:
  - python=3.11
  - numpy>=1.26,<3 # the owner's reason
  - pip
  - pip:
      - report==1.0 # carries the loans
"""


def put(home: Path, slug: str, name: str, version: str, *, asked: bool = True) -> None:
    """Puts a package where pip puts it for a kernel of this version of a project."""
    folder = home / f".local/share/perijove/overlays/{slug}/lib/python3.11/site-packages"
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if asked:
        (info / "REQUESTED").touch()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one version of one project."""
    prefix = tmp_path / "store/acme/risk/envs/v2-0123456789ab"
    prefix.mkdir(parents=True)
    (prefix / "perijove-environment.yml").write_text(YML)
    lock = {"conda": [{"name": "python"}, {"name": "numpy"}, {"name": "six"}]}
    (prefix / "perijove-lock.json").write_text(json.dumps(lock))
    kernel = tmp_path / "store/acme/risk/kernels/acme.risk"
    kernel.mkdir(parents=True)
    about = {"metadata": {"perijove": {"owner": "risk@acme.example"}}}
    (kernel / "kernel.json").write_text(json.dumps(about))
    return tmp_path / "store"


def run(
    tmp_path: Path, *arguments: str, store: Path = Path("/nowhere")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PERIJOVE_STORE": str(store),
            "PERIJOVE_SERVER_PYTHON": sys.executable,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def changed(text: str, *packages: Package, conda: tuple[str, ...] = ("python", "numpy")) -> str:
    overlay = Overlay("acme", "risk", 2, Path())
    diff = plan_proposal(overlay, packages, Environment(text, frozenset(conda)))
    return "".join(line[1:] for line in diff.splitlines(keepends=True) if line.startswith("+"))


def asked(name: str, version: str) -> Package:
    return Package(name, version, is_asked_for=True)


def test_packages_are_listed_by_project_and_version(tmp_path: Path) -> None:
    put(tmp_path, "acme/risk/v2", "Report_Tools", "1.5")
    put(tmp_path, "acme/risk/v2", "six", "1.17", asked=False)
    put(tmp_path, "acme/other/v1", "six", "1.16")
    shown = run(tmp_path, "overlay").stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["PROJECT", "VERSION", "PACKAGE", "INSTALLED"],
        ["acme/other", "v1", "six", "1.16"],
        ["acme/risk", "v2", "report-tools", "1.5"],
        ["acme/risk", "v2", "six", "(came", "along)", "1.17"],
    ]
    rows = json.loads(run(tmp_path, "overlay", "acme/other", "--json").stdout)
    assert [(row["package"], row["asked_for"]) for row in rows] == [("six", True)]


def test_who_has_none_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "overlay").stdout == "You have no packages of your own.\n"
    answer = run(tmp_path, "overlay", "acme/risk")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "no packages of your own in acme/risk; '%pip install'" in answer.stderr
    assert run(tmp_path, "frobnicate").returncode == 2


def test_an_empty_overlay_is_none(tmp_path: Path) -> None:
    (tmp_path / ".local/share/perijove/overlays/a/b/v1/lib/python3.11/site-packages").mkdir(
        parents=True
    )
    assert find_overlays(tmp_path) == []


def test_one_project_is_cleared_and_the_others_stay(tmp_path: Path) -> None:
    put(tmp_path, "acme/risk/v2", "report", "1.5")
    put(tmp_path, "acme/other/v1", "six", "1.16")
    said = run(tmp_path, "overlay", "acme/risk", "--clear").stdout
    assert said.startswith("acme/risk v2: 1 packages removed")
    assert [overlay.slug for overlay in find_overlays(tmp_path)] == ["acme/other"]


def test_a_proposal_is_a_patch_that_applies(tmp_path: Path, store: Path) -> None:
    put(tmp_path, "acme/risk/v2", "tiny-table", "2.0")
    told = run(tmp_path, "propose", "acme/risk", store=store)
    assert told.returncode == 0
    assert "owner of acme/risk (risk@acme.example)" in told.stderr
    projects = tmp_path / "projects/acme/risk"
    projects.mkdir(parents=True)
    (projects / "environment.yml").write_text(YML)
    subprocess.run(
        ["git", "apply", "-p1", "-"],
        cwd=tmp_path / "projects",
        input=told.stdout,
        text=True,
        check=True,
    )
    assert (projects / "environment.yml").read_text() == f"{YML}      - tiny-table==2.0\n"


def test_a_package_that_conda_brings_is_asked_of_conda() -> None:
    assert "  - numpy=2.4.1\n" in changed(YML, asked("numpy", "2.4.1"))


def test_a_package_that_came_along_with_conda_is_added_to_its_part() -> None:
    lines = changed(YML, asked("six", "1.17"), conda=("python", "numpy", "six"))
    assert "  - six=1.17\n" in lines


def test_a_package_of_the_pip_part_gets_its_new_version() -> None:
    assert "      - report==2.0\n" in changed(YML, asked("report", "2.0"))


def test_a_pip_part_is_made_where_there_is_none() -> None:
    text = "dependencies:\n- python=3.11\n- pip\nvariables: {A: b}\n"
    assert changed(text, asked("report", "2.0")).splitlines()[1:] == [
        "- pip:",
        "    - report==2.0",
    ]


def test_several_packages_are_one_change() -> None:
    lines = changed(YML, asked("numpy", "2.4.1"), asked("tiny", "1"), asked("table", "2"))
    assert [line for line in ("numpy=2.4.1", "tiny==1", "table==2") if line in lines] == [
        "numpy=2.4.1",
        "tiny==1",
        "table==2",
    ]


def test_what_came_along_is_not_proposed(tmp_path: Path, store: Path) -> None:
    put(tmp_path, "acme/risk/v2", "six", "1.17", asked=False)
    answer = run(tmp_path, "propose", "acme/risk", store=store)
    assert answer.returncode == 1
    assert "has no package of yours that it does not ask for" in answer.stderr


def test_a_version_that_is_gone_is_told(tmp_path: Path, store: Path) -> None:
    put(tmp_path, "acme/risk/v1", "report", "2.0")
    answer = run(tmp_path, "propose", "acme/risk", store=store)
    assert answer.returncode == 1
    assert "Version 1 of acme/risk is not here any more" in answer.stderr


def test_a_file_that_cannot_be_changed_line_by_line_is_told() -> None:
    text = "dependencies: [python=3.11, {pip: [report==1.0]}]\n"
    with pytest.raises(ProposalError, match=r"ask its owner for 'report==2\.0'"):
        changed(text, asked("report", "2.0"))


@pytest.fixture
def kernel(store: Path) -> Path:
    """A store whose kernel sets variables as the builder does."""
    file = store / "acme/risk/kernels/acme.risk/kernel.json"
    variables = {"PATH": "/acme/bin:${PATH}", "PRICE": "5$$", "BASE": "${HOME}/own"}
    file.write_text(json.dumps({"env": variables}))
    return store


def test_a_shell_has_the_variables_of_the_kernel(tmp_path: Path, kernel: Path) -> None:
    told = run(
        tmp_path, "shell", "acme/risk", "sh", "-c", 'echo "$PATH $PRICE $BASE"', store=kernel
    )
    assert told.stdout == f"/acme/bin:{os.environ['PATH']} 5$ {tmp_path}/own\n"
    assert run(tmp_path, "shell", "acme.risk", "false", store=kernel).returncode == 1


def test_a_shell_of_no_kernel_tells_which_there_are(tmp_path: Path, kernel: Path) -> None:
    for name in ("acme/other", "../../etc", "acme.risk.v9"):
        answer = run(tmp_path, "shell", name, store=kernel)
        assert answer.returncode == 1
        assert "You have no kernel" in answer.stderr
        assert "there are: acme.risk." in answer.stderr
    assert "No such file" in run(tmp_path, "shell", "acme/risk", "nowhere", store=kernel).stderr
