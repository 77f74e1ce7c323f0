"""One platform for all end-to-end tests; when one of them fails, its logs are shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import ShareCaches
from tests.e2e import lab
from tests.e2e.client import Client
from tests.e2e.platform import Platform, new_platform


@pytest.fixture(scope="session", name="platform")
def _platform(
    tmp_path_factory: pytest.TempPathFactory, share_caches: ShareCaches
) -> Iterator[Platform]:
    platform = new_platform(tmp_path_factory.mktemp("platform"))
    share_caches(platform.home / "store")
    try:
        platform.start()
        yield platform
    finally:
        if platform.process is not None:
            platform.stop()


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    """Closes the connections of the test's clients, which would be the next test's warnings."""
    yield
    while Client.opened:
        Client.opened.pop().close()


@pytest.fixture(name="started")
def _started(platform: Platform) -> Iterator["Started"]:
    started = Started(platform)
    yield started
    started.stop()


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[Browser]:
    with lab.chromium() as browser:
        yield browser


@pytest.fixture(name="page")
def _page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    with lab.new_page(browser, tmp_path / "last.png") as page:
        yield page


class Started:
    """Logs people in and starts their workspaces; stops them after the test."""

    def __init__(self, platform: Any) -> None:
        self._platform = platform
        self._clients: list[Client] = []

    def __call__(self, *groups: str) -> Client:
        """The member of exactly these groups, with a running workspace."""
        client = self._platform.client(self._platform.account(*groups))
        client.start()
        self._clients.append(client)
        return client

    def stop(self) -> None:
        for client in self._clients:
            if client.servers():
                client.stop()
            client.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    platform = getattr(item, "funcargs", {}).get("platform")
    if report.failed and platform is not None:
        report.sections.append(("the platform's logs", platform.evidence()))
