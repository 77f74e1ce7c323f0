"""A new project: what its files say, and that all of it is there at once or none of it."""

import json
import os
import shutil
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kernels.draft import (
    Draft,
    Template,
    Wishes,
    load_template,
    make_project,
    plan_draft,
    try_draft,
    writing,
)
from kernels.environment_yml import load_requirements
from kernels.errors import ProjectError, SolveError
from kernels.projects import load_projects
from kernels.store import Store

TEMPLATE = Template(
    description="A test.",
    python="3.11",
    conda=("numpy>=1.26,<3", "matplotlib-base"),
    memory="3G",
    notebooks={"look.ipynb": {"cells": [], "metadata": {"x": 1}, "nbformat": 4}},
)
WISHES = Wishes("alder-bank/credit-risk", owner="a@b.example")


def quiet(_step: str) -> None:
    pass


def drafted(projects: Path, **changes: Any) -> Draft:
    known = load_projects(projects).projects if projects.is_dir() else ()
    return plan_draft(replace(WISHES, **changes), TEMPLATE, projects, known)


def test_the_files_of_a_project_with_nothing_but_a_name() -> None:
    draft = plan_draft(WISHES, TEMPLATE, Path("/p"), ())
    assert draft.client_toml == 'title = "Alder Bank"\n'
    assert draft.files == {
        "project.toml": (
            'title = "Credit risk"\ndescription = "A test."\nowner = "a@b.example"\n'
            '\n[limits]\nmemory = "3G"\n'
        ),
        "environment.yml": (
            "name: alder-bank_credit-risk\n"
            "channels:\n- conda-forge\n- nodefaults\n"
            "dependencies:\n- python=3.11\n- numpy>=1.26,<3\n- matplotlib-base\n"
        ),
        "examples/look.ipynb": json.dumps(
            {
                "cells": [],
                "metadata": {
                    "kernelspec": {
                        "display_name": "Alder Bank · Credit risk",
                        "language": "python",
                        "name": "alder-bank.credit-risk",
                    },
                    "x": 1,
                },
                "nbformat": 4,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n",
    }


def test_wishes_replace_the_templates_packages_of_the_same_name(tmp_path: Path) -> None:
    draft = drafted(
        tmp_path / "p",
        wanted=("NumPy=2.1", "pip:tiktoken>=0.8", "polars"),
        channels=("acme", "conda-forge"),
        python="3.12",
    )
    written = yaml.safe_load(draft.files["environment.yml"])
    assert written["channels"] == ["acme", "conda-forge", "nodefaults"]
    assert written["dependencies"] == [
        *("python=3.12", "matplotlib-base", "NumPy=2.1", "polars"),
        {"pip": ["tiktoken>=0.8"]},
    ]
    assert draft.wanted == ("NumPy=2.1", "tiktoken>=0.8", "polars")


def test_titles_survive_every_letter_that_people_use(tmp_path: Path) -> None:
    title = 'Ström & "Söhne" \\ 計画 #1 😀'
    project = make_project(drafted(tmp_path, title=title, client_title=title), tmp_path)
    assert (project.title, project.client_title) == (title, title)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"slug": "acme"}, "'acme': expected CLIENT/PROJECT"),
        ({"slug": "Acme/x"}, "'Acme' cannot name a client: expected lower-case letters"),
        ({"slug": "admins/x"}, "'admins' cannot name a client"),
        ({"slug": "acme/../x"}, r"'\.\./x' cannot name a project"),
        ({"wanted": ("=",)}, "--with: found '=', expected a conda package"),
        ({"title": "two\nlines"}, "expected a text of one line"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        drafted(tmp_path, **changes)


def test_a_project_is_written_and_reads_as_it_was_meant(tmp_path: Path) -> None:
    projects = tmp_path / "not/there/yet"
    draft = drafted(projects, wanted=("polars",))
    assert make_project(draft, projects) == replace(
        draft.project, limits=replace(draft.project.limits, memory=3 * 1024**3)
    )
    requirements = load_requirements(draft.project.environment_yml)
    assert "polars" in requirements.conda
    assert [path.name for path in projects.iterdir()] == ["alder-bank"]
    for path in projects.rglob("*"):
        assert path.stat().st_mode & 0o444 == 0o444  # others than the writer may read it


def test_a_second_project_leaves_the_client_as_it_is(tmp_path: Path) -> None:
    make_project(drafted(tmp_path, client_title="The Bank"), tmp_path)
    other = make_project(drafted(tmp_path, slug="alder-bank/other"), tmp_path)
    assert other.client_title == "The Bank"
    assert tomllib.loads((tmp_path / "alder-bank/client.toml").read_text()) == {"title": "The Bank"}
    with pytest.raises(ProjectError, match="the client's title is 'The Bank' already"):
        drafted(tmp_path, slug="alder-bank/third", client_title="Another")
    with pytest.raises(ProjectError, match="'The Bank · Other' is taken by alder-bank/other"):
        drafted(tmp_path, slug="alder-bank/third", title="Other")


def test_a_client_without_its_file_gets_it(tmp_path: Path) -> None:
    (tmp_path / "alder-bank").mkdir()
    assert make_project(drafted(tmp_path), tmp_path).client_title == "Alder Bank"


def test_a_project_that_is_there_is_never_touched(tmp_path: Path) -> None:
    draft = drafted(tmp_path)
    make_project(draft, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ProjectError, match="there is a project 'alder-bank/credit-risk' already"):
        make_project(draft, tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert set(after) == set(before)
    assert all(after[path] == before[path] for path in after if path.is_file())


def test_of_many_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    draft = drafted(tmp_path)

    def attempt(owner: int) -> str:
        text = draft.files["project.toml"].replace("a@b.example", f"{owner}@b.example")
        own = replace(draft, files={**draft.files, "project.toml": text})
        try:
            return make_project(own, tmp_path).owner
        except ProjectError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(attempt, range(8)))
    won = [text for text in told if "already" not in text]
    assert len(won) == 1
    (project,) = load_projects(tmp_path).projects
    assert project.owner == won[0]
    assert [path.name for path in tmp_path.iterdir()] == ["alder-bank"]


@pytest.mark.parametrize("step", ["_write", "_check", "_put_in_place"])
def test_a_writer_that_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real = getattr(writing, step)

    def interrupted(draft: Draft, scratch: Path) -> None:
        if step != "_put_in_place":
            real(draft, scratch)
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_project(drafted(tmp_path), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".new-left/alder-bank").mkdir(parents=True)
    assert load_projects(tmp_path).projects == ()
    make_project(drafted(tmp_path), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["alder-bank"]


def test_a_directory_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_arguments: object, **_keys: object) -> None:
        raise OSError(30, os.strerror(30), str(tmp_path / "x"))

    monkeypatch.setattr(writing.tempfile, "mkdtemp", read_only)
    with pytest.raises(ProjectError) as caught:
        make_project(drafted(tmp_path), tmp_path)
    told = str(caught.value)
    assert "could not be written (Read-only file system at " in told
    assert "nothing was changed" in told
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_text

    def full(self: Path, text: str, **keys: Any) -> int:
        if self.name == "environment.yml":
            raise OSError(28, os.strerror(28), str(self))
        return real(self, text, **keys)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ProjectError, match="No space left on device"):
        make_project(drafted(tmp_path), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_no_project(tmp_path: Path, cold_store: Store, own_channel: Any) -> None:
    projects = tmp_path / "projects"
    wishes = replace(WISHES, channels=(own_channel.url,))
    draft = plan_draft(wishes, load_template("blank"), projects, ())
    assert try_draft(draft, cold_store, quiet) == 3
    assert not projects.exists()
    assert not cold_store.project(draft.project).exists()


def test_a_dry_run_that_fails_says_what_to_ask_for_instead(
    tmp_path: Path, cold_store: Store, own_channel: Any
) -> None:
    own_channel.add("pandas", "2.0.0")
    own_channel.index()
    wishes = replace(WISHES, channels=(own_channel.url,), wanted=("pandas>=9",))
    draft = plan_draft(wishes, load_template("blank"), tmp_path / "projects", ())
    with pytest.raises(SolveError) as caught:
        try_draft(draft, cold_store, quiet)
    assert caught.value.changes == (("pandas>=9", "pandas=2.0"),)
    assert "It solves with 'pandas=2.0' in place of 'pandas>=9'." in str(caught.value)


def test_a_dry_run_names_the_file_that_would_be(tmp_path: Path, cold_store: Store) -> None:
    draft = drafted(tmp_path / "p", wanted=("pip:-e .",))
    with pytest.raises(ProjectError) as caught:
        try_draft(draft, cold_store, quiet)
    assert str(caught.value).startswith(f"{draft.project.environment_yml}: pip: found '-e .'")
    shutil.rmtree(tmp_path / "p", ignore_errors=True)
