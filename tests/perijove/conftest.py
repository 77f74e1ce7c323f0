"""The command line as a person runs it: a process of its own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="perijove")
def _perijove(tmp_path: Path) -> Run:
    """Runs `perijove` on a home and projects directory of the test's own."""
    (tmp_path / "projects").mkdir()

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CHECKOUT / ".venv/bin/perijove", *arguments],
            env=os.environ
            | {
                "PERIJOVE_HOME": str(tmp_path / "home"),
                "PERIJOVE_PROJECTS": str(tmp_path / "projects"),
            }
            | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture(name="write_project")
def _write_project(tmp_path: Path) -> Callable[..., Path]:
    """Writes a client project; parts can be given another text."""

    def write(slug: str, **files: str) -> Path:
        path = tmp_path / "projects" / slug
        (path / "examples").mkdir(parents=True)
        (path.parent / "client.toml").write_text(f'title = "{path.parent.name.title()}"\n')
        texts = {
            "project_toml": f'title = "{path.name.title()}"\ndescription = "d"\nowner = "o"\n',
            "environment_yml": "dependencies: [python=3.11]\n",
        } | files
        for name, text in texts.items():
            (path / name.replace("_", ".")).write_text(text)
        return path

    return write
