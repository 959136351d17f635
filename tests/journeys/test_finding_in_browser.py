"""The search box of every page: "/" goes to it, Enter finds, Back comes back; and all of it without JavaScript."""

import pytest

from clients.models import AppClient, Operation
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


def test_slash_searches_also_from_a_box_to_tick(live_harbourline, page):
    """After ticking a row the focus is there, and takes no text."""
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    for selector in ("[name=chosen]", "[data-all]", "th a", ".btn"):
        page.locator(f"main {selector}").first.focus()
        page.keyboard.press("/")
        assert page.get_by_role("searchbox").evaluate("box => box === document.activeElement"), selector
        assert page.get_by_role("searchbox").input_value() == ""
    page.goto("/clients/new/?tenant=northwind")
    page.locator("input[type=radio]").first.focus()
    page.keyboard.press("/")
    assert page.get_by_role("searchbox", name="Find clients").evaluate("box => box === document.activeElement")
    for kept in ("select", "h1"):
        page.locator("h1").evaluate("title => title.setAttribute('contenteditable', '')")
        page.locator(f"main {kept}").first.focus()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.localName") == kept


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True)
def test_search_and_filters_need_no_javascript(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/")
    assert page.locator(".find kbd").is_hidden()
    page.get_by_role("searchbox").fill("northwind")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**/clients/?q=northwind")
    page.get_by_text("More filters").click()
    page.get_by_label("Never used").check()
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**q=northwind**")
    assert "never_used=on" in page.url and page.get_by_role("link", name="northwind-orders-prod").count() == 1
    page.get_by_role("link", name="Clear all").click()
    page.wait_for_url("**/clients/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename.startswith("clients-")


def test_scopes_editor_shrinks_to_what_is_looked_for_and_keeps_what_is_ticked(live_harbourline, page):
    sign_in(page)
    page.goto("/clients/new/?tenant=northwind")
    page.locator("input[name=scopes][value='orders/read']").check()
    page.get_by_text("Token preview updated").wait_for(state="attached")  # else it is said after what is found
    page.get_by_label("Find a scope").fill("LABEL")
    shown = page.locator(".scopebox input[name=scopes]:visible")
    assert [box.get_attribute("value") for box in shown.all()] == ["orders/read", "shipments/label"]
    assert page.locator("p[aria-live]").text_content() == "2 shown"
    page.get_by_label("Find a scope").press("Enter")
    assert page.url.endswith("tenant=northwind"), "Enter looks, it sends nothing"
    page.get_by_label("Find a scope").fill("")
    assert shown.count() > 2


# --- The bar of filters ----------------------------------------------------------------------------

NARROW = [{"viewport": {"width": width, "height": 900}} for width in (390, 320)]


def test_filters_stand_in_one_line_where_there_is_room(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    choices = [page.get_by_role("combobox", name=name) for name in ("Status", "Tenant", "Scope", "Contact")]
    tops = {round(choice.bounding_box()["y"]) for choice in choices}
    assert len(tops) == 1 and page.get_by_label("Two secrets").is_hidden()
    page.keyboard.press("/")
    while not choices[0].evaluate("choice => choice === document.activeElement"):
        page.keyboard.press("Tab")  # what is folded on a phone is reached by Tab here
    page.keyboard.type("Active")
    while page.evaluate("document.activeElement.textContent") != "Filter":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**status=active**")
    page.get_by_role("link", name="Status: Active (remove)").press("Enter")
    page.wait_for_url("**/clients/")


def test_filters_in_use_show_those_that_are_rare(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/?two_secrets=on")
    assert page.get_by_label("Two secrets").is_checked() and page.get_by_label("Two secrets").is_visible()
    is_fit(page)


@pytest.mark.parametrize("page", NARROW, ids=["390", "320"], indirect=True)
def test_filters_fold_on_a_phone_and_unfold_by_keyboard(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/?status=active&q=north")
    fold, status = page.locator(".bar > summary"), page.get_by_role("combobox", name="Status")
    assert fold.inner_text().split() == ["Filter", "1", "set"] and status.is_hidden()
    is_fit(page)
    fold.press("Enter")
    status.wait_for()
    page.locator(".more > summary").press("Enter")
    page.get_by_label("Two secrets").wait_for()
    is_fit(page)


@pytest.mark.parametrize("page", NARROW, ids=["390", "320"], indirect=True)
def test_list_is_read_on_a_phone_without_scrolling_sideways(live_harbourline, page):
    """Who it is, whose, how it is and until when; and a table still, to whoever has it read aloud."""
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    row = page.get_by_role("table").get_by_role("row").last
    for shown in ("Northwind", "Active", "Not yet delivered", "in 179 days"):
        box = row.get_by_text(shown).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"], shown
    assert row.get_by_role("rowheader").get_by_role("link", name="northwind-orders-prod").is_visible()
    assert row.get_by_role("cell", name="in 179 days").count() == 1 and row.get_by_role("checkbox").is_visible()
    assert page.locator(".scroll").evaluate("box => box.scrollWidth <= box.clientWidth")
    heads = [head.strip() for head in page.get_by_role("columnheader").all_text_contents()]
    assert heads.pop(0) == "ChosenChoose all clients on this page"
    assert heads == ["Name", "Tenant", "Expires", "Status"]
    is_fit(page)


@pytest.mark.parametrize("page", NARROW, ids=["390", "320"], indirect=True)
def test_other_lists_are_read_on_a_phone_without_scrolling_sideways(live_harbourline, page):
    """Tables still, to whoever has them read aloud; what there is to do stands inside the window."""
    sign_in(page)
    create_client(page)
    Operation.objects.update(state="given_up", last_error="AWS asks to slow down.")
    acts = {"/operations/": "Try again create client", "/activity/": "Done", "/tenants/": "1 not yet delivered",
            "/attributes/": "In use", "/tenants/northwind/": "Not yet delivered"}  # fmt: skip
    for address, shown in acts.items():
        page.goto(address)
        table = page.get_by_role("table").first
        assert table.get_by_role("columnheader").count() >= 4 and table.get_by_role("row").count() >= 2, address
        box = table.get_by_text(shown).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"], (address, shown)
        assert page.locator(".scroll").first.evaluate("box => box.scrollWidth <= box.clientWidth"), address
        is_fit(page)
