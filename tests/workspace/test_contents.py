from __future__ import annotations

import asyncio
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from traitlets import Any as AnyTrait
from traitlets.config import LoggingConfigurable

from workspace.contents import WorkspaceContentsManager
from workspace.kernelspecs import StoreKernelSpecManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES = "examples/acme/churn"


class Server(LoggingConfigurable):
    """As much of a Jupyter server as a contents manager asks for."""

    kernel_spec_manager = AnyTrait()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / EXAMPLES).mkdir(parents=True)
    return home


@pytest.fixture
def contents(
    tmp_path: Path,
    home: Path,
    publish: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> WorkspaceContentsManager:
    """Contents of a home whose examples are read-only, with acme.churn.v1 in the store."""
    publish(tmp_path / "store", "acme.churn.v1", "Acme churn v1")
    kernels = StoreKernelSpecManager(store=str(tmp_path / "store"), kernel_dirs=[])
    manager = WorkspaceContentsManager(
        root_dir=str(home), parent=Server(kernel_spec_manager=kernels)
    )
    monkeypatch.setattr(  # the tests may run as root, for whom permissions say nothing
        manager, "is_writable", lambda path: not path.strip("/").startswith("examples")
    )
    return manager


def write_notebook(path: Path, **metadata: Any) -> None:
    path.write_text(
        json.dumps({"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    )


def kernelspec(name: str) -> dict[str, str]:
    return {"name": name, "display_name": "Python [conda env:acme_churn_v1]", "language": "python"}


def test_a_notebook_of_nb_conda_kernels_opens_with_the_pinned_kernel(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    write_notebook(home / "old.ipynb", kernelspec=kernelspec("conda-env-acme_churn_v1-py"))
    on_disk = (home / "old.ipynb").read_bytes()
    model = asyncio.run(contents.get("old.ipynb", require_hash=True))
    assert model["content"]["metadata"]["kernelspec"] == {
        "name": "acme.churn.v1",
        "display_name": "Acme churn v1",
        "language": "python",
    }
    assert model["hash"]
    assert (home / "old.ipynb").read_bytes() == on_disk


@pytest.mark.parametrize(
    "name", ["conda-env-acme_churn_v9-py", "conda-env-mine-py", "acme.churn", "python3"]
)
def test_other_kernel_names_are_left_as_they_are(
    contents: WorkspaceContentsManager, home: Path, name: str
) -> None:
    write_notebook(home / "a.ipynb", kernelspec=kernelspec(name))
    model = asyncio.run(contents.get("a.ipynb"))
    assert model["content"]["metadata"]["kernelspec"] == kernelspec(name)


def test_a_notebook_without_a_kernel_and_a_model_without_content_are_read(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    write_notebook(home / "a.ipynb")
    assert asyncio.run(contents.get("a.ipynb"))["content"]["metadata"] == {}
    assert asyncio.run(contents.get("a.ipynb", content=False))["content"] is None
    assert [item["name"] for item in asyncio.run(contents.get(""))["content"]] != []


def test_a_copy_of_an_example_goes_to_the_users_own_folder_and_is_writable(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    write_notebook(home / EXAMPLES / "a.ipynb", kernelspec=kernelspec("conda-env-acme_churn_v1-py"))
    (home / EXAMPLES / "a.ipynb").chmod(0o444)
    copied = [asyncio.run(contents.copy(f"{EXAMPLES}/a.ipynb", EXAMPLES)) for _ in range(2)]
    assert [model["path"] for model in copied] == [
        "work/acme/churn/a.ipynb",
        "work/acme/churn/a-Copy1.ipynb",
    ]
    assert all(model["writable"] for model in copied)
    made = home / "work/acme/churn/a.ipynb"
    assert made.stat().st_mode & stat.S_IWUSR
    assert json.loads(made.read_text())["metadata"]["kernelspec"]["name"] == "acme.churn.v1"


def test_a_copy_without_a_target_goes_there_too(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    (home / EXAMPLES / "data.csv").write_text("a\n")
    copied = asyncio.run(contents.copy(f"{EXAMPLES}/data.csv"))
    assert copied["path"] == "work/acme/churn/data.csv"


def test_a_copied_folder_is_writable_throughout(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    deep = home / EXAMPLES / "deep"
    deep.mkdir()
    (deep / "data.csv").write_text("a\n")
    (deep / "data.csv").chmod(0o444)
    deep.chmod(0o555)
    copied = asyncio.run(contents.copy(f"{EXAMPLES}/deep", EXAMPLES))
    assert copied["path"] == "work/acme/churn/deep"
    assert copied["writable"]
    for path in (home / copied["path"], home / copied["path"] / "data.csv"):
        assert path.stat().st_mode & stat.S_IWUSR
    assert not deep.stat().st_mode & stat.S_IWUSR


def test_copies_between_the_users_own_folders_stay_where_they_are_put(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    (home / "mine").mkdir()
    (home / "a.txt").write_text("a")
    assert asyncio.run(contents.copy("a.txt", "mine"))["path"] == "mine/a.txt"
    assert asyncio.run(contents.copy("a.txt"))["name"] == "a-Copy1.txt"
    assert asyncio.run(contents.copy("a.txt", "mine/b.txt"))["path"] == "mine/b.txt"


def test_a_new_notebook_in_an_examples_folder_is_made_in_the_users_own(
    contents: WorkspaceContentsManager, home: Path
) -> None:
    made = asyncio.run(contents.new_untitled(EXAMPLES, type="notebook"))
    assert made["path"] == "work/acme/churn/Untitled.ipynb"
    assert (home / made["path"]).is_file()
    assert asyncio.run(contents.new_untitled("", type="notebook"))["name"] == "Untitled.ipynb"
