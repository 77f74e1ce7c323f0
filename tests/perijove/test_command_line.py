"""What the command line says, and the exit code it says it with."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from perijove.__main__ import cli
from tests.perijove.conftest import Run


def test_help_lists_every_verb_as_its_own_help_begins(perijove: Run) -> None:
    shown = perijove("--help")
    assert shown.returncode == 0
    listed = dict(
        re.findall(r"^  (\w+)  +(\S.*)$", shown.stdout.split("Commands:\n")[1], re.MULTILINE)
    )
    context = click.Context(cli)
    assert list(listed) == cli.list_commands(context)
    for verb, summary in listed.items():
        command = cli.get_command(context, verb)
        assert command is not None
        assert command.get_short_help_str(limit=80) == summary


def test_an_unknown_verb_is_a_usage_error(perijove: Run) -> None:
    assert perijove("frobnicate").returncode == 2


def test_projects_are_listed_and_bad_ones_complained_about(
    perijove: Run, write_project: Callable[..., Path]
) -> None:
    write_project("acme/good")
    write_project("acme/bad", project_toml='title = "Bad"\nfoo = 1\n')
    listed = perijove("projects", "--json")
    assert listed.returncode == 3
    assert [project["project"] for project in json.loads(listed.stdout)] == ["acme/good"]
    assert "acme/bad/project.toml: foo: unknown key" in listed.stderr


def test_an_unknown_project_is_answered_with_the_known_ones(
    perijove: Run, write_project: Callable[..., Path]
) -> None:
    write_project("acme/good")
    answer = perijove("build", "acme/goood")
    assert answer.returncode == 1
    assert "There is no project 'acme/goood'; the projects are: acme/good." in answer.stderr


def test_publishing_what_is_not_built_says_what_to_do(
    perijove: Run, write_project: Callable[..., Path]
) -> None:
    write_project("acme/good")
    answer = perijove("publish", "acme/good")
    assert answer.returncode == 1
    assert "has no built version; run 'perijove build acme/good'" in answer.stderr
    assert perijove("publish", "--version", "1").returncode == 2


def test_status_of_a_platform_that_is_down(perijove: Run) -> None:
    told = perijove("status", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["platform"]["running"] is False


@pytest.fixture(name="taken")
def _taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_one_sentence_with_its_holder(perijove: Run, taken: int) -> None:
    answer = perijove("up", PORT=str(taken))
    assert answer.returncode == 1
    assert f"Port {taken} on 127.0.0.1 is taken" in answer.stderr
    assert f"process {os.getpid()}" in answer.stderr
    assert "PORT=" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_home_that_cannot_be_written_is_one_sentence(perijove: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = perijove("up", PERIJOVE_HOME=str(tmp_path / "file/home"))
    assert answer.returncode == 1
    assert str(tmp_path / "file/home") in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
@pytest.mark.slow
def test_a_full_disk_is_one_sentence(perijove: Run, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=True)
    try:
        answer = perijove("up", PERIJOVE_HOME=str(full), PORT="0")
    finally:
        subprocess.run(["umount", full], check=True)
    assert answer.returncode == 1
    assert "No space left on device" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_certificate_without_its_key_is_a_usage_error(perijove: Run, tmp_path: Path) -> None:
    answer = perijove("up", "--certificate", str(tmp_path / "own.crt"))
    assert answer.returncode == 2
    assert "give both" in answer.stderr


@pytest.mark.slow
def test_a_tool_that_cannot_be_had_is_one_sentence(perijove: Run, tmp_path: Path) -> None:
    """Nothing on PATH, and no registry to ask."""
    nowhere = {"PATH": str(tmp_path), "UV_INDEX_URL": "http://127.0.0.1:9/", "UV_NO_CACHE": "1"}
    if any(shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin") for name in ("bwrap",)):
        pytest.skip("this machine has bubblewrap where every search looks")
    answer = perijove("build", **nowhere)
    assert answer.returncode == 1
    assert "bwrap is not on this machine" in answer.stderr or "failed" in answer.stderr
    assert "Traceback" not in answer.stderr
