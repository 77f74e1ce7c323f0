"""Every example notebook runs in its own kernel, through the hub, to the result it should have."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.e2e.conftest import Started
from tests.e2e.platform import CHECKOUT

pytestmark = pytest.mark.e2e

EXPECTED = tomllib.loads((CHECKOUT / "tests/projects/expected.toml").read_text())
NOTEBOOKS = sorted(CHECKOUT.glob("projects/*/*/examples/*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_to_its_conclusion(started: Started, path: Path) -> None:
    client_name, project = path.parts[-4:-2]
    client = started(client_name)
    notebook = client.notebook(f"examples/{client_name}/{project}/{path.name}")
    kernel = client.start_kernel(notebook["metadata"]["kernelspec"]["name"])
    pictures, last = 0, ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            output = kernel.run(cell["source"])
            assert not output.error, cell["source"]
            pictures += sum("image/png" in data for data in output.data)
            last = output.text
    kernel.close()
    assert pictures > 0
    assert re.search(_expected(path), last), last


def _expected(path: Path) -> str:
    return str(EXPECTED[path.relative_to(CHECKOUT / "projects").as_posix()])
