"""Changing scopes, attributes and settings of a client, operations, errors, theme."""

import re

import pytest
from django.urls import reverse

from clients.models import AppClient, Operation, OperationState, Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import pool_sync
from clients.services.attributes import define_attribute
from tests.views.forms import form_of


@pytest.fixture(autouse=True)
def operator(world, client):
    client.force_login(world.people["operator"])


def carrying(app_client, **values):
    app_client.refresh_from_db()
    return {"operation_id": new_ulid(), "generation": app_client.generation} | values


def test_scopes_are_reviewed_before_they_are_saved(client, world, app_client, address):
    review = client.post(address("client-scopes"), carrying(app_client, scopes=["shipments/read"]))

    body = review.content.decode()
    assert "up to 60 minutes" in body and re.search(r"shipments/read</div><span class=\"end\">added", body)
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/read"]

    back = form_of(review, address("client-scopes"), "edit").data(edit="1")
    again = client.post(address("client-scopes"), back).content.decode()
    assert re.search(r'value="shipments/read"[^>]* checked', again)

    saved = client.post(address("client-scopes"), carrying(app_client, scopes=["shipments/read"], save="1"))

    assert saved.status_code == 302
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["shipments/read"]


def test_scopes_from_an_older_page_show_both_states(client, app_client, address):
    old = carrying(app_client, scopes=["orders/write"], save="1")
    client.post(address("client-scopes"), carrying(app_client, scopes=["shipments/read"], save="1"))

    answer = client.post(address("client-scopes"), old)

    body = answer.content.decode()
    assert answer.status_code == 409 and "orders/write" in body and "shipments/read" in body


def test_scopes_without_one_are_refused(client, world, app_client, address):
    answer = client.post(address("client-scopes"), carrying(app_client, save="1"))
    assert answer.status_code == 422 and b"Choose at least one scope" in answer.content
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/read"]


def test_attributes_are_saved_and_published(client, world, app_client, address):
    client.post(address("client-attributes"), carrying(app_client, **{"attribute:rate_limit": "500"}))
    assert "500" in str(world.document(app_client.client_id))


def test_an_overridden_value_is_told_as_people_type_it(client, world, app_client, address):
    define_attribute(
        actor=world.people["administrator"], claim_name="is_pilot", type="boolean", default=True, is_overridable=True
    )
    client.post(address("client-attributes"), carrying(app_client, **{"attribute:is_pilot": "no"}))
    assert "Override · was yes" in client.get(address("client-overview")).content.decode()


def test_attributes_too_large_for_a_token_are_refused_with_the_reason(client, world, app_client, address):
    define_attribute(actor=world.people["administrator"], claim_name="sites", type="strings", is_overridable=True)
    sent = carrying(app_client, **{"attribute:sites": ", ".join(["x" * 245] * 20)})
    answer = client.post(address("client-attributes"), sent)
    body = answer.content.decode()
    assert answer.status_code == 422 and "Nothing was saved." in body
    assert "at most 4096 fit. Shorten a value." in body.split('role="alert"')[1].split("</div></div>")[0]


def test_each_attribute_says_its_type_and_whether_it_is_in_the_token(client, world, app_client, address):
    define_attribute(actor=world.people["administrator"], claim_name="sites", type="strings")
    UserPool.objects.update(trigger_version="V3_0", tier="ESSENTIALS")
    rows = client.get(address("client-attributes")).content.decode().split("<tbody")[1].split("</tr>")
    told = {
        re.search(r'mono">(\w+)<', row)[1]: re.findall(r'class="sub">([^<]+)<', row) for row in rows if "mono" in row
    }
    assert told["sites"] == ["List of texts", "Not in the token: no value"]
    assert told["tier"] == ["One of a list", "In the token"] and told["tenant_id"] == ["Text", "In the token"]
    UserPool.objects.update(trigger_version="")
    assert "Not in the token yet" in client.get(address("client-attributes")).content.decode()


def test_attributes_refused_stand_beside_their_claim(client, app_client, address):
    answer = client.post(address("client-attributes"), carrying(app_client, **{"attribute:rate_limit": "many"}))
    assert answer.status_code == 422 and b"Enter a whole number" in answer.content and b'value="many"' in answer.content


