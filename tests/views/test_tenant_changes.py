"""Pausing and off-boarding a tenant on its pages."""

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.errors import Conflict
from clients.models import AppClient, AuditEntry, Handover, Operation, Secret, Tenant, TenantChange
from clients.models.ids import new_ulid
from clients.services import handovers, revocations, secrets, tenant_changes
from clients.services.client_states import delete_client
from clients.services.operations import resume_due
from tests.views.forms import form_of


@pytest.fixture(autouse=True)
def operator(world, client):
    client.force_login(world.people["operator"])
    return client


def start(client, act, **more):
    address = reverse("tenant-change-start", args=["northwind", act])
    return client.post(address, {"operation_id": new_ulid(), "reason": "the contract ended"} | more, follow=True)


def test_pause_tenant_says_what_happens_then_how_far_it_is(client, app_client):
    page = client.get(reverse("tenant-change-start", args=["northwind", "pause"])).content.decode()
    assert "1 client paused" in page and app_client.name in page
    going = start(client, "pause").content.decode()
    assert "1 client still to follow." in going
    while resume_due() + tenant_changes.advance_due():
        pass
    change = TenantChange.objects.get()
    done = client.get(reverse("tenant-change", args=["northwind", change.public_id])).content.decode()
    assert "Every client has followed" in done and AppClient.objects.get().status == "paused"
    page = client.get(reverse("tenant-page", args=["northwind"])).content.decode()
    assert "Resume tenant" in page and "Every client has followed" in page and "See progress" not in page


@pytest.mark.parametrize(
    ("more", "sentence"), [({"typed": "Northwind"}, "This is not northwind."), ({"reason": ""}, "required")]
)
def test_off_boarding_refused_beside_its_field(client, app_client, more, sentence):
    answer = start(client, "off-board", **{"typed": "northwind"} | more)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert Tenant.objects.get(slug="northwind").status == "active" and not TenantChange.objects.exists()


def test_a_double_click_is_one_change(client, app_client):
    assert [start(client, "pause").status_code for _ in range(2)] == [200, 200]
    assert TenantChange.objects.count() == 1


def test_what_cannot_start_from_here_says_so(client, app_client):
    page = client.get(reverse("tenant-change-start", args=["northwind", "resume"])).content.decode()
    assert "Northwind Logistics is active." in page
    answer = start(client, "resume")
    assert answer.status_code == 409 and "Northwind Logistics is active." in answer.content.decode()


def follow():
    TenantChange.objects.update(next_try_at=timezone.now())
    Operation.objects.live().update(next_try_at=timezone.now())
    while resume_due() + tenant_changes.advance_due():
        pass


def test_resuming_gives_no_tokens_back_to_a_client_an_emergency_stopped(world, client, app_client):
    for act in ("pause", "resume"):
        start(client, act)
        follow()
    Secret.objects.update(delivered_at=timezone.now(), sealed_value=None)
    leaked = app_client.secrets.get()
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "published"}
    revocations.revoke_secret(leaked, typed=leaked.ending, stop_now=True, **said)
    other = world.create(name="northwind-other")
    for act in ("pause", "resume"):
        start(client, act)
        follow()
    app_client.refresh_from_db()
    other.refresh_from_db()
    assert (app_client.status, other.status) == ("paused", "active")
    assert not world.describe(app_client.client_id)["AllowedOAuthFlowsUserPoolClient"]


def test_an_emergency_during_the_pause_outlives_it(world, client, app_client):
    Secret.objects.update(delivered_at=timezone.now(), sealed_value=None)
    start(client, "pause")
    follow()
    leaked = app_client.secrets.get()
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "published"}
    revocations.revoke_secret(leaked, typed=leaked.ending, stop_now=True, **said)
    start(client, "resume")
    follow()
    app_client.refresh_from_db()
    assert app_client.status == "paused"


def test_off_boarding_closes_every_hand_over_at_once(world, client, app_client):
    offer = handovers.offer_by_link(app_client.secrets.get(), hours=24, with_pin=False, actor=world.people["operator"])
    start(client, "off-board", typed="northwind")  # no worker has come yet
    assert TenantChange.objects.get().finished_at is None
    with pytest.raises(Conflict):
        handovers.reveal_by_link(Handover.objects.get(), "", address="192.0.2.1")
    with pytest.raises(Conflict, match="off-boarded"):
        secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])
    with pytest.raises(Conflict, match="off-boarded"):
        handovers.offer_again(Handover.objects.get(pk=offer.handover.pk), actor=world.people["operator"])
    assert AuditEntry.objects.filter(action="handover:revoke").count() == 1


def test_a_client_being_deleted_closes_its_hand_over_at_once(world, app_client):
    handovers.offer_by_link(app_client.secrets.get(), hours=24, with_pin=False, actor=world.people["operator"])
    world.sandbox.fault("DeleteUserPoolClient", "throttle")
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "over"}
    assert delete_client(app_client, **said).is_live
    with pytest.raises(Conflict):
        handovers.reveal_by_link(Handover.objects.get(), "", address="192.0.2.1")
    with pytest.raises(Conflict, match="being deleted"):
        secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])


@pytest.mark.parametrize("page", ["tenant-details", "tenant-values", "tenant-policies"])
def test_an_off_boarded_tenant_is_not_changed_by_an_address_typed_by_hand(world, client, page):
    client.force_login(world.people["administrator"])
    address = reverse(page, args=["northwind"])
    typed = form_of(client.get(address), address).data(name="Back", overlap_hours="24", save="1")
    start(client, "off-board", typed="northwind")
    acts = AuditEntry.objects.count()
    for answer in (client.get(address), client.post(address, typed)):
        assert answer.status_code == 409 and "Northwind Logistics is off-boarded" in answer.content.decode()
    assert AuditEntry.objects.count() == acts and Tenant.objects.get(slug="northwind").generation == 1
    assert address not in client.get(reverse("tenant-page", args=["northwind"])).content.decode()
