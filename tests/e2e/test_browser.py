"""The main job, as people do it: a real browser, through nginx and TLS."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import lab
from tests.e2e.platform import Account, Platform

pytestmark = [
    pytest.mark.e2e,
    lab.needs_chromium,
]


def test_an_analyst_logs_in_copies_an_example_and_runs_it_to_the_end(
    platform: Platform, page: Page
) -> None:
    account = platform.account("alder-bank")
    lab.log_in(page, platform.url, account)
    assert lab.launcher(page) == ["Alder Bank · Credit risk", "Alder Bank · Language tokens"]

    lab.open_folder(page, "examples", "alder-bank", "credit-risk")
    page.get_by_role("listitem").filter(has_text="explained-credit-decisions").dblclick()
    expect(page.get_by_text("read-only example")).to_be_visible(timeout=lab.START_MS)
    page.get_by_role("button", name="Copy to my folder").click()
    copy = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(page.get_by_text("read-only example")).to_be_hidden(timeout=lab.START_MS)
    expect(copy.get_by_text("Alder Bank · Credit risk").first).to_be_visible(timeout=lab.START_MS)

    lab.run_all(page)
    conclusion = copy.get_by_text(re.compile(r"^Conclusion: AUC 0\.81"))
    expect(conclusion).to_be_visible(timeout=lab.RUN_MS)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    assert page.locator(".jp-Dialog").count() == 0

    saved = platform.home / "homes" / account.user / "work/alder-bank/credit-risk"
    assert [path.name for path in saved.glob("*.ipynb")] == ["explained-credit-decisions.ipynb"]
    assert "Conclusion: AUC" in next(saved.glob("*.ipynb")).read_text()
    platform.client(account).stop()


def test_a_member_of_another_client_sees_none_of_it(platform: Platform, page: Page) -> None:
    account = platform.account("lakeside-hospital")
    lab.log_in(page, platform.url, account)
    assert lab.launcher(page) == ["Lakeside Hospital · CT imaging"]
    lab.open_folder(page, "examples")
    assert page.locator(".jp-DirListing-itemText").all_inner_texts() == ["lakeside-hospital"]
    bank = platform.account("alder-bank")
    page.goto(f"{platform.url}/user/{bank.user}/lab")
    expect(
        page.get_by_text(re.compile("403|404|not have permission|Forbidden")).first
    ).to_be_visible()
    platform.client(account).stop()


def test_somebody_without_a_project_gets_a_workspace_that_shows_none(
    platform: Platform, page: Page
) -> None:
    account = platform.account()
    lab.log_in(page, platform.url, account)
    expect(page.get_by_role("heading", name="Console")).to_be_hidden()
    assert page.locator(".jp-LauncherCard[data-category=Notebook]").count() == 0
    words = page.locator(".jp-Launcher-content").evaluate(
        "element => getComputedStyle(element, '::before').content"
    )
    assert "not in a project yet" in words
    platform.client(account).stop()


def test_plain_http_is_sent_to_tls(platform: Platform, page: Page) -> None:
    page.goto(f"http://localhost:{platform.port + 1}/hub/login")
    assert page.url.startswith(f"{platform.url}/hub/login")
    page.goto(f"http://localhost:{platform.port}/hub/login")
    assert page.url.startswith(f"{platform.url}/hub/login")


def test_an_admin_moves_a_person_between_groups_on_the_hubs_own_page(
    platform: Platform, page: Page
) -> None:
    admin = platform.admin
    page.goto(f"{platform.url}/hub/login?next=/hub/home")
    lab.fill_in(page, admin)
    expect(page.get_by_role("link", name="Admin")).to_be_visible()
    page.goto(f"{platform.url}/hub/admin#/groups")
    person, group = platform.account(), "alder-bank/credit-risk"
    page.get_by_role("link", name=group, exact=True).click()
    page.get_by_role("textbox").first.fill(person.user)
    page.get_by_role("button", name=re.compile("add user", re.IGNORECASE)).click()
    with page.expect_response(re.compile("/hub/api/groups/.*/users")) as applied:
        page.get_by_role("button", name="Apply").click()
    assert applied.value.status == 200
    assert platform.client(person).hub("GET", "user").json()["groups"] == [group]
    platform.client(admin).hub(
        "DELETE", "groups/alder-bank%2Fcredit-risk/users", json={"users": [person.user]}
    )


def test_a_new_person_signs_up_and_an_admin_lets_them_in(
    platform: Platform, browser: Browser, page: Page
) -> None:
    nora = Account("nora", "correct-horse-battery", [], admin=False)
    page.goto(f"{platform.url}/hub/login")
    page.get_by_role("link", name="Sign up").click()
    page.locator("#username_input").fill(nora.user)
    page.locator("#password_input").fill(nora.password)
    page.locator("#password_confirmation_input").fill(nora.password)
    page.get_by_role("button", name="Create User").click()
    expect(page.get_by_text("Your information has been sent to the admin")).to_be_visible()
    assert not platform.client(nora).logged_in

    admins = browser.new_context(ignore_https_errors=True).new_page()
    admins.goto(f"{platform.url}/hub/login?next=/hub/authorize")
    lab.fill_in(admins, platform.admin)
    admins.get_by_role("row", name="nora").get_by_role("button", name="Authorize").click()
    expect(admins.get_by_role("row", name="nora").get_by_text("Yes")).to_be_visible()
    admins.context.close()

    client = platform.client(nora)
    assert client.logged_in
    assert client.hub("GET", "user").json()["groups"] == []
    client.start()
    client.terminal("echo mine > ~/kept.txt")
    client.stop()
    client.close()
    gone = platform.client(platform.admin).hub("DELETE", f"users/{nora.user}")
    assert gone.status_code == 204
    assert not platform.client(nora).logged_in
    homes = platform.home / "homes"
    assert not (homes / "nora").exists()
    assert [path.read_text() for path in homes.glob(".removed/nora-*/kept.txt")] == ["mine\n"]
