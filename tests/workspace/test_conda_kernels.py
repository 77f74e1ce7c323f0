from __future__ import annotations

import importlib.util
import json
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from workspace import conda_kernels
from workspace.conda_kernels import CondaKernels, is_own
from workspace.kernelspecs import StoreKernelSpecManager

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger("test")
STORE = Path("/opt/perijove")
HIDDEN = (STORE, Path("/opt/server"))

with_nb_conda_kernels = pytest.mark.skipif(
    importlib.util.find_spec("nb_conda_kernels") is None,
    reason="nb_conda_kernels is in no package index but conda's; PYTHONPATH may name a checkout",
)


def model(environment: str, *, is_base: bool = False) -> dict[str, Any]:
    metadata = {"conda_env_path": environment, "conda_is_base_environment": is_base}
    return {"resource_dir": f"{environment}/k", "spec": {"argv": ["x"], "metadata": metadata}}


@pytest.mark.parametrize(
    ("environment", "is_base", "own"),
    [
        ("/home/ana/.conda/envs/mine", False, True),
        ("/opt/perijove-of-mine", False, True),
        ("/opt/conda", True, False),
        ("/opt/server", False, False),
        ("/opt/perijove/acme/churn/envs/v1-0123456789ab", False, False),
    ],
)
def test_only_peoples_own_environments_are_shown(
    environment: str, is_base: bool, own: bool
) -> None:
    assert is_own(model(environment, is_base=is_base), HIDDEN) is own


def test_a_listing_does_not_wait_for_conda() -> None:
    answer = threading.Event()

    def ask() -> conda_kernels.Specs:
        assert answer.wait(20)
        return {"conda-env-mine-py": model("/home/mine")}

    kernels = CondaKernels(ask, HIDDEN, LOG)
    assert kernels.specs() == {}  # and conda is at work
    answer.set()
    kernels.wait(20)
    assert list(kernels.specs()) == ["conda-env-mine-py"]


def test_conda_is_asked_anew_only_when_its_answer_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask() -> conda_kernels.Specs:
        asked.append(1)
        return {}

    kernels = CondaKernels(ask, HIDDEN, LOG)
    for _ in range(3):
        kernels.specs()
        kernels.wait(20)
    assert len(asked) == 1
    monkeypatch.setattr(conda_kernels, "OLD_S", -1.0)
    kernels.specs()
    kernels.wait(20)
    assert len(asked) == 2


def test_what_is_wrong_with_conda_is_said_once_and_what_is_known_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[conda_kernels.Specs] = [{"conda-env-mine-py": model("/home/mine")}]

    def ask() -> conda_kernels.Specs:
        if answers:
            return answers.pop()
        raise OSError("no conda today")

    kernels = CondaKernels(ask, HIDDEN, LOG)
    for _ in range(3):
        kernels.refresh()
        kernels.wait(20)
    assert list(kernels.specs()) == ["conda-env-mine-py"]
    assert caplog.messages == ["Conda's environments could not be listed: no conda today"]


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `conda` that names its base, two environments of a person's own, and one of the store."""
    base, store = tmp_path / "conda", tmp_path / "store"
    published = store / "acme/churn/envs/v1-0123456789ab"
    environments = [base, base / "envs/mine", base / "envs/acme_churn_v1", published]
    for environment in environments:
        kernel = environment / "share/jupyter/kernels/python3"
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(
            json.dumps({"argv": ["python", "-V"], "display_name": "Python 3", "language": "python"})
        )
    info = {"conda_prefix": str(base), "envs": [*map(str, environments)], "envs_dirs": []}
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/conda"
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(info)!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    return program


def listed(manager: StoreKernelSpecManager) -> dict[str, Any]:
    manager.refresh_conda_kernels()
    assert manager._conda
    manager._conda.wait(20)
    return manager.get_all_specs()


@with_nb_conda_kernels
def test_peoples_own_environments_stand_beside_the_stores_kernels(
    conda: Path, tmp_path: Path, publish: Callable[..., Path]
) -> None:
    manager = StoreKernelSpecManager(store=str(tmp_path / "store"), kernel_dirs=[])
    names = {"conda-env-mine-py", "conda-env-acme_churn_v1-py"}
    assert set(listed(manager)) == set(manager.find_kernel_specs()) == names
    own = manager.get_kernel_spec("conda-env-mine-py")
    assert own.display_name == "Python [conda env:mine]"
    assert str(tmp_path / "conda/envs/mine") in own.argv
    assert listed(manager)["conda-env-mine-py"]["spec"] == own.to_dict()
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("conda-env-other-py")

    publish(tmp_path / "store", "acme.churn.v1", "Acme churn v1")
    assert set(listed(manager)) == {"acme.churn.v1", "conda-env-mine-py"}
    assert manager.get_kernel_spec("conda-env-acme_churn_v1-py").display_name == "Acme churn v1"


@with_nb_conda_kernels
def test_a_conda_that_fails_breaks_no_listing_and_is_reported_once(
    conda: Path, tmp_path: Path, publish: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    conda.write_text("#!/bin/sh\nexit 3\n")
    publish(tmp_path / "store", "acme.churn")
    manager = StoreKernelSpecManager(store=str(tmp_path / "store"), kernel_dirs=[])
    for _ in range(2):
        assert list(listed(manager)) == ["acme.churn"]
    (said,) = caplog.messages
    assert "exit status 3" in said


def test_without_conda_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    manager = StoreKernelSpecManager(store=str(tmp_path), kernel_dirs=[])
    assert manager._conda is None
    manager.refresh_conda_kernels()
    assert manager.get_all_specs() == {}
