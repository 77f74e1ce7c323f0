"""The operator's drill: look, back up, lose everything, restore, and people go on."""

import json
import re

import pytest

from tests.containers.stack import Stack

pytestmark = pytest.mark.containers


def test_doctor_says_line_by_line_that_all_is_well(stack: Stack) -> None:
    told = stack.compose("run", "--rm", "-T", "operator", "doctor", "--json", check=False)
    findings = {finding["name"]: finding for finding in json.loads(told.stdout)}
    assert {name for name, finding in findings.items() if finding["ok"] is False} == set()
    assert told.returncode == 0
    assert {"engine", "images", "networks", "certificate", "disk"} <= {*findings}
    assert {"database", "hub", "clock", "store", "secrets"} <= {*findings}


def test_doctor_names_what_is_missing_and_what_to_do(stack: Stack) -> None:
    stack.configure(PERIJOVE_WORKSPACE_IMAGE="perijove/workspace:lost")
    stack.compose("up", "-d", "--no-deps", "socket-proxy")
    stack.wait_until_healthy("socket-proxy")
    told = stack.compose("run", "--rm", "-T", "operator", "doctor", check=False)
    stack.configure(PERIJOVE_WORKSPACE_IMAGE="perijove/workspace:0.2.0")
    stack.compose("up", "-d", "--no-deps", "socket-proxy")
    stack.wait_until_healthy("socket-proxy")
    assert told.returncode == 1
    line = next(line for line in told.stdout.splitlines() if "perijove/workspace:lost" in line)
    assert line.startswith("FAIL")
    assert "docker compose build workspace" in line


def test_everything_lost_is_restored_and_the_notebook_opens(stack: Stack) -> None:
    account = stack.account("norrland-works")
    client = stack.client(account)
    client.start()
    client.terminal("mkdir -p ~/work; echo kept > ~/work/notes.txt; chmod 640 ~/work/notes.txt")
    example = "examples/norrland-works/machine-health"
    name = client.server("GET", f"api/contents/{example}").json()["content"][0]["name"]
    client.terminal(f"cp ~/{example}/{name} ~/work/mine.ipynb")
    kernels = set(client.kernels())
    client.stop()

    made = stack.run("make", "backup")
    (path,) = re.findall(r"backups/perijove-\S+\.tar", made.stdout)
    secrets = (stack.directory / ".env").read_text()
    key = (stack.directory / "certificates/key.pem").read_bytes()

    stack.down()
    (stack.directory / ".env").unlink()
    for file in (stack.directory / "certificates").iterdir():
        file.unlink()
    assert not stack.engine.docker.volumes.list(filters={"name": f"{stack.project}_"})

    stack.run("make", "restore", f"FROM={path}")
    assert (stack.directory / ".env").read_text() == secrets
    assert (stack.directory / "certificates/key.pem").read_bytes() == key
    stack.up()

    stack.forget_logins()
    client = stack.client(account)  # the same password
    client.start()
    assert set(client.kernels()) == kernels
    assert client.terminal("cat ~/work/notes.txt; stat -c %a ~/work/notes.txt").split() == [
        "kept",
        "640",
    ]
    assert client.notebook("work/mine.ipynb")["cells"]
    kernel = client.start_kernel("norrland-works.machine-health")
    assert kernel.run("print(6 * 7)").text == "42\n"
    client.stop()
