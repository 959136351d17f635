"""Pausing and off-boarding a tenant on its pages."""

import pytest
from django.urls import reverse

from clients.models import AppClient, Tenant, TenantChange
from clients.models.ids import new_ulid
from clients.services import tenant_changes
from clients.services.operations import resume_due


@pytest.fixture(autouse=True)
def operator(world, client, settings):
    settings.COGNITO_WRITES_PER_SECOND = 0
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
    assert "Resume tenant" in client.get(reverse("tenant-page", args=["northwind"])).content.decode()


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
    assert answer.status_code == 409 and "cannot be done now" in answer.content.decode()
