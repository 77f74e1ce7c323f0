"""`perijove new` as a person runs it."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import conda
from kernels.site_channel.package import PackageIndex, write_package
from tests.conftest import ShareCaches
from tests.perijove.conftest import CHECKOUT, Run


@pytest.fixture(name="channel")
def _channel(tmp_path: Path) -> str:
    """A channel of names: it solves, and nothing of it would run."""
    path = tmp_path / "channel"
    shelf = {
        "python": ["3.11.7", "3.12.1"],
        "ipykernel": ["7.0"],
        "pip": ["25.0"],
        "numpy": ["1.26.4", "2.1.0"],
    }
    for name, versions in shelf.items():
        for version in versions:
            write_package(path, PackageIndex(name, version, "0", "linux-64"), None)
    old = PackageIndex("old", "1.0", "0", "linux-64", depends=("numpy <2",))
    write_package(path, old, None)
    (path / "noarch").mkdir()
    conda.index(path)
    return path.as_uri()


def test_a_project_is_written_once_its_packages_fit(
    perijove: Run, channel: str, tmp_path: Path
) -> None:
    made = perijove(
        "new", "acme/first", "--channel", channel, "--with", "numpy>=2", "--owner", "me"
    )
    assert made.returncode == 0, made.stderr
    path = tmp_path / "projects/acme/first"
    assert made.stdout == (
        f"{path}: written; its 4 packages fit together.\n"
        "Next: perijove build --publish acme/first\n"
    )
    assert (path / "examples/what-is-here.ipynb").exists()
    assert (path.parent / "client.toml").read_text() == 'title = "Acme"\n'
    listed = json.loads(perijove("projects", "--json").stdout)
    assert [(one["project"], one["owner"]) for one in listed] == [("acme/first", "me")]
    again = perijove("new", "acme/first", "--channel", channel)
    assert again.returncode == 1
    assert "there is a project 'acme/first' already" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_projects_directory_that_is_not_there_yet_is_made(
    perijove: Run, channel: str, tmp_path: Path
) -> None:
    (tmp_path / "projects").rmdir()
    made = perijove("new", "acme/first", "--channel", channel, "--json")
    assert json.loads(made.stdout) == {
        "project": "acme/first",
        "path": str(tmp_path / "projects/acme/first"),
        "packages": 3,
        "version": None,
        "kernel": None,
    }


def test_a_conflict_is_explained_with_what_to_type_and_nothing_is_written(
    perijove: Run, channel: str, tmp_path: Path
) -> None:
    arguments = ("new", "acme/first", "--channel", channel, "--with", "old", "--with", "numpy>=2")
    told = perijove(*arguments)
    assert told.returncode == 1
    assert "'old' brings numpy 1.26.4" in told.stderr
    assert "'numpy>=2' brings numpy 2.1.0" in told.stderr
    assert 'Try again with: --with "old" --with "numpy=1.26"\n' in told.stderr
    assert told.stderr.endswith("Nothing was written.\n")
    assert list((tmp_path / "projects").iterdir()) == []
    arguments = ("new", "acme/first", "--channel", channel, "--with", "old", "--with", "numpy=1.26")
    assert perijove(*arguments).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("acme/x", "--like", "spaceship"), 2, "is not one of 'blank', 'finance', 'imaging'"),
        (("acme",), 1, "expected CLIENT/PROJECT"),
        (("ACME/x",), 1, "'ACME' cannot name a client"),
        (("acme/x", "--with", "="), 1, "expected a conda package such as"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    perijove: Run, arguments: tuple[str, ...], code: int, told: str, tmp_path: Path
) -> None:
    answer = perijove("new", *arguments)
    assert answer.returncode == code
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert list((tmp_path / "projects").iterdir()) == []


@pytest.mark.slow
def test_an_interrupt_while_it_solves_leaves_nothing(perijove: Run, tmp_path: Path) -> None:
    """The channel is a server that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        channel = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        process = subprocess.Popen(
            [
                CHECKOUT / ".venv/bin/perijove",
                *("--home", tmp_path / "home", "--projects", tmp_path / "projects"),
                *("new", "acme/x", "--channel", channel),
            ],
            stderr=subprocess.PIPE,
            # As in a terminal: who runs tests in the background has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in told
    assert list((tmp_path / "projects").iterdir()) == []


def test_logins_that_others_may_read_are_refused_by_every_verb_that_solves(
    perijove: Run, write_project: Callable[..., Path], tmp_path: Path
) -> None:
    write_project("acme/good")
    logins = tmp_path / "home/channel-secrets.json"
    logins.parent.mkdir()
    logins.write_text('{"conda.acme.example": {"BearerToken": "tk-5ecret"}}')
    logins.chmod(0o644)
    for told in (
        perijove("lock"),
        perijove("new", "acme/x"),
        perijove("lock", PERIJOVE_CHANNEL_SECRETS=str(logins)),
    ):
        assert told.returncode == 1
        assert f"{logins}: others than its owner may use it (mode 0644)" in told.stderr
        assert "tk-5ecret" not in told.stderr


def test_a_short_name_of_the_site_is_understood(
    perijove: Run, channel: str, tmp_path: Path
) -> None:
    (tmp_path / "projects/channels.toml").write_text(f'[aliases]\nours = "{channel}"\n')
    made = perijove("new", "acme/first", "--channel", "ours")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "projects/acme/first/environment.yml").read_text()
    assert "- ours\n" in text
    assert "file:" not in text


@pytest.mark.slow
def test_from_an_empty_directory_to_a_kernel_in_the_launcher_in_one_line(
    perijove: Run, tmp_path: Path, share_caches: ShareCaches
) -> None:
    share_caches(tmp_path / "home/store")
    made = perijove("new", "acme/first", "--like", "blank", "--publish", "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert (told["kernel"], told["version"]) == ("acme.first", 1)
    spec = tmp_path / "home/store/acme/first/kernels/acme.first/kernel.json"
    assert json.loads(spec.read_text())["display_name"] == "Acme · First"
