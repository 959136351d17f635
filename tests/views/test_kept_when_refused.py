"""A refusal that is about no field: the page again with its reason, all that was typed, and another operation's id."""

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, Operation, Rotation, Tenant, TenantChange
from clients.models.ids import new_ulid
from clients.services import client_states
from tests.views.forms import form_of
from tests.views.typed import TYPED

USED = "This form was already used for another change"


@pytest.fixture(autouse=True)
def admin(world, client):
    client.force_login(world.people["administrator"])
    return client


def typed_for(route, address, app_client):
    where = address(route)
    ending = (Rotation.objects.get().old_secret if route == "rotation-finish" else app_client.secrets.first()).ending
    known = TYPED | {"rotation-cancel": {"reason": "Not yet"}}
    return where, {name: value.format(ending=ending) for name, value in known[route].items()}


@pytest.mark.parametrize(
    "route",
    ["client-pause", "client-resume", "client-delete", "secret-rotate", "secret-revoke", "rotation-finish",
     "rotation-cancel"],
)  # fmt: skip
def test_what_was_typed_is_kept_to_be_sent_as_another_operation(world, admin, app_client, address, route):
    if route == "client-resume":
        said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "Holidays"}
        client_states.pause_client(app_client, **said)
    used = Operation.objects.latest("created_at").pk
    app_client.secrets.update(delivered_at=timezone.now())
    where, typed = typed_for(route, address, app_client)

    answer = admin.post(where, form_of(admin.get(where), where).data(operation_id=used, **typed))

    body, again = answer.content.decode(), form_of(answer, where).data()
    assert answer.status_code == 409 and USED in body.split('role="alert"')[1]
    assert again["operation_id"] != [used]
    assert {name: again[name] for name in typed} == {name: [value] for name, value in typed.items()}
    assert admin.post(where, again).status_code == 302


@pytest.mark.parametrize(
    ("route", "sentence"), [("client-pause", "The client is paused"), ("client-delete", "The client is deleted")]
)
def test_nothing_is_asked_for_that_would_be_refused(world, admin, app_client, address, route, sentence):
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "Holidays"}
    (client_states.pause_client if route == "client-pause" else client_states.delete_client)(app_client, **said)

    body = admin.get(address(route)).content.decode()

    assert f"{sentence}: this cannot be done now." in body and 'name="reason"' not in body


def test_a_client_of_a_paused_tenant_says_what_to_do_before_it_is_resumed(world, admin, app_client, address):
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "Holidays"}
    client_states.pause_client(app_client, **said)
    Tenant.objects.filter(slug="northwind").update(status="paused")

    body = admin.get(address("client-resume")).content.decode()

    assert "Northwind Logistics is paused: resume the tenant first." in body and 'name="reason"' not in body


def test_a_tenant_being_changed_keeps_the_reason_and_the_slug_typed(world, admin, app_client):
    admin.post(reverse("tenant-change-start", args=["northwind", "pause"]), {"operation_id": new_ulid(), "reason": "x"})
    TenantChange.objects.update(started_by=world.people["operator"], finished_at=None)
    where = reverse("tenant-change-start", args=["northwind", "off-board"])

    answer = admin.post(where, {"operation_id": new_ulid(), "reason": "They left", "typed": "northwind"})

    again = form_of(answer, where).data()
    assert answer.status_code == 409 and "is being changed already" in answer.content.decode()
    assert (again["reason"], again["typed"]) == (["They left"], ["northwind"])


def test_reminders_of_a_secret_that_lost_its_end_keep_the_reason(world, admin, app_client, address):
    AppClient.objects.update(expires_at=None)

    answer = admin.post(address("client-reminders"), {"reason": "They are away"})

    assert answer.status_code == 409 and "has no end" in answer.content.decode().split('role="alert"')[1]
    assert form_of(answer, address("client-reminders")).data()["reason"] == ["They are away"]
