"""Names as long as they may be and without a place to break: no page becomes wider than its window."""

import pytest
from django.utils import timezone

from clients.models import (
    AppClient,
    AttributeDefinition,
    ResourceServer,
    Role,
    Scope,
    Secret,
    Tenant,
    TenantValue,
    User,
)
from tests.journeys.steps import create_client, sign_in
from tests.support import PASSWORD

pytestmark = pytest.mark.browser
STAFF = [
    "/", "/clients/", "/clients/?q={client}", "/clients/?q={other}", "/clients/rotate/", "/clients/new/?tenant={tenant}",
    "/tenants/", "/tenants/?q={other}", "/tenants/{tenant}/", "/tenants/{tenant}/details/", "/tenants/{tenant}/values/",
    "/tenants/{tenant}/policies/", "/tenants/{tenant}/pause/", "/attributes/", "/attributes/{definition}/", "/scopes/",
    "/scopes/{server}/", "/scopes/{server}/api/", "/scopes/{server}/change/", "/scopes/{server}/retire/", "/people/",
    "/people/{person}/", "/activity/", "/activity/?client={id}", "/activity/1/", "/activity/{last}/", "/operations/?view=all",
    "/whose/", "/tenants/{tenant}/as-member/", "/components/",
    *[f"/clients/{{id}}/{tab}" for tab in ("", "secrets/", "scopes/", "attributes/", "snippets/", "activity/", "settings/")],
    *[f"/clients/{{id}}/{act}/" for act in ("token", "hand-over", "rotate", "pause", "delete", "reminders")],
]  # fmt: skip
MEMBERS = ["/", "/clients/", "/activity/", "/people/", "/clients/{id}/", "/clients/{id}/secrets/", "/clients/{id}/scopes/",
           "/clients/{id}/attributes/", "/clients/{id}/snippets/", "/clients/{id}/request/"]  # fmt: skip
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def long(live_harbourline, page):
    """One of each, with the longest name it may have; what stands in addresses."""
    sign_in(page)
    create_client(page)
    app_client, server = AppClient.objects.get(), ResourceServer.objects.order_by("pk").first()
    User.objects.update(name="P" * 100)
    Tenant.objects.filter(slug="northwind").update(
        name="T" * 100, slug="s" * 40, contact_email=f"{'e' * 200}@{'x' * 40}.example", contact=User.objects.first()
    )
    AppClient.objects.update(name="C" * 97, notes="N" * 300, contact=User.objects.first(), expires_at=timezone.now())
    server.scopes.update(description="D" * 200)
    ResourceServer.objects.filter(pk=server.pk).update(identifier="i" * 256, name="R" * 256)
    scope = server.scopes.first()
    Scope.objects.filter(pk=scope.pk).update(name="S" * 256, full_name=f"{'i' * 256}/{'S' * 256}")
    app_client.scopes.add(scope)
    definition = AttributeDefinition.objects.create(
        claim_name="a" * 64, type="text", description="D" * 200, is_overridable=True
    )
    TenantValue.objects.create(tenant=app_client.tenant, definition=definition, value="v" * 200)
    Secret.objects.update(delivered_at=timezone.now())
    manager = User.objects.create_user("manager@portal.example", PASSWORD, role=Role.MANAGER, tenant=app_client.tenant)
    User.objects.filter(pk=manager.pk).update(name="M" * 100)
    User.objects.filter(email__startswith="operator").update(role=Role.ADMINISTRATOR)
    return {"client": "C" * 97, "id": app_client.public_id, "tenant": "s" * 40, "other": "o" * 150, "server": server.pk,
            "definition": definition.pk, "person": manager.pk, "last": app_client.audit_entries.last().sequence}  # fmt: skip


def too_wide(page, long, paths):
    found = {}
    for path in paths:
        assert page.goto(path.format(**long)).status == 200, path
        if over := page.evaluate(TOO_WIDE):
            found[path] = over
    return found


@pytest.mark.parametrize("page", [{"viewport": {"width": w, "height": 900}} for w in (1440, 390)], indirect=True)
def test_no_page_is_wider_than_its_window_whatever_things_are_called(long, page, settings):
    settings.DEMO = True  # for the page of components
    found = too_wide(page, long, STAFF)
    page.context.clear_cookies()
    page.goto("/account/login/")
    page.get_by_label("Email").fill("manager@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator(".mast").wait_for()
    assert [found, too_wide(page, long, MEMBERS)] == [{}, {}]
