"""With a host name, and so an origin, for every workspace."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.containers.stack import Stack
from tests.containers.test_main_job import wait_for_lab
from tests.e2e import lab

pytestmark = [pytest.mark.containers, lab.needs_chromium]


@pytest.fixture(name="subdomains")
def _subdomains(stack: Stack) -> Iterator[Stack]:
    stack.ensure_stopped(stack.account("lakeside-hospital"))
    stack.configure(PERIJOVE_SUBDOMAINS="yes")
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    yield stack
    stack.configure(PERIJOVE_SUBDOMAINS="")
    stack.compose("up", "-d")
    stack.wait_until_healthy()


def test_each_workspace_has_an_origin_of_its_own_and_cookies_that_stay_there(
    subdomains: Stack, page: Page
) -> None:
    account = subdomains.account("lakeside-hospital")
    page.goto(subdomains.url)
    lab.fill_in(page, account)
    wait_for_lab(page)
    own = f"https://{account.user}.localhost:{subdomains.port}"
    assert page.url.startswith(f"{own}/user/{account.user}/lab")
    assert lab.launcher(page) == ["Lakeside Hospital · CT imaging"]

    cookies = page.context.cookies()
    sessions = [cookie for cookie in cookies if "jupyterhub" in cookie["name"]]
    assert sessions
    for cookie in sessions:
        assert cookie["secure"], cookie
        assert not cookie["domain"].startswith("."), cookie  # for that one host alone
    kept = {(cookie["name"], cookie["domain"]) for cookie in sessions}
    assert ("__Host-jupyterhub-hub-login", "localhost") in kept
    assert {domain for name, domain in kept if account.user in name} == {
        f"{account.user}.localhost"
    }

    # A script in the workspace can ask neither the hub nor another workspace for anything.
    asked = """async (url) => {
        try { const answer = await fetch(url, {credentials: "include"}); return answer.status; }
        catch (error) { return "refused"; }
    }"""
    assert page.evaluate(asked, f"{subdomains.url}/hub/api/user") == "refused"
    assert page.evaluate(asked, f"{own}/user/{account.user}/api") == 200
    page.goto(f"{subdomains.url}/hub/home")
    page.wait_for_load_state("networkidle")
    page.locator("#stop").click()
    subdomains.wait_until(
        lambda: not [one for one in subdomains.workspaces() if one.name.endswith(account.user)],
        "the workspace has ended",
    )
