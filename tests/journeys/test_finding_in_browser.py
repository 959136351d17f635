"""The search box of every page: "/" goes to it, Enter finds, Back comes back; and all of it without JavaScript."""

import pytest

from clients.models import AppClient
from tests.journeys.steps import create_client, is_fit, sign_in

pytestmark = pytest.mark.browser


def test_slash_searches_from_any_page_and_back_comes_back(live_harbourline, page):
    sign_in(page)
    create_client(page)
    one = AppClient.objects.get()
    page.goto("/operations/?view=all")
    page.keyboard.press("/")
    page.keyboard.type("orders/re")
    page.keyboard.press("Enter")
    page.wait_for_url("**/clients/?q=orders**")
    assert page.get_by_role("link", name=one.name).count() == 1
    box = page.get_by_role("searchbox")
    assert box.input_value() == "orders/re"
    is_fit(page)

    page.keyboard.press("/")
    box.fill(one.client_id)
    box.press("Enter")
    page.wait_for_url(f"**/clients/{one.public_id}/")
    page.go_back()
    page.wait_for_url("**/clients/?q=orders**")


def test_slash_is_typed_where_somebody_types(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    name = page.get_by_role("textbox", name="Name")
    name.fill("")
    name.press("/")
    assert name.input_value() == "/"


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True)
def test_search_and_filters_need_no_javascript(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/")
    assert page.locator(".find kbd").is_hidden()
    page.get_by_role("searchbox").fill("northwind")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**/clients/?q=northwind")
    page.get_by_label("Never used").check()
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**q=northwind**")
    assert "never_used=on" in page.url and page.get_by_role("link", name="northwind-orders-prod").count() == 1
    page.get_by_role("link", name="Clear search and filters").click()
    page.wait_for_url("**/clients/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename.startswith("clients-")


def test_scopes_editor_shrinks_to_what_is_looked_for_and_keeps_what_is_ticked(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    page.locator("input[name=scopes][value='orders/read']").check()
    page.get_by_label("Find a scope").fill("LABEL")
    shown = page.locator(".scopebox input[name=scopes]:visible")
    assert [box.get_attribute("value") for box in shown.all()] == ["orders/read", "shipments/label"]
    assert page.locator("p[aria-live]").text_content() == "2 shown"
    page.get_by_label("Find a scope").press("Enter")
    assert page.url.endswith("tenant=northwind"), "Enter looks, it sends nothing"
    page.get_by_label("Find a scope").fill("")
    assert shown.count() > 2
