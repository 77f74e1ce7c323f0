"""Advisories are read from what people fetch, and what is broken hides nothing else."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kernels.reviewing.advisory_files import Advisories, Release, load_advisories

RECORD = {
    "id": "PYSEC-1",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "numpy"}, "versions": ["1.0"]}],
}


def load(*paths: Path) -> Advisories:
    return load_advisories(paths, lambda affected: affected.name != "unwanted")


def ids(found: Advisories) -> list[str]:
    return [advisory.id for advisory in found.advisories]


def named(identity: str) -> dict[str, Any]:
    return RECORD | {"id": identity}


def test_a_directory_is_read_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "sub/.git").mkdir(parents=True)
    (tmp_path / "sub/a.json").write_text(json.dumps(named("A")))
    (tmp_path / "sub/.git/x.json").write_text("not for us")
    (tmp_path / "b.yaml").write_text(json.dumps(named("B")))
    (tmp_path / "c.json").write_text(json.dumps([named("C"), named("D")]))
    (tmp_path / "e.json").write_text(json.dumps({"vulns": [named("E")]}))
    (tmp_path / "README.md").write_text("nothing to read")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("F.json", json.dumps(named("F")))
        archive.writestr("G.json", json.dumps(named("G") | {"withdrawn": "2024-01-01T00:00:00Z"}))
    found = load(tmp_path)
    assert found.problems == []
    assert ids(found) == ["F", "B", "C", "D", "E", "A"]


def test_what_is_not_wanted_is_let_go(tmp_path: Path) -> None:
    other = {"id": "X", "affected": [{"package": {"ecosystem": "PyPI", "name": "unwanted"}}]}
    (tmp_path / "all.json").write_text(json.dumps([RECORD, other]))
    assert ids(load(tmp_path / "all.json")) == ["PYSEC-1"]


@pytest.mark.parametrize(
    "text", ["{", "[]x", "7", '{"a": 1}', '"text"', "\x80", '[{"id": "X"}, 1]']
)
def test_a_broken_file_is_told_and_the_others_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    (tmp_path / "b.json").write_text(json.dumps(RECORD))
    found = load(tmp_path)
    assert ids(found) == ["PYSEC-1"]
    (problem,) = found.problems
    assert str(problem).startswith(f"{tmp_path}/a.json: not advisories in the OSV format (")
    assert str(problem).endswith("); fetch them again.")


def test_broken_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    assert "a.yaml: not advisories" in str(load(tmp_path).problems[0])


def test_a_download_that_was_cut_off_is_told(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.json", json.dumps(RECORD))
    (tmp_path / "all.zip").write_bytes(whole.read_bytes()[:-30])
    found = load(tmp_path / "all.zip", whole)
    assert ids(found) == ["PYSEC-1"]
    assert "all.zip: advisories cannot be read (" in str(found.problems[0])


def test_a_damaged_member_of_an_archive_is_told(tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.json", json.dumps(RECORD))
    content = file.read_bytes()
    file.write_bytes(content.replace(b"numpy", b"mumpy"))
    assert "all.zip: advisories cannot be read (" in str(load(file).problems[0])


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    assert [str(problem) for problem in load(tmp_path, tmp_path / "none.json").problems] == [
        f"{tmp_path}: no advisories in it; expected .json, .yaml or .zip files.",
        f"{tmp_path}/none.json: advisories cannot be read ({os.strerror(2)}); fetch them again.",
    ]


def test_a_page_of_the_simple_interface_tells_what_was_yanked(tmp_path: Path) -> None:
    page = {
        "meta": {"api-version": "1.1"},
        "name": "Some_Thing",
        "files": [
            {"filename": "some_thing-1.0.tar.gz", "hashes": {"sha256": "a"}, "yanked": "broken"},
            {
                "filename": "some_thing-1.0-py3-none-any.whl",
                "hashes": {"sha256": "b"},
                "yanked": "",
            },
            {"filename": "some_thing-1.1.tar.gz", "hashes": {"sha256": "c"}, "yanked": True},
            {"filename": "some_thing-1.1-py3-none-any.whl", "hashes": {"sha256": "d"}},
            {"filename": "some_thing-0.1.win32.exe", "hashes": {"sha256": "e"}, "yanked": True},
        ],
    }
    (tmp_path / "page.json").write_text(json.dumps(page))
    found = load(tmp_path)
    assert found.problems == []
    assert found.releases == {
        ("some-thing", "1.0"): Release("some-thing", "1.0", "broken"),
    }
    assert found.files == {"a": "broken", "b": "", "c": "", "e": ""}
