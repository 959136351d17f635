"""A working day with JavaScript off: every form of the desk that has a page works as it stands."""

import pytest

from clients.models import AppClient, AttributeDefinition, ResourceServer, Status, Tenant, TenantStatus, User
from clients.services import attributes
from tests.journeys.steps import confirm, create_client, sign_in
from tests.support import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True),
]


def press(page, name):
    page.locator("main").get_by_role("button", name=name, exact=True).click()


def fill(page, **typed):
    for name, text in typed.items():
        page.locator(f"main [name='{name}']").fill(text)


def as_administrator(page):
    administrator = User.objects.get(email="administrator@portal.example")
    administrator.set_password(PASSWORD)
    administrator.save(update_fields=["password"])
    sign_in(page, "administrator")


def test_tenants_are_made_changed_paused_and_resumed(live_harbourline, page):
    sign_in(page)
    page.goto("/tenants/new/")
    fill(page, name="Lumen Energy")
    page.locator("main [name='attribute:tier']").select_option("gold")
    press(page, "Create tenant")
    page.get_by_text("Lumen Energy is created").wait_for()
    page.get_by_role("link", name="Change details").click()
    fill(page, keep_days="9")
    press(page, "Save details")
    page.get_by_text("The details are saved").wait_for()
    page.get_by_role("link", name="Change values").click()
    page.locator("main [name='attribute:tier']").select_option("silver")
    press(page, "Review changes")
    press(page, "Save values")
    page.get_by_text("The values are saved").wait_for()
    page.goto("/tenants/lumen-energy/pause/")
    fill(page, reason="Invoice open")
    press(page, "Pause tenant")
    confirm(page)
    page.get_by_text("Every client has followed").wait_for()
    tenant = Tenant.objects.get(slug="lumen-energy")
    assert (tenant.keep_days, tenant.status) == (9, TenantStatus.PAUSED)
    assert attributes.values_of(tenant) == {"tier": "silver"}
    page.goto("/tenants/lumen-energy/resume/")
    fill(page, reason="Paid")
    press(page, "Resume tenant")
    page.get_by_text("Every client has followed").wait_for()
    tenant.refresh_from_db()
    assert tenant.status == TenantStatus.ACTIVE


def test_attributes_are_defined_changed_retired_and_taken_back(live_harbourline, page):
    as_administrator(page)
    page.goto("/attributes/new/")
    fill(page, claim_name="market", default="EU")
    press(page, "Define attribute")
    page.get_by_text("market is defined").wait_for()
    fill(page, default="US")
    press(page, "Review changes")
    press(page, "Save attribute")
    page.get_by_text("market is changed").wait_for()
    page.get_by_role("link", name="Retire attribute").click()
    press(page, "Retire attribute")
    page.get_by_text("market is retired").wait_for()
    page.get_by_role("link", name="Take back").first.click()
    page.locator("main form button").last.click()
    page.get_by_text("market is in use again").wait_for()
    definition = AttributeDefinition.objects.get(claim_name="market")
    assert definition.default == "US" and definition.retired_at is None


def test_resource_servers_are_made_changed_and_retired(live_harbourline, page):
    sign_in(page)
    page.goto("/scopes/new/")
    fill(page, identifier="bills", name="Bills", **{"scope-0-name": "read", "scope-0-description": "Read bills"})
    press(page, "Create resource server")
    page.get_by_text("The resource server bills is created").wait_for()
    page.get_by_role("link", name="Change scopes").click()
    fill(page, **{"description:read": "Read all bills"})
    press(page, "Review changes")
    press(page, "Save changes")
    page.get_by_text("The resource server is saved").wait_for()
    page.get_by_role("link", name="Change how it is called").click()
    page.locator("main [name=api_kind]").select_option("rest")
    fill(page, api_url="https://api.example.com/bills")
    press(page, "Save how it is called")
    page.get_by_text("Kits downloaded from now on").wait_for()
    server = ResourceServer.objects.get(identifier="bills")
    assert server.scopes.get().description == "Read all bills" and server.api_kind == "rest"
    page.get_by_role("link", name="Retire scopes").click()
    page.locator("main input[type=checkbox]").first.check()
    fill(page, reason="Replaced")
    press(page, "Retire scopes")
    page.get_by_role("heading", name="Retir").first.wait_for()
    assert server.retirements.get().reason == "Replaced"


def test_a_client_is_changed_paused_resumed_and_deleted(live_harbourline, page):
    sign_in(page)
    create_client(page)
    app_client = AppClient.objects.get()
    home = f"/clients/{app_client.public_id}/"
    page.goto(f"{home}settings/")
    fill(page, notes="Calls at night")
    press(page, "Save settings")
    page.get_by_text("The settings are saved").wait_for()
    page.locator("main [name=secret_lifetime]").select_option("365")
    press(page, "Save settings")
    page.get_by_text("The settings are saved").wait_for()
    page.goto(f"{home}attributes/")
    fill(page, **{"attribute:rate_limit": "7"})
    press(page, "Save attributes")
    page.get_by_text("The attributes are saved").wait_for()
    for act, name, status in (("pause", "Pause client", Status.PAUSED), ("resume", "Resume client", Status.ACTIVE)):
        page.goto(f"{home}{act}/")
        fill(page, reason="To see")
        press(page, name)
        if act == "pause":
            confirm(page)
        page.locator(".head").get_by_text(status.label).first.wait_for()
    page.goto(f"{home}delete/")
    fill(page, reason="Over", typed=app_client.name)
    press(page, "Delete client")
    page.get_by_text("deleted").first.wait_for()
    app_client.refresh_from_db()
    assert app_client.status == Status.DELETED and app_client.notes == "Calls at night"


def test_people_are_invited_and_the_trail_is_filtered(live_harbourline, page):
    as_administrator(page)
    page.goto("/people/invite/")
    fill(page, email="nora@portal.example")
    page.get_by_label("Role").select_option("support")
    press(page, "Invite person")
    confirm(page)
    page.get_by_text("nora@portal.example").first.wait_for()
    page.goto("/activity/")
    page.locator("main [name=what]").select_option("person:invite")
    press(page, "Filter")
    assert page.locator("main table tbody tr:not(.day)").count() == 1
    page.locator("main table tbody tr:not(.day) a").first.click()
    page.get_by_role("heading", name="Invite person").wait_for()
