"""`scripts/restore` on a bare machine: what it takes out of a backup, what it asks Docker for."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from operating.archive import BackupWriter, new_backup

SCRIPT = Path(__file__).parents[2] / "scripts/restore"
SECRETS = {".env": b"A=1\n", "certificate.pem": b"c", "key.pem": b"k"}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """A checkout with the script, and a `docker` that writes down how it was called."""
    checkout = tmp_path / "a checkout"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "scripts/restore").write_bytes(SCRIPT.read_bytes())
    (checkout / "scripts/restore").chmod(0o755)
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin/docker"
    docker.write_text(f'#!/bin/sh\necho "$COMPOSE_ENV_FILES: $*" >> "{tmp_path}/calls"\n')
    docker.chmod(0o755)
    return checkout


@pytest.fixture(name="run")
def _run(checkout: Path, tmp_path: Path) -> Run:
    def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [checkout / "scripts/restore", *arguments],
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def write(file: Path, **more: bytes) -> None:
    with new_backup(file) as stream:
        writer = BackupWriter(stream)
        for name, content in (SECRETS | more).items():
            with writer.part(f"secrets/{name}") as sink:
                sink.write(content)
        writer.finish({})


@pytest.fixture(name="backup")
def _backup(tmp_path: Path) -> Path:
    write(tmp_path / "my backup.tar")
    return tmp_path / "my backup.tar"


def calls(tmp_path: Path) -> list[str]:
    file = tmp_path / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_a_bare_machine(run: Run, checkout: Path, tmp_path: Path, backup: Path) -> None:
    done = run("my backup.tar")
    assert done.returncode == 0, done.stderr
    for name, content in SECRETS.items():
        file = checkout / (name if name == ".env" else f"certificates/{name}")
        assert file.read_bytes() == content
        assert file.stat().st_mode & 0o777 == 0o600
    assert (checkout / "backups").stat().st_mode & 0o777 == 0o700
    inside = "/srv/perijove/from/my backup.tar"
    assert calls(tmp_path) == [
        ".env: compose up --detach --wait database",
        f".env: compose run --rm --volume {backup}:{inside}:ro operator restore {inside}",
    ]


def test_what_is_there_stays(run: Run, checkout: Path, tmp_path: Path, backup: Path) -> None:
    (checkout / "certificates").mkdir()
    for name in (".env", "certificates/certificate.pem", "certificates/key.pem"):
        (checkout / name).write_text("mine")
    done = run(backup, "--replace")
    assert done.stdout.count("is there already, and stays as it is.") == 3
    assert (checkout / ".env").read_text() == "mine"
    assert calls(tmp_path)[1].endswith("my backup.tar --replace")


def test_directories_that_docker_made_give_way(run: Run, checkout: Path, backup: Path) -> None:
    (checkout / ".env").mkdir()
    (checkout / "certificates/key.pem").mkdir(parents=True)
    assert run(backup).returncode == 0
    assert (checkout / ".env").read_bytes() == SECRETS[".env"]
    assert (checkout / "certificates/key.pem").read_bytes() == b"k"


def test_directories_with_something_in_them_do_not(
    run: Run, checkout: Path, tmp_path: Path, backup: Path
) -> None:
    (checkout / ".env/x").mkdir(parents=True)
    done = run(backup)
    assert (done.returncode, calls(tmp_path)) == (1, [])
    assert done.stderr.startswith("Error: .env is a directory, and has to be a file")


def test_files_go_where_env_says(run: Run, tmp_path: Path) -> None:
    lines = f"PERIJOVE_KEY='{tmp_path}/tls/my key'\nPERIJOVE_CERTIFICATE={tmp_path}/tls/c\n"
    write(tmp_path / "b.tar", **{".env": lines.encode()})
    done = run("b.tar", PERIJOVE_ENV_FILE=str(tmp_path / "env"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tls/my key").read_bytes() == b"k"
    assert (tmp_path / "tls/c").read_bytes() == b"c"
    assert calls(tmp_path)[0].startswith(f"{tmp_path}/env: ")


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("a", "--replace", "c")])
def test_another_command_line_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, "Usage:" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such backup"),
        (b"", "not a whole backup"),
        (b"cut", "not a whole backup"),
    ],
)
def test_something_else_is_one_sentence_and_nothing_happens(  # noqa: PLR0917 - by name
    run: Run, checkout: Path, tmp_path: Path, backup: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "x.tar").write_bytes(content and backup.read_bytes()[:2000])
    done = run("x.tar")
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (calls(tmp_path), (checkout / ".env").exists()) == ([], False)


def test_one_of_make_up_is_not_for_containers(run: Run, checkout: Path, tmp_path: Path) -> None:
    with new_backup(tmp_path / "b.tar") as stream:
        BackupWriter(stream).finish({})
    done = run("b.tar")
    assert (done.returncode, calls(tmp_path)) == (1, [])
    assert "it is not of an installation in containers" in done.stderr
    assert sorted(path.name for path in checkout.iterdir()) == ["scripts"]


def test_a_docker_that_fails_ends_it(run: Run, tmp_path: Path, backup: Path) -> None:
    (tmp_path / "bin/docker").write_text("#!/bin/sh\nexit 7\n")
    done = run(backup)
    assert done.returncode == 1
    assert "Nothing was restored." in done.stderr
