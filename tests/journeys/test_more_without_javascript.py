"""The rest of the desk with JavaScript off: scopes with their review, policies, adopting, retiring to its end, rotating,
roles, and off-boarding."""

import pytest

from clients.aws.cognito import Gateway, RemoteServer
from clients.models import AppClient, ResourceServer, Retirement, Rotation, Status, Tenant, TenantStatus, User, UserPool
from clients.services import tenant_changes
from clients.services.operations import resume_due
from tests.journeys.steps import confirm, create_client, sign_in
from tests.journeys.test_without_javascript import as_administrator, fill, press

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True),
]


def test_scopes_are_reviewed_and_saved_then_a_secret_is_rotated_and_that_cancelled(live_harbourline, page):
    sign_in(page)
    create_client(page)
    app_client = AppClient.objects.get()
    page.goto(f"/clients/{app_client.public_id}/scopes/")
    page.locator("main input[name=scopes][value='orders/write']").check()
    press(page, "Review change")
    press(page, "Save scopes")
    page.get_by_text("The scopes are saved").wait_for()
    assert set(app_client.scopes.values_list("full_name", flat=True)) == {"orders/read", "orders/write"}
    page.goto(f"/clients/{app_client.public_id}/rotate/")
    press(page, "Rotate secret")
    confirm(page)
    page.get_by_text("New secret").first.wait_for()
    page.locator("main").get_by_role("link", name="Cancel rotation").click()
    press(page, "Cancel rotation")
    page.locator("main").get_by_text("1 of 2").wait_for()
    assert Rotation.objects.get().state == "cancelled"


def test_a_server_is_adopted_and_a_scope_retired_and_kept_and_removed(live_harbourline, page):
    pool = UserPool.objects.get()
    Gateway(pool.region, pool.user_pool_id).create_resource_server(
        RemoteServer("bills", "Bills", {"read": "Read bills", "pay": "Pay bills"})
    )
    sign_in(page)
    page.goto("/scopes/adopt/")
    page.locator("main form", has_text="bills").get_by_role("button").click()
    page.get_by_text("bills is adopted with its scopes").wait_for()
    server = ResourceServer.objects.get(identifier="bills")
    for end in ("Cancel retirement", "Remove"):
        page.goto(f"/scopes/{server.pk}/retire/")
        page.locator("main input[type=checkbox][value=pay]").check()
        fill(page, reason="Nobody pays")
        press(page, "Retire scopes")
        press(page, end)
        page.get_by_text("Cancelled. The scopes" if end == "Cancel retirement" else "It is going on").first.wait_for()
    assert list(Retirement.objects.order_by("pk").values_list("state", flat=True)) == ["cancelled", "releasing"]


def test_policies_and_roles_are_changed_and_a_tenant_is_off_boarded(live_harbourline, page):
    as_administrator(page)
    page.goto("/tenants/northwind/policies/")
    fill(page, overlap_hours="24")
    page.locator("main [name=members_may_rotate]").check()
    press(page, "Save policies")
    page.get_by_text("policies are saved").wait_for()
    tenant = Tenant.objects.get(slug="northwind")
    assert tenant.overlap_hours == 24 and tenant.members_may_rotate
    support = User.objects.get(email="support@portal.example")
    page.goto(f"/people/{support.pk}/")
    page.locator("main [name=role]").select_option("auditor")
    press(page, "Change role")
    confirm(page)
    page.locator(".facts").get_by_text("Auditor").wait_for()
    create_client(page)
    page.goto("/tenants/northwind/off-board/")
    fill(page, reason="The contract ended", typed="northwind")
    press(page, "Off-board tenant")
    page.locator("main").get_by_text("1 client still to follow").wait_for()
    while resume_due() + tenant_changes.advance_due():
        pass
    tenant.refresh_from_db()
    assert (tenant.status, AppClient.objects.get().status) == (TenantStatus.OFF_BOARDED, Status.DELETED)
