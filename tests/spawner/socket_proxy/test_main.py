"""The program reads its environment, says what it refuses, and ends when it is told to."""

import signal
import socket
import subprocess
import sys
from pathlib import Path


def test_a_variable_that_is_missing_is_named_and_nothing_starts() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "spawner.socket_proxy"],
        env={"COMPOSE_PROJECT_NAME": "perijove"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    said = (
        "ERROR The environment variable PERIJOVE_WORKSPACE_SUBNETS is not set; see .env.example.\n"
    )
    assert run.stdout.endswith(said)
    assert not run.stderr


def test_it_replaces_a_socket_left_behind_logs_a_refusal_and_ends_when_told(
    tmp_path: Path,
) -> None:
    listen = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(listen))
    with subprocess.Popen(
        [sys.executable, "-m", "spawner.socket_proxy"],
        env={
            "COMPOSE_PROJECT_NAME": "perijove",
            "PERIJOVE_WORKSPACE_IMAGE": "perijove/workspace:1",
            "PERIJOVE_WORKSPACE_SUBNETS": "10.213.0.0/16",
            "PERIJOVE_OUTSIDE": "none",
            "PERIJOVE_ENGINE_SOCKET": str(tmp_path / "engine"),
            "PERIJOVE_PROXY_SOCKET": str(listen),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        assert f"the socket proxy of perijove listens at {listen}" in process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as hub:
            hub.connect(str(listen))
            hub.sendall(b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n")
            assert hub.recv(1000).startswith(b"HTTP/1.1 403 ")
        assert process.stdout.readline().endswith(
            "WARNING refused GET /info: this call is not among those that are allowed\n"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
    assert not listen.exists()


def test_a_place_where_no_socket_can_be_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    listen = tmp_path / "docker.sock"
    listen.write_text("mine")
    run = subprocess.run(
        [sys.executable, "-m", "spawner.socket_proxy"],
        env={
            "COMPOSE_PROJECT_NAME": "perijove",
            "PERIJOVE_WORKSPACE_IMAGE": "perijove/workspace:1",
            "PERIJOVE_WORKSPACE_SUBNETS": "10.213.0.0/16",
            "PERIJOVE_OUTSIDE": "none",
            "PERIJOVE_PROXY_SOCKET": str(listen),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"cannot listen at {listen}" in run.stdout
    assert listen.read_text() == "mine"
