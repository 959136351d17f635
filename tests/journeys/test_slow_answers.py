"""A press that takes its time shows that it does, and nothing else about it changes."""

import pytest

from clients.models import AppClient
from tests.journeys.steps import create_client, faults, sign_in

pytestmark = pytest.mark.browser
BUSY = "button[aria-busy=true]"


@pytest.fixture
def slow(live_harbourline, page):
    """The settings of a client, of which Cognito will take its time to be told."""
    sign_in(page)
    create_client(page)
    page.goto(f"/clients/{AppClient.objects.get().public_id}/settings/")
    live_harbourline.fault("UpdateUserPoolClient", "slow", seconds=3)
    page.get_by_role("textbox", name="Name").fill("renamed")
    return page


# Pressed twice; asked within the page, because from outside it is waited for.
PRESS = """async () => {
  const save = document.querySelector("main form button.primary:not([aria-busy])");
  save.click();
  await new Promise((go) => setTimeout(go, 500));
  const seen = [save.getAttribute("aria-busy"), save.disabled, document.querySelector("p[aria-live]").textContent];
  save.click();
  return [...seen, document.querySelectorAll("[aria-busy]").length];
}"""


def test_save_that_takes_its_time_says_that_it_works(slow):
    assert slow.evaluate(PRESS) == ["true", False, "Working…", 1]
    slow.locator("h1").get_by_text("renamed").wait_for()
    assert slow.locator(BUSY).count() == 0 and AppClient.objects.get().name == "renamed" and faults(slow) == []


def test_press_that_the_page_itself_answers_is_never_left_busy(live_harbourline, page):
    sign_in(page)
    page.get_by_role("button", name="Switch to dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    assert page.locator(BUSY).count() == 0


def test_press_that_downloads_is_never_left_busy(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    page.locator("[name=chosen]").check()
    with page.expect_download():
        page.locator("#bulk").get_by_role("button", name="Export CSV").click()
    assert page.locator(BUSY).count() == 0


def test_page_that_comes_back_as_it_was_left_is_at_rest(slow):
    slow.evaluate("""() => {
      document.addEventListener("submit", (event) => event.preventDefault());
      document.querySelector("main form button.primary").click();
    }""")
    assert slow.locator(BUSY).count() == 1
    slow.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert slow.locator(BUSY).count() == 0 and slow.locator("p[aria-live]").text_content() == ""
