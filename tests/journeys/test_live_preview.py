"""The token preview follows what is typed, and says so; nothing is written by it."""

import pytest

from clients.models import AppClient, Operation
from tests.journeys.steps import create_client, is_fit, sign_in

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
