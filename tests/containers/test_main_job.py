"""The main job in containers: a real browser, through nginx and TLS."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from tests.containers.stack import Stack
from tests.e2e import lab
from tests.e2e.conftest import Started

pytestmark = [pytest.mark.containers, lab.needs_chromium]


def wait_for_lab(page: Page) -> None:
    """Until JupyterLab is there."""
    shown = page.locator(".jp-NotebookPanel, .jp-Launcher").first
    expect(shown).to_be_visible(timeout=lab.START_MS)


def test_an_analyst_logs_in_runs_an_example_to_the_end_stops_and_finds_it_again(
    stack: Stack, page: Page
) -> None:
    account = stack.account("alder-bank")
    stack.ensure_stopped(account)
    page.goto(stack.url)
    lab.fill_in(page, account)
    wait_for_lab(page)
    assert lab.launcher(page) == ["Alder Bank · Credit risk", "Alder Bank · Language tokens"]

    lab.open_folder(page, "examples", "alder-bank", "credit-risk")
    page.get_by_role("listitem").filter(has_text="explained-credit-decisions").dblclick()
    page.get_by_role("button", name="Copy to my folder").click(timeout=lab.START_MS)
    expect(page.get_by_text("read-only example")).to_be_hidden(timeout=lab.START_MS)
    copy = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(copy.get_by_text("Alder Bank · Credit risk").first).to_be_visible(timeout=lab.START_MS)
    lab.run_all(page)
    conclusion = copy.get_by_text(re.compile(r"^Conclusion: AUC 0\.81"))
    expect(conclusion).to_be_visible(timeout=lab.RUN_MS)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)

    page.goto(f"{stack.url}/hub/home")
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Stop My Server").click()
    client = stack.client(account)
    stack.wait_until(lambda: not client.servers(), "the workspace has ended")
    page.goto(stack.url)
    wait_for_lab(page)
    work = "work/alder-bank/credit-risk/explained-credit-decisions.ipynb"
    assert "Conclusion: AUC" in str(client.notebook(work))
    client.stop()


def test_who_waits_is_told_what_is_being_done(stack: Stack) -> None:
    client = stack.client(stack.account("alder-bank"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.hub, "POST", f"users/{client.user}/server")
        stack.wait_until(lambda: bool(client.servers()), "the start has begun")
        told = client.hub("GET", f"users/{client.user}/server/progress").text
        assert asked.result().status_code in (201, 202)
    events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")]
    words = " ".join(event["message"] for event in events)
    for part in ("a network for this workspace alone", "the container", "the notebook server"):
        assert part in words
    assert [event["progress"] for event in events] == sorted(event["progress"] for event in events)
    client.stop()


def test_a_data_scientist_switches_between_the_kernels_of_two_clients(started: Started) -> None:
    client = started("alder-bank", "norrland-works")
    prefixes = set()
    for name in ("alder-bank.credit-risk", "norrland-works.machine-health"):
        kernel = client.start_kernel(name)
        prefixes.add(kernel.run("import sys; print(sys.prefix)").text.split("/envs/")[0])
        kernel.close()
    assert prefixes == {
        "/opt/perijove/alder-bank/credit-risk",
        "/opt/perijove/norrland-works/machine-health",
    }


def test_a_version_published_by_the_builder_is_in_running_containers_at_once(
    stack: Stack, started: Started
) -> None:
    client = started("lakeside-hospital/ct-imaging")
    old = client.start_kernel("lakeside-hospital.ct-imaging")
    old.run("kept = 42")
    prefix = old.run("import sys; print(sys.prefix)").text
    file = stack.directory / "projects/lakeside-hospital/ct-imaging/environment.yml"
    file.write_text(file.read_text() + "  - cycler\n")
    stack.perijove("build", "lakeside-hospital/ct-imaging")
    before = set(client.kernels())
    stack.perijove("publish", "lakeside-hospital/ct-imaging")
    new = set(client.kernels()) - before  # the very next listing
    assert len(new) == 1
    assert old.run("print(kept)").text == "42\n"
    assert old.run("import sys; print(sys.prefix)").text == prefix
    kernel = client.start_kernel("lakeside-hospital.ct-imaging")
    assert kernel.run("import sys; print(sys.prefix)").text != prefix

    # What a container uses, the builder's gc leaves alone, and takes once it has ended.
    slug = "lakeside-hospital/ct-imaging"
    stack.perijove("retire", slug, "--version", "1")
    told = json.loads(stack.perijove("gc", "--yes", "--keep", "1", "--json").stdout)
    assert told["in_use"] == [f"{slug} v1"]
    assert old.run("import email.mime.audio; print(kept)").text == "42\n"  # not imported before
    client.server("DELETE", f"api/kernels/{old.id}")
    told = json.loads(stack.perijove("gc", "--yes", "--keep", "1", "--json").stdout)
    assert f"{slug} v1" in told["removed"]
    assert kernel.run("import numpy; print(numpy.ones(2).sum())").text == "2.0\n"


def test_plain_http_is_sent_to_tls(stack: Stack, page: Page) -> None:
    page.goto(f"http://localhost:{stack.port + 1}/hub/login")
    assert page.url.startswith(f"{stack.url}/hub/login")


def test_who_runs_out_of_memory_is_told_so(stack: Stack, page: Page) -> None:
    """The whole workspace dies: its page says why, and a click starts it again."""
    account = stack.account("norrland-works/machine-health")
    client = stack.client(account)
    client.start()
    # The kernel ends whoever has the highest score; by itself that would be the greedy program.
    client.terminal(
        "echo 1000 > /proc/$(pgrep -P 1)/oom_score_adj; "
        "(python3 -c 'x = [bytearray(10**8) for _ in range(40)]' >/dev/null 2>&1 &)"
    )
    stack.wait_until(lambda: not client.servers(), "the workspace has ended", seconds=120)
    page.goto(f"{stack.url}/user/{account.user}/lab")
    lab.fill_in(page, account)
    expect(page.get_by_text(re.compile("ran out of memory"))).to_be_visible(timeout=lab.START_MS)
    page.get_by_role("button", name=re.compile("Launch Server")).click()
    wait_for_lab(page)
    client.stop()
