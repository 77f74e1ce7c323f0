"""One engine and one production stack for all container tests; a failure shows the stack's logs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.containers.quiet_network import quiet_network
from tests.containers.stack import CHECKOUT, Engine, Stack, build_base_images, ensure_engine
from tests.e2e import lab
from tests.e2e.client import Client
from tests.e2e.conftest import Started


@pytest.fixture(scope="session", name="engine")
def _engine() -> Iterator[Engine]:
    try:
        engine = ensure_engine()
    except RuntimeError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Docker engine: {error}")
    yield engine
    engine.docker.close()
    subprocess.run([CHECKOUT / "scripts/docker-engine", "stop"], check=True)


@pytest.fixture(scope="session", name="stack")
def _stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("installation") / "perijove"
    stack = Stack(engine, directory, build_base_images(engine))
    try:
        stack.install()
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(name="started")
def _started(stack: Stack) -> Iterator[Started]:
    started = Started(stack)
    yield started
    started.stop()


@pytest.fixture(scope="module", name="browser")
def _browser(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    directory = tmp_path_factory.mktemp("browser")
    with (
        quiet_network(directory, (stack.port, stack.port + 1)) as program,
        lab.chromium(str(program)) as browser,
    ):
        yield browser


@pytest.fixture(name="page")
def _page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    with lab.new_page(browser, tmp_path / "last.png") as page:
        yield page


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    """Closes the connections of the test's clients, which would be the next test's warnings."""
    yield
    while Client.opened:
        Client.opened.pop().close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        report.sections.append(("the stack's logs", stack.evidence()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a session waits for everything to be built."""
    for item in items:
        if item.get_closest_marker("containers"):
            item.add_marker(pytest.mark.timeout(2400))
