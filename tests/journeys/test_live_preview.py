"""The token preview follows what is typed, and says so; nothing is written by it."""

import pytest

from clients.models import AppClient, Operation
from tests.journeys.steps import create_client, faults, is_fit, sign_in

pytestmark = pytest.mark.browser


def test_preview_follows_while_creating(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    preview = page.locator("#preview")
    page.locator("input[name='attribute:rate_limit']").fill("7777")
    preview.get_by_text("7777").wait_for()
    page.locator("input[name=scopes][value='orders/read']").check()
    preview.get_by_text("orders/read").wait_for()
    page.locator("input[name='attribute:rate_limit']").fill("no number")
    preview.get_by_text("Not complete").wait_for()
    assert page.locator("p[aria-live]").text_content() == "Token preview updated"
    assert not AppClient.objects.exists() and not Operation.objects.exists()
    is_fit(page)


def test_preview_follows_while_editing_and_the_focus_stays(live_harbourline, page):
    sign_in(page)
    create_client(page)
    app_client = AppClient.objects.get()
    page.goto(f"/clients/{app_client.public_id}/attributes/")
    field = page.locator("input[name='attribute:rate_limit']")
    field.fill("4321")
    page.locator("#preview").get_by_text("4321").wait_for()
    assert page.evaluate("document.activeElement.name") == "attribute:rate_limit"
    assert not app_client.overrides.exists()


def test_what_is_ticked_is_counted_and_the_theme_changes_without_losing_it(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    page.locator("#id_name").fill("typed-by-hand")
    assert page.locator("[data-scope-count]").text_content() == "0"
    page.locator("input[name=scopes][value='orders/read']").check()
    assert page.locator("[data-scope-count]").text_content() == "1"
    assert page.locator("fieldset:has([value='orders/read']) [data-chosen]").text_content() == "1"
    page.get_by_role("button", name="Switch to dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.get_by_role("button", name="Theme: dark. Switch to light").wait_for()
    assert page.locator("#id_name").input_value() == "typed-by-hand"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark", "the server prints it from now on"


def test_enter_in_a_field_creates_and_a_template_keeps_what_is_typed(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    page.locator("#id_name").fill("by-enter")
    page.get_by_role("button", name="Tick the scopes that read only").click()
    page.wait_for_load_state()
    assert page.locator("#id_name").input_value() == "by-enter"
    page.locator("#id_name").press("Enter")
    page.get_by_role("heading", name="by-enter").wait_for()
    assert AppClient.objects.get().name == "by-enter"


WAYS = {
    "without network": lambda page: page.context.set_offline(True),
    "signed out": lambda page: page.context.clear_cookies(),
    "server fails": lambda page: page.route("**/new/", lambda route: route.fulfill(status=500, body="broken")),
}


@pytest.mark.parametrize("way", WAYS)
def test_preview_that_cannot_follow_says_so_until_it_can(live_harbourline, page, way):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    cookies, preview, said = page.context.cookies(), page.locator("#preview"), page.locator("p[aria-live]")
    rate = page.locator("input[name='attribute:rate_limit']")
    page.locator("input[name=scopes][value='orders/read']").check()
    preview.get_by_text("Valid", exact=True).wait_for()
    assert preview.get_by_text("Valid", exact=True).is_visible() and preview.get_by_text("Not up to date").is_hidden()
    WAYS[way](page)
    rate.fill("7777")
    preview.get_by_text("Not up to date").wait_for()
    assert preview.get_by_text("Valid", exact=True).is_hidden() and preview.get_attribute("aria-busy") is None
    assert said.text_content() == "Token preview is not up to date" and faults(page) == []
    page.unroute_all()
    page.context.set_offline(False)
    page.context.add_cookies(cookies)
    rate.fill("7778")
    preview.get_by_text("7778").wait_for()
    assert preview.get_by_text("Not up to date").is_hidden() and preview.get_by_text("Valid", exact=True).is_visible()


def test_preview_is_busy_while_it_asks(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    held = []
    page.route("**/clients/new/", lambda route: held.append(route))
    page.locator("input[name='attribute:rate_limit']").fill("7777")
    page.locator("#preview[aria-busy=true]").wait_for()
    page.wait_for_timeout(50)
    held[0].continue_()
    page.locator("#preview:not([aria-busy])").get_by_text("7777").wait_for()
