from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyterlab_server.config import get_federated_extensions, get_page_config
from traitlets.config import PyFileConfigLoader
from traitlets.utils.importstring import import_item

if TYPE_CHECKING:
    from traitlets.config import Config

WORKSPACE = Path(__file__).parents[2] / "workspace"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Config:
    """Load the settings in an environment that knows nothing of runtime directories."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return PyFileConfigLoader("jupyter_server_config.py", path=str(WORKSPACE)).load_config()


def test_the_managers_are_ours(config: Config) -> None:
    for name in ("kernel_spec_manager_class", "contents_manager_class"):
        assert import_item(config.ServerApp[name]).__module__.startswith("workspace.")


def test_kernels_talk_over_sockets_in_a_private_folder(config: Config) -> None:
    assert config.KernelManager.transport == "ipc"
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700


def test_a_runtime_folder_that_was_chosen_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/run/mine")
    PyFileConfigLoader("jupyter_server_config.py", path=str(WORKSPACE)).load_config()
    assert os.environ["JUPYTER_RUNTIME_DIR"] == "/run/mine"


def page_config(config: Config) -> dict[str, Any]:
    page: dict[str, Any] = get_page_config(
        config.LabApp.extra_labextensions_path, config.LabApp.app_settings_dir
    )
    return page


def test_jupyterlab_loads_the_extension(config: Config) -> None:
    (extension,) = page_config(config)["federated_extensions"]
    found = get_federated_extensions(config.LabApp.extra_labextensions_path)[extension["name"]]
    folder = Path(found["ext_path"])
    assert folder.name == extension["name"]  # its address is made of its name
    assert (folder / extension["load"]).is_file()


def test_browsers_ask_for_the_extension_anew_at_each_start(config: Config) -> None:
    """Jupyter tells browsers to keep what lies in folders named `static` for a year."""
    for root in config.LabApp.extra_labextensions_path:
        assert list(Path(root).rglob("static")) == []


def test_every_module_that_the_extension_imports_is_there() -> None:
    for script in WORKSPACE.glob("labextension/*/lab/*.js"):
        for name in re.findall(r"(?:from '\./|new URL\(')([\w.]+)'", script.read_text()):
            assert (script.parent / name).is_file(), f"{script.name} imports {name}"


def test_the_page_asks_for_no_news_and_no_rebuild(config: Config) -> None:
    page = page_config(config)
    assert page["buildAvailable"] is page["buildCheck"] is False
    assert "@jupyterlab/apputils-extension:announcements" in page["disabledExtensions"]


def test_the_extension_names_its_licence_and_version() -> None:
    package = json.loads((WORKSPACE / "labextension/perijove-workspace/package.json").read_text())
    assert (package["license"], package["version"]) == ("BSD-3-Clause", "0.1.0")
