"""JupyterLab as an analyst meets it: real server, real read-only mount, real browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (shutil.which("bwrap") and shutil.which("chromium")),
        reason="needs bubblewrap and chromium",
    ),
]

CHECKOUT = Path(__file__).parents[2]
PROGRAM = (sys.base_prefix, sys.prefix, f"{CHECKOUT}/workspace")  # may lie below a hidden folder
EXAMPLES = "examples/acme/churn"
AUTOSAVE_S = 1
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Lab:
    """A running server and what it shows, as the host sees it."""

    home: Path
    store: Path
    log: Path
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 # our own server on the loopback
            f"{self.url}/api/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.load(answer)


def write_notebook(path: Path, kernel: str) -> None:
    """Write a notebook that prints its kernel's place, as people leave them: without outputs."""
    source = "import os\nthreshold = 3\nprint('answer', threshold * 2, os.getcwd())"
    cells = [
        {"cell_type": "markdown", "id": "intro", "metadata": {}, "source": "# Churn"},
        {
            "cell_type": "code",
            "id": "code",
            "metadata": {},
            "source": source,
            "execution_count": None,
            "outputs": [],
        },
    ]
    kernelspec = {"name": kernel, "display_name": "of long ago", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "cells": cells,
                "metadata": {"kernelspec": kernelspec},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


def count_ended_for_lack_of_memory(lab: Lab, count: int) -> None:
    """Write what Linux writes, for a workspace that may take 512 MiB."""
    cgroup = lab.home / ".cgroup"
    cgroup.mkdir(exist_ok=True)
    (cgroup / "memory.max").write_text(f"{512 << 20}\n")
    draft = cgroup / "draft"
    draft.write_text(f"low 0\nhigh 0\nmax 7\noom {count}\noom_kill {count}\n")
    draft.rename(cgroup / "memory.events")


def wait_for_sessions(lab: Lab, *notebooks: str) -> None:
    """Wait until these notebooks have a kernel and no others: a kernel may take a while to end."""
    deadline = time.monotonic() + 30
    while (paths := [session["path"] for session in lab.ask("sessions")]) != [*notebooks]:
        assert time.monotonic() < deadline, paths
        time.sleep(0.1)


def end_kernel(lab: Lab, notebook: str) -> None:
    """End the kernel of a notebook as Linux does, without a word."""
    (kernel,) = {
        session["kernel"]["id"] for session in lab.ask("sessions") if session["path"] == notebook
    }
    (process,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"kernel-{kernel}.json" in word for word in process.info["cmdline"] or ())
    )
    process.kill()


def workspace_command(lab: Lab) -> list[str]:
    """Return the command of a server in a workspace: its own home, store and examples read-only."""
    return [
        *("bwrap", "--die-with-parent", "--unshare-pid", "--clearenv"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *("--tmpfs", "/tmp", "--tmpfs", "/home", "--tmpfs", "/opt"),  # noqa: S108
        *(word for path in PROGRAM for word in ("--ro-bind", path, path)),
        *("--bind", str(lab.home), "/home/ana", "--chdir", "/home/ana"),
        *("--ro-bind", str(lab.store), "/opt/perijove"),
        *("--ro-bind", str(lab.store / "acme/churn/examples"), f"/home/ana/{EXAMPLES}"),
        *("--setenv", "HOME", "/home/ana", "--setenv", "PATH", os.environ["PATH"]),
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--config={CHECKOUT}/workspace/jupyter_server_config.py",
        "--ServerApp.root_dir=/home/ana",
        "--WorkspaceKernelRestarter.cgroup=/home/ana/.cgroup",
        *("--ip=127.0.0.1", f"--port={lab.port}", f"--IdentityProvider.token={lab.token}"),
    ]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path]) -> Iterator[Lab]:
    """A workspace with acme.churn at version 2, an example, and a notebook of long ago."""
    root = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(root / "home", root / "store", root / "log", port, secrets.token_hex())

    publish(lab.store, "acme.churn", "Acme churn")
    publish(lab.store, "acme.churn.v1", "Acme churn v1")
    publish(lab.store, "acme.churn.v2", "Acme churn v2")
    write_notebook(lab.store / "acme/churn/examples/churn.ipynb", "acme.churn")
    (lab.store / "acme/churn/examples/notes.md").write_text("# Notes\n")
    (lab.home / EXAMPLES).mkdir(parents=True)
    write_notebook(lab.home / "old.ipynb", "conda-env-acme_churn_v1-py")
    count_ended_for_lack_of_memory(lab, 0)
    settings = lab.home / ".jupyter/lab/user-settings/@jupyterlab/docmanager-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(
        json.dumps({"autosaveInterval": AUTOSAVE_S})
    )

    with lab.log.open("w") as log:
        server = subprocess.Popen(workspace_command(lab), stdout=log, stderr=log)
    try:
        wait_until_ready(lab, server)
        yield lab
    finally:
        server.kill()  # and bubblewrap's processes with it; asked, it waits for each kernel
        server.wait(timeout=20)


