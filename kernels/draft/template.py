"""The templates of `perijove new`: one directory of data each, named by what the project is like.

templates/<like>/template.toml    description, python, conda, memory
templates/<like>/*.ipynb          the example that the project begins with
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.errors import ProjectError

_FOLDER = Path(__file__).with_name("templates")
TEMPLATES = tuple(sorted(path.name for path in _FOLDER.iterdir()))
"""The names of all templates."""


@dataclass(frozen=True)
class Template:
    """What a kind of project begins with.

    Attributes:
        description: one sentence.
        python: the minor version, `3.11`.
        conda: conda specs.
        memory: what a workspace needs, such as `2G`.
        notebooks: file name to content, without a kernel.
    """

    description: str
    python: str
    conda: tuple[str, ...]
    memory: str
    notebooks: dict[str, dict[str, Any]]


def load_template(like: str) -> Template:
    """The template called `like`.

    Raises:
        ProjectError: there is none of that name.
    """
    if like not in TEMPLATES:
        raise ProjectError(
            f"There is no template '{like}'; the templates are: {', '.join(TEMPLATES)}."
        )
    folder = _FOLDER / like
    table = tomllib.loads((folder / "template.toml").read_text(encoding="utf-8"))
    return Template(
        description=table["description"],
        python=table["python"],
        conda=tuple(table["conda"]),
        memory=table["memory"],
        notebooks={
            path.name: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.ipynb"))
        },
    )
