"""A person's browser: how to log in to the platform and find one's way in JupyterLab."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

needs_chromium = pytest.mark.skipif(
    not shutil.which("chromium"), reason="needs chromium: scripts/test-tools"
)
START_MS, RUN_MS = 60_000, 120_000
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def chromium(program: str | None = shutil.which("chromium")) -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser, picture: Any) -> Iterator[Page]:
    """A page of a browser that nobody has logged in with; its last sight is kept as a picture."""
    # Self-signed: a person would confirm it once.
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    yield page
    page.screenshot(path=picture)
    context.close()


def fill_in(page: Page, account: Any) -> None:
    page.get_by_label("Username").fill(account.user)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()


def log_in(page: Page, url: str, account: Any) -> None:
    page.goto(url)
    fill_in(page, account)
    expect(page.locator(".jp-Launcher")).to_be_visible(timeout=START_MS)


def launcher(page: Page) -> list[str]:
    cards = page.locator(".jp-LauncherCard[data-category=Notebook] .jp-LauncherCard-label")
    expect(cards.first).to_be_visible(timeout=START_MS)
    return sorted(text.strip() for text in cards.all_inner_texts())


def run_all(page: Page) -> None:
    """Runs every cell of the notebook, once its kernel is there."""
    expect(page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible(timeout=START_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def open_folder(page: Page, *names: str) -> None:
    for name in names:
        item = page.locator(".jp-DirListing-item").filter(has_text=name).first
        expect(item).to_be_visible(timeout=START_MS)
        item.dblclick()
    page.wait_for_timeout(500)