def wait_until_ready(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            lab.ask("status")
        except urllib.error.URLError:
            assert server.poll() is None, lab.log.read_text()
            time.sleep(0.1)
        else:
            return
    pytest.fail(lab.log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_ARGS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """A fresh page, logged in; what the server and the page said is printed if the test fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    page.on("console", lambda message: print("page:", message.type, message.text))  # noqa: T201
    page.goto(f"{lab.url}/api/status?token={lab.token}")
    yield page
    context.close()
    print(lab.log.read_text()[-8000:])  # noqa: T201


def open_lab(page: Page, lab: Lab, path: str = "") -> None:
    address = f"lab/tree/{path}" if path else "lab"
    page.goto(f"{lab.url}/{address}?reset")
    page.locator("#jp-main-dock-panel").wait_for()


def banner(page: Page) -> Any:
    return page.locator(".pj-ReadOnlyBanner")


def kernel_of_open_notebook(page: Page) -> Any:
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Toolbar-kernelName")


def edit_code(page: Page, text: str) -> None:
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def run_code(page: Page) -> None:
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Shift+Enter")


def open_and_run(page: Page, lab: Lab, notebook: str) -> None:
    """Make a notebook and run it: its kernel lives, and the page is connected to it."""
    write_notebook(lab.home / notebook, "acme.churn")
    open_lab(page, lab, notebook)
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn")
    expect(page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible()
    run_code(page)
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("answer 6")


def test_the_launcher_shows_each_project_once(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    cards = page.locator(".jp-LauncherCard[data-category=Notebook]")
    expect(cards).to_have_text(["AAcme churn"])  # the icon is the first letter
    expect(page.locator(".jp-LauncherCard[data-category=Console]")).to_have_count(1)
    assert set(lab.ask("kernelspecs")["kernelspecs"]) >= {"acme.churn", "acme.churn.v1"}


def test_a_kernel_published_meanwhile_appears_in_the_launcher(
    page: Page, lab: Lab, publish: Callable[..., Path]
) -> None:
    open_lab(page, lab)
    card = page.locator(".jp-LauncherCard[data-category=Notebook]", has_text="Acme price")
    page.locator(".jp-LauncherCard", has_text="Acme churn").first.wait_for()
    assert card.count() == 0
    publish(lab.store, "acme.price", "Acme price")
    try:
        expect(card).to_be_visible(timeout=10_000)
    finally:
        shutil.rmtree(lab.store / "acme/price")


def test_an_example_says_how_to_work_on_it_and_its_copy_runs(page: Page, lab: Lab) -> None:
    open_lab(page, lab, f"{EXAMPLES}/churn.ipynb")
    expect(banner(page)).to_contain_text("This is a read-only example. Work on your own copy.")
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn")

    banner(page).get_by_role("button", name="Copy to my folder").click()
    expect(banner(page)).to_have_count(0)
    expect(page.locator(".jp-DirListing-item.jp-mod-selected")).to_contain_text("churn.ipynb")
    expect(page.locator(".jp-BreadCrumbs").first).to_contain_text("work")
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn")

    run_code(page)
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text(
        "answer 6 /home/ana/work/acme/churn"
    )
    wait_for_sessions(lab, "work/acme/churn/churn.ipynb")  # the example's is not left running
    copied = json.loads((lab.home / "work/acme/churn/churn.ipynb").read_text())
    assert copied["metadata"]["kernelspec"]["name"] == "acme.churn"


def test_a_cell_that_is_run_before_there_is_a_kernel_runs_once_it_is_there(
    page: Page, lab: Lab
) -> None:
    asked: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            asked.append(route)
        else:
            route.continue_()

    page.route("**/api/sessions*", hold)
    write_notebook(lab.home / "hasty.ipynb", "acme.churn")
    open_lab(page, lab, "hasty.ipynb")
    page.locator(".jp-CodeCell .cm-content").wait_for()
    while not asked:
        page.wait_for_timeout(50)
    run_code(page)
    expect(page.locator(".jp-CodeCell .jp-InputArea-prompt").first).to_have_text("[*]:")
    asked[0].continue_()
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("answer 6")


def test_looking_at_an_example_and_closing_it_brings_no_question(page: Page, lab: Lab) -> None:
    open_lab(page, lab, f"{EXAMPLES}/churn.ipynb")
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
    expect(banner(page)).to_be_visible()
    page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabCloseIcon").click()
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)
    assert page.locator(".jp-Dialog").count() == 0


def test_editing_an_example_past_autosave_brings_no_dialog_or_notification(
    page: Page, lab: Lab
) -> None:
    open_lab(page, lab, f"{EXAMPLES}/churn.ipynb")
    expect(banner(page)).to_be_visible()
    edit_code(page, "\nthreshold = 4")
    page.wait_for_timeout(4000 * AUTOSAVE_S)
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".Toastify__toast").count() == 0


def test_saving_an_example_offers_the_copy_which_takes_the_changes(page: Page, lab: Lab) -> None:
    shutil.rmtree(lab.home / "work", ignore_errors=True)
    open_lab(page, lab, f"{EXAMPLES}/churn.ipynb")
    expect(banner(page)).to_be_visible()
    edit_code(page, "\nprint('mine')")
    page.keyboard.press("Control+s")
    answer = page.locator(".Toastify__toast")
    expect(answer).to_contain_text(
        "This file is read-only. Your changes can go into your own copy."
    )
    answer.get_by_role("button", name="Copy to my folder").click()
    expect(banner(page)).to_have_count(0)
    expect(page.locator(".jp-CodeCell .cm-content")).to_contain_text("print('mine')")
    expect(answer).to_have_count(0)
    assert page.locator(".jp-Dialog").count() == 0
    assert "mine" in (lab.home / "work/acme/churn/churn.ipynb").read_text()


def test_other_read_only_files_have_the_banner_too(page: Page, lab: Lab) -> None:
    open_lab(page, lab, f"{EXAMPLES}/notes.md")
    banner(page).get_by_role("button").click()
    expect(banner(page)).to_have_count(0)
    expect(page.locator(".jp-FileEditor .cm-content")).to_contain_text("# Notes")
    assert (lab.home / "work/acme/churn/notes.md").is_file()


def test_the_file_browser_offers_the_copy_for_examples_only(page: Page, lab: Lab) -> None:
    shutil.rmtree(lab.home / "work", ignore_errors=True)
    open_lab(page, lab)
    entry = page.locator(".lm-Menu-item", has_text="Copy to My Folder")
    page.locator(".jp-DirListing-item", has_text="old.ipynb").click(button="right")
    expect(page.locator(".lm-Menu-item", has_text="Duplicate")).to_be_visible()
    assert not entry.is_visible()
    page.keyboard.press("Escape")

    open_lab(page, lab, EXAMPLES)
    page.locator(".jp-DirListing-item", has_text="churn.ipynb").click(button="right")
    entry.click()
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn")
    assert (lab.home / "work/acme/churn/churn.ipynb").is_file()


def test_a_new_notebook_started_among_examples_is_the_users_own(page: Page, lab: Lab) -> None:
    shutil.rmtree(lab.home / "work", ignore_errors=True)
    open_lab(page, lab, EXAMPLES)
    page.locator(".jp-DirListing-item", has_text="churn.ipynb").wait_for()
    page.locator(".jp-LauncherCard[data-category=Notebook]", has_text="Acme churn").click()
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn")
    assert (lab.home / "work/acme/churn/Untitled.ipynb").is_file()
    assert page.locator(".jp-Dialog").count() == 0


def test_a_notebook_of_nb_conda_kernels_opens_with_the_pinned_kernel_unasked(
    page: Page, lab: Lab
) -> None:
    open_lab(page, lab, "old.ipynb")
    expect(kernel_of_open_notebook(page)).to_have_text("Acme churn v1")
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
    assert page.locator(".jp-Dialog").count() == 0
    assert "acme.churn.v1" in {session["kernel"]["name"] for session in lab.ask("sessions")}


def test_a_program_starts_a_kernel_by_its_name_of_nb_conda_kernels(lab: Lab) -> None:
    assert lab.ask("kernels", {"name": "conda-env-acme_churn_v1-python3"})["id"]


def test_a_person_is_told_that_a_kernel_ended_for_lack_of_memory(page: Page, lab: Lab) -> None:
    open_and_run(page, lab, "greedy.ipynb")
    count_ended_for_lack_of_memory(lab, 1)
    end_kernel(lab, "greedy.ipynb")
    expect(page.locator(".Toastify__toast")).to_have_text(
        "The kernel was ended: the workspace ran out of memory (it has 512 MiB). "
        "Use less data, close other kernels, or ask an admin for more."
    )
    expect(page.locator(".jp-Dialog")).to_contain_text("appears to have died")  # JupyterLab's own


def test_nothing_is_said_of_memory_where_a_kernel_ended_for_another_reason(
    page: Page, lab: Lab
) -> None:
    open_and_run(page, lab, "unlucky.ipynb")
    end_kernel(lab, "unlucky.ipynb")
    expect(page.locator(".jp-Dialog")).to_contain_text("appears to have died")
    page.wait_for_timeout(1000)
    assert page.locator(".Toastify__toast").count() == 0


def test_the_page_asks_nothing_of_other_hosts(page: Page, lab: Lab) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_lab(page, lab)
    page.locator(".jp-LauncherCard").first.wait_for()
    page.wait_for_timeout(2000)
    assert [url for url in asked if not url.startswith((lab.url, "data:", "blob:"))] == []
    assert [url for url in asked if "/lab/api/news" in url or "/lab/api/build" in url] == []
    assert page.locator(".Toastify__toast").count() == 0