def test_settings_are_saved_in_cognito(client, world, app_client, address):
    page = form_of(client.get(address("client-settings")), address("client-settings"))
    changed = page.data(name="northwind-renamed", validity_minutes=30, contact="", notes="Ticket 1")
    client.post(address("client-settings"), changed)
    app_client.refresh_from_db()
    assert (app_client.name, app_client.access_token_seconds, app_client.notes) == (
        "northwind-renamed",
        1800,
        "Ticket 1",
    )
    assert world.describe(app_client.client_id)["ClientName"].startswith("northwind-renamed op-")


def test_settings_refused_keep_what_was_typed(client, app_client, address):
    page = form_of(client.get(address("client-settings")), address("client-settings"))
    sent = page.data(name="no/slash", validity_minutes=30, contact="", notes="kept")
    answer = client.post(address("client-settings"), sent)
    body = answer.content.decode()
    assert (
        answer.status_code == 422
        and "Cognito does not accept" in body
        and 'value="no/slash"' in body
        and "kept" in body
    )


def test_operation_refused_is_shown_and_tried_again(client, world, app_client, address):
    world.sandbox.fault("UpdateUserPoolClient", "throttle", times=20)
    client.post(address("client-scopes"), carrying(app_client, scopes=["orders/write"], save="1"))
    operation = Operation.objects.first()
    assert (
        operation.state == OperationState.WAITING
        and operation.last_error in client.get("/operations/").content.decode()
    )
    world.sandbox.clear()

    client.post(reverse("operation-retry", args=[operation.pk]))

    operation.refresh_from_db()
    assert operation.state == OperationState.DONE


def test_kit_downloads_without_a_secret(client, app_client, address):
    answer = client.get(address("snippet-curl"))
    assert answer["Content-Type"].startswith("text/x-shellscript") and "attachment" in answer["Content-Disposition"]
    assert app_client.client_id in answer.content.decode()


def test_error_pages_carry_a_reference(client):
    body = client.get("/clients/none/").content.decode()
    assert re.search(r'reference <span class="mono">[0-9A-Za-z]{8,}', body)


def test_the_key_that_searches_can_be_turned_off(client):
    assert b"data-slash" in client.get("/clients/").content
    assert client.post("/shortcut/", {"shortcut": "off"}).cookies["portal-shortcut"].value == "off"
    for address in ("/", "/clients/", "/activity/", "/tenants/"):
        page = client.get(address).content
        assert b"data-slash" not in page and b"<kbd data-js>" not in page, address
    assert b"Off. Nothing happens when it is pressed." in client.get(reverse("mfa_index")).content
    client.post("/shortcut/", {"shortcut": "on"})
    assert b"data-slash" in client.get("/tenants/").content


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", ""])
def test_theme_goes_back_to_our_pages_only(client, target):
    answer = client.post("/theme/", {"theme": "dark", "next": target})
    assert answer["Location"] == "/" and answer.cookies["portal-theme"].value == "dark"
    page = client.get("/clients/").content
    assert b'data-theme="dark"' in page and b'<meta name="color-scheme" content="dark">' in page


def test_operations_page_names_clients_nobody_knows(world, client):
    world.cognito.create_user_pool_client(UserPoolId=world.pool.user_pool_id, ClientName="made in the console")
    pool_sync.compare_pool(world.pool)
    page = client.get("/operations/").content.decode()
    assert "1 app client in the pool prod is unknown to the portal" in page and "made in the console" in page


@pytest.mark.parametrize("route", ["client-settings", "tenant-details"])
def test_a_contact_who_has_left_stays_until_somebody_chooses_another(client, world, app_client, address, route):
    support = world.people["support"]
    AppClient.objects.update(contact=support)
    Tenant.objects.filter(slug="northwind").update(contact=support)
    User.objects.filter(pk=support.pk).update(is_active=False)
    page = client.get(address(route))
    assert f'value="{support.pk}" selected>Support (left)' in page.content.decode()
    sent = form_of(page, address(route)).data(**({"notes": "N"} if route == "client-settings" else {"keep_days": "9"}))
    assert client.post(address(route), sent).status_code == 302
    row = AppClient.objects.get() if route == "client-settings" else Tenant.objects.get(slug="northwind")
    assert row.contact == support and row.generation == 2
    nobody = form_of(client.get(address(route)), address(route)).data(contact="")
    assert client.post(address(route), nobody).status_code == 302
    assert "(left)" not in client.get(address(route)).content.decode()
