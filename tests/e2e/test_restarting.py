"""Ctrl-C and `make up` again: nothing runs on, nothing is lost."""

import json
import os
import signal

import psutil
import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e


def test_ctrl_c_leaves_no_process_and_the_next_start_brings_everything_back(
    platform: Platform,
) -> None:
    account, admin = platform.account("alder-bank"), platform.client(platform.admin)
    client = platform.client(account)
    client.start()
    client.terminal("echo mine > ~/kept.txt")
    kernel = client.start_kernel("alder-bank.credit-risk")
    kernel.run("import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)")
    # What an admin decided on the hub's pages must not come back with a restart.
    body = {"users": [account.user]}
    admin.hub("POST", "groups/lakeside-hospital/users", json=body)
    removed = platform.account("norrland-works")
    admin.hub("DELETE", "groups/norrland-works/users", json={"users": [removed.user]})

    assert platform.stop() == []
    assert "Stopped." in platform.said
    platform.start()

    client = platform.client(account)
    client.start()
    assert client.terminal("cat ~/kept.txt").strip() == "mine"
    assert "lakeside-hospital.ct-imaging" in client.kernels()
    client.stop()
    other = platform.client(removed)
    other.start()
    assert other.kernels() == {}
    other.stop()
    admin = platform.client(platform.admin)
    admin.hub("DELETE", "groups/lakeside-hospital/users", json=body)
    admin.hub("POST", "groups/norrland-works/users", json={"users": [removed.user]})


def test_even_a_killed_supervisor_leaves_no_process(platform: Platform) -> None:
    client = platform.client(platform.account("alder-bank"))
    client.start()
    assert platform.process is not None
    family = psutil.Process(platform.process.pid).children(recursive=True)
    platform.find("bin/perijove", "up").kill()
    _, alive = psutil.wait_procs(family, timeout=40)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert left == []
    platform.process.wait(10)
    platform.start()


def test_a_second_platform_in_the_same_home_is_refused_in_a_sentence(platform: Platform) -> None:
    refused = platform.perijove("up")
    assert refused.returncode == 1
    assert "runs already" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_end_by_sigterm_is_as_clean_as_ctrl_c(platform: Platform) -> None:
    assert platform.process is not None
    family = psutil.Process(platform.process.pid).children(recursive=True)
    os.kill(platform.find("bin/perijove", "up").pid, signal.SIGTERM)
    platform.process.wait(60)
    platform.process = None
    assert [process for process in family if process.is_running()] == []
    down = platform.perijove("status", "--json")
    assert down.returncode == 1
    assert json.loads(down.stdout)["platform"]["running"] is False
