"""Clients chosen in the list by keyboard alone, and given a contact; the same without JavaScript."""

import pytest

from clients.models import AppClient, AuditEntry
from tests.journeys.steps import create_client, is_fit, sign_in

pytestmark = pytest.mark.browser
FAR = 90
SCRIPT = [{}, {"java_script_enabled": False}]


def tab_to(page, selector):
    """Without asking the page: where there is no JavaScript, nothing can be evaluated in it."""
    for _ in range(FAR):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


@pytest.mark.parametrize("page", SCRIPT, ids=["javascript", "no-javascript"], indirect=True)
def test_set_contact_of_two_by_keyboard_alone(live_harbourline, page):
    sign_in(page)
    for name in ("one", "two", "three"):
        create_client(page, name=name)
    page.goto("/clients/?tenant=northwind")
    bar = page.get_by_role("form", name="The chosen clients")
    assert bar.is_hidden()
    for name in ("three", "one"):
        tab_to(page, f"[name=chosen][value='{AppClient.objects.get(name=name).public_id}']")
        page.keyboard.press("Space")
    assert bar.is_visible()
    is_fit(page)
    tab_to(page, "#bulk select")
    page.keyboard.type("Sam")
    tab_to(page, "#bulk button")
    page.keyboard.press("Enter")

    page.get_by_text("Sam is now the contact of 2 clients.").wait_for()
    assert page.url.endswith("/clients/?tenant=northwind") and bar.is_hidden()
    held = {row.name: str(row.contact) for row in AppClient.objects.select_related("contact")}
    assert held == {"one": "Sam", "two": "Olga", "three": "Sam"}
    assert AuditEntry.objects.filter(action="client:set_contact").count() == 2


@pytest.mark.parametrize("page", SCRIPT, ids=["javascript", "no-javascript"], indirect=True)
def test_export_of_the_chosen_is_a_file(live_harbourline, page):
    sign_in(page)
    for name in ("one", "two"):
        create_client(page, name=name)
    page.goto("/clients/")
    page.get_by_label("Choose two").check()
    with page.expect_download() as download:
        page.locator("#bulk").get_by_role("button", name="Export CSV").click()
    text = download.value.path().read_text()
    assert "two" in text and "one" not in text


def test_choose_all_ticks_and_clears_and_says_how_many(live_harbourline, page):
    sign_in(page)
    for name in ("one", "two"):
        create_client(page, name=name)
    page.goto("/clients/")
    every, said = page.get_by_label("Choose all clients on this page"), page.locator("[aria-live=polite]").last
    every.check()
    assert page.locator("[name=chosen]:checked").count() == 2 and said.inner_text() == "2 chosen"
    page.get_by_label("Choose one").uncheck()
    assert every.evaluate("box => box.indeterminate && !box.checked") and said.inner_text() == "1 chosen"
    page.get_by_role("button", name="Clear").click()
    assert page.locator("[name=chosen]:checked").count() == 0 and page.locator("#bulk").is_hidden()
    page.wait_for_function("() => !document.querySelector('[data-all]').indeterminate")


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True)
def test_choose_all_is_not_drawn_without_javascript(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    assert page.get_by_label("Choose all clients on this page").is_hidden()
