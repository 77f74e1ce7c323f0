"""Every template builds, and its example notebook runs to the end in the environment it brings."""

import asyncio
import json
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from kernels.building.build import build_environment
from kernels.building.check import kernel_argv
from kernels.draft import TEMPLATES, Wishes, load_template, make_project, plan_draft, try_draft
from kernels.locking.lock import make_lock
from kernels.locking.package_names import pypi_name
from kernels.projects import parse_memory
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import FINISHED, Store, ensure_store
from tests.conftest import ShareCaches

each_template = pytest.mark.parametrize("like", TEMPLATES)


def quiet(_step: str) -> None:
    pass


def notebooks(like: str) -> dict[str, Any]:
    return load_template(like).notebooks


def test_there_is_a_template_for_every_kind_of_work() -> None:
    assert TEMPLATES == ("blank", "finance", "imaging", "llm", "timeseries")


@each_template
def test_a_template_is_whole(like: str) -> None:
    template = load_template(like)
    assert template.description.endswith(".")
    assert parse_memory(template.memory)
    assert len(template.notebooks) == 1
    for spec in template.conda:
        assert pypi_name(spec.split(">=")[0])  # known in both worlds


@each_template
def test_its_notebook_is_valid_has_no_outputs_and_asks_for_no_kernel_yet(like: str) -> None:
    for notebook in notebooks(like).values():
        read = nbformat.reads(json.dumps(notebook), as_version=nbformat.NO_CONVERT)
        nbformat.validate(read)
        code = [cell for cell in read.cells if cell.cell_type == "code"]
        assert code
        assert all(not cell.outputs and cell.execution_count is None for cell in code)
        assert "kernelspec" not in read.metadata


async def run(
    notebook: nbformat.NotebookNode, argv: list[str], variables: dict[str, str], scratch: str
) -> list[dict[str, Any]]:
    """What every cell of a notebook gives, one after the other in one kernel."""
    manager = AsyncKernelManager(
        transport="ipc", ip=f"{scratch}/s", connection_file=f"{scratch}/kernel.json"
    )
    manager._kernel_spec = KernelSpec(
        argv=argv, env={**variables, "HOME": scratch}, language="python"
    )
    outputs: list[dict[str, Any]] = []
    await manager.start_kernel(cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.client()
    try:
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                reply = await client.execute_interactive(
                    cell.source,
                    timeout=120,
                    output_hook=lambda message: outputs.append(message["content"]),
                )
                assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        await manager.cleanup_resources()
    return outputs


@pytest.fixture(scope="module")
def real_store(
    tmp_path_factory: pytest.TempPathFactory, walled: bool, share_caches: ShareCaches
) -> Store:
    root = tmp_path_factory.mktemp("templates") / "store"
    share_caches(root)
    return ensure_store(root, Path("/opt/perijove") if walled else root)


@pytest.mark.slow
@pytest.mark.timeout(900)
@each_template
def test_a_project_like_it_builds_and_its_notebook_runs(
    like: str, real_store: Store, tmp_path: Path
) -> None:
    wishes = Wishes(f"acme/{like}", owner="a@acme.example")
    draft = plan_draft(wishes, load_template(like), tmp_path / "projects", ())
    assert try_draft(draft, real_store, quiet) > 25
    project = make_project(draft, tmp_path / "projects")
    environment = build_environment(
        project, make_lock(project, real_store, quiet), real_store, quiet
    )
    variables = json.loads((environment.path / FINISHED).read_text())["variables"]
    (file,) = project.examples.iterdir()
    notebook = nbformat.read(file, as_version=4)
    assert notebook.metadata.kernelspec.name == f"acme.{like}"
    with tempfile.TemporaryDirectory() as scratch:
        argv = as_seen_by_workspaces(
            kernel_argv(environment, real_store),
            real_store,
            environment.path.parents[1],
            Path(scratch),
        )
        outputs = asyncio.run(run(notebook, argv, variables, scratch))
    assert any(output.get("name") == "stdout" for output in outputs)
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    assert bool(drawn) == (like != "blank")
    table = tomllib.loads((project.path / "project.toml").read_text())
    assert table["limits"]["memory"] == load_template(like).memory
