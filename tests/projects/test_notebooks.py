"""What every committed example notebook promises, read from its file; running them is a slow test.

`expected.toml` beside this file holds what each notebook's last output must match.
"""

import re
import tomllib
from pathlib import Path

import nbformat
import pytest

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
EXPECTED = tomllib.loads(Path(__file__).with_name("expected.toml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted(
    path.relative_to(PROJECTS).as_posix() for path in PROJECTS.glob("*/*/examples/*.ipynb")
)

each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def load(name: str) -> nbformat.NotebookNode:
    return nbformat.read(PROJECTS / name, as_version=nbformat.NO_CONVERT)


def sources(name: str, kind: str) -> list[str]:
    return [cell.source for cell in load(name).cells if cell.cell_type == kind]


def test_every_project_has_an_example() -> None:
    with_example = {Path(name).parents[1].as_posix() for name in NOTEBOOKS}
    assert with_example == {
        path.parent.relative_to(PROJECTS).as_posix() for path in PROJECTS.glob("*/*/project.toml")
    }


def test_every_notebook_has_an_expected_result_and_none_is_left_over() -> None:
    assert sorted(EXPECTED) == NOTEBOOKS


@each_notebook
def test_is_a_valid_notebook(name: str) -> None:
    nbformat.validate(load(name))


@each_notebook
def test_is_committed_without_outputs(name: str) -> None:
    cells = [cell for cell in load(name).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@each_notebook
def test_asks_for_its_own_project_s_kernel(name: str) -> None:
    client, project = Path(name).parts[:2]
    kernel = load(name).metadata.kernelspec
    titles = [
        tomllib.loads((PROJECTS / file).read_text(encoding="utf-8"))["title"]
        for file in (f"{client}/client.toml", f"{client}/{project}/project.toml")
    ]
    assert kernel == {
        "name": f"{client}.{project}",
        "display_name": " · ".join(titles),
        "language": "python",
    }


@each_notebook
def test_names_source_and_licence_of_its_data(name: str) -> None:
    text = "\n".join(sources(name, "markdown"))
    assert "**Source" in text
    assert "**Licence" in text


@each_notebook
def test_has_one_cell_to_change(name: str) -> None:
    marked = [text for text in sources(name, "code") if "Change this" in text]
    assert len(marked) == 1
    assert re.search(r"^[A-Z_]+ = [\d_.]+", marked[0], flags=re.MULTILINE)


@each_notebook
def test_ends_with_its_conclusion(name: str) -> None:
    last = sources(name, "code")[-1]
    assert last.count("print(") == 1
    assert 'print(f"Conclusion: ' in last


@each_notebook
def test_parses_as_python(name: str) -> None:
    for text in sources(name, "code"):
        compile(text.replace("%matplotlib inline", ""), name, "exec")


@each_notebook
def test_draws_inside_the_page(name: str) -> None:
    assert "%matplotlib inline" in "\n".join(sources(name, "code"))


@each_notebook
def test_expects_a_conclusion_with_numbers(name: str) -> None:
    assert EXPECTED[name].startswith("Conclusion: ")
    assert re.search(r"\d", EXPECTED[name])
    re.compile(EXPECTED[name])
