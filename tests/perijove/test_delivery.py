"""Delivery as a person does it: one verb here, one at the client's, and no network there."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ShareCaches

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": "# One"},
        {"cell_type": "code", "source": ["import sys, IPython\n", "answer = 6 * 7"]},
        {"cell_type": "code", "source": "print('the answer', answer, sys.prefix)"},
    ],
    "metadata": {"kernelspec": {"name": "acme.sums", "display_name": "x"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
ENVIRONMENT = "dependencies:\n  - python=3.11\n  - ipykernel\n  - pip:\n    - humanize==4.9.0\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]


def assert_one_sentence(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    for word in words:
        assert word in last


def test_what_is_not_built_cannot_be_exported(perijove: Run, write_project: Write) -> None:
    write_project("acme/sums")
    for form in ("archive", "image"):
        done = perijove("export", form, "acme/sums")
        assert_one_sentence(done, "acme/sums has no built version; run 'perijove build acme/sums'")


def test_what_is_not_published_cannot_be_bundled(perijove: Run, write_project: Write) -> None:
    write_project("acme/sums")
    assert_one_sentence(perijove("bundle", "acme/sums"), "nothing is published")
    done = perijove("bundle")
    assert_one_sentence(done, "Nothing is published, so there is nothing to bundle.")
    assert "acme/sums is left out" in done.stderr


def test_what_is_not_a_bundle_is_not_imported(perijove: Run, tmp_path: Path) -> None:
    assert_one_sentence(perijove("import", str(tmp_path / "none.tar")), "there is no such bundle")
    (tmp_path / "some.tar").write_text("hello")
    done = perijove("import", str(tmp_path / "some.tar"))
    assert_one_sentence(done, "not the bundle that was made", "have it sent again")
    assert list((tmp_path / "projects").iterdir()) == []


def without_network() -> list[str]:
    """A command that runs another in a network namespace without routes."""
    unshare = ["unshare", "--net", "--map-root-user"] if os.geteuid() else ["unshare", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    return unshare


@pytest.fixture(name="built")
def _built(perijove: Run, write_project: Write, tmp_path: Path, share_caches: ShareCaches) -> Path:
    share_caches(tmp_path / "home/store")
    path = write_project("acme/sums", environment_yml=ENVIRONMENT)
    (path / "examples/sum.ipynb").write_text(json.dumps(NOTEBOOK))
    done = perijove("build", "--publish", "acme/sums")
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.slow  # an environment from the registry
def test_an_archive_runs_its_notebook_without_a_network(
    perijove: Run, built: Path, tmp_path: Path
) -> None:
    done = perijove("export", "archive", "acme/sums", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    archive = done.stdout.splitlines()[-1]
    assert archive == str(tmp_path / "acme-sums-v1.tar.gz")
    assert "unpacked; sha256" in done.stderr
    folder = tmp_path / "at the client's" / "deep" / ("x" * 60)
    folder = Path(str(folder).replace("'", ""))
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    top = folder / "acme-sums-v1"
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for command in ("./run examples/sum.ipynb", "./run ipython --version", "./run pip --version"):
        ran = subprocess.run(
            [*without_network(), *command.split()],
            cwd=top,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        if "ipynb" in command:
            assert f"the answer 42 {top}/environment" in ran.stdout
    failing = NOTEBOOK | {"cells": [{"cell_type": "code", "source": "1 / 0"}]}
    (top / "examples/bad.ipynb").write_text(json.dumps(failing))
    ran = subprocess.run(
        ["./run", "examples/bad.ipynb"], cwd=top, env=clean, capture_output=True, check=False
    )
    assert ran.returncode == 1
    assert b"ZeroDivisionError" in ran.stderr + ran.stdout


@pytest.mark.slow  # the same, and once more at the other side
def test_a_bundle_is_built_from_without_a_network_and_its_kernel_runs(
    perijove: Run, built: Path, tmp_path: Path
) -> None:
    done = perijove("bundle", "--to", str(tmp_path / "b.tar"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "b.tar")
    checksum = done.stderr.strip().split()[-1]
    first = perijove("export", "archive", "acme/sums", "--to", str(tmp_path / "first.tar.gz"))
    assert first.returncode == 0, first.stderr
    shutil.rmtree(tmp_path / "home/store")  # of this machine nothing helps
    far = {"PERIJOVE_HOME": str(tmp_path / "far"), "PERIJOVE_PROJECTS": str(tmp_path / "far/p")}
    (tmp_path / "far").mkdir()
    imported = subprocess.run(
        [
            *without_network(),
            *(CHECKOUT / ".venv/bin/perijove", "import", "--json"),
            *("--sha256", checksum, tmp_path / "b.tar"),
        ],
        env=os.environ | far | {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_CACHE_DIR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout) == {"acme/sums": {"versions": [1], "published": 1}}
    project = tmp_path / "far/store/acme/sums"
    spec = json.loads((project / "kernels/acme.sums/kernel.json").read_text())
    # The same lock gives the same bytes: also there, from packages that the bundle brought.
    again = perijove("export", "archive", "acme/sums", "--to", str(tmp_path / "f.tar.gz"), **far)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "f.tar.gz").read_bytes()
    assert spec["metadata"]["perijove"]["version"] == 1
    assert (project / "examples/sum.ipynb").exists()
