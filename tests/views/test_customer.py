"""The pages of members: their home, what they ask for, and what staff see who help them."""

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from clients.models import AppClient, AuditEntry, Role, Tenant, User
from clients.services import handovers
from tests.conftest import ConfirmedClient
from tests.support import PASSWORD


def text(answer):
    return answer.content.decode()


def signed_in(world, who):
    browser = ConfirmedClient()
    browser.force_login(world.people[who])
    return browser


@pytest.mark.parametrize("who", ["manager", "developer"])
def test_home_of_a_member_has_what_is_theirs_and_nothing_else(world, app_client, who):
    other = world.create(name="acme-labels", tenant=world.tenants["acme-robotics"])
    page = text(signed_in(world, who).get("/"))
    assert app_client.name in page and app_client.client_id in page and "orders/read" in page
    assert other.name not in page and other.client_id not in page
    assert "1 client." in page and "Never used" in page and world.pool.token_url in page
    assert '"mono">tier<' in page and '"mono">gold<' in page and 'class="customer"' in page


def test_home_shows_what_waits_to_the_one_it_is_for(world, app_client):
    handovers.offer_to_member(
        app_client.secrets.get(), world.people["developer"], hours=24, actor=world.people["operator"]
    )
    assert "credentials are waiting" in text(signed_in(world, "developer").get("/"))
    assert "credentials are waiting" not in text(signed_in(world, "manager").get("/"))


def test_home_without_clients_says_what_comes(world):
    world.tenants["northwind"].contact = world.people["operator"]
    world.tenants["northwind"].save(update_fields=["contact"])
    page = text(signed_in(world, "developer").get("/"))
    assert "No clients yet" in page and str(world.people["operator"]) in page


def test_home_costs_the_same_for_two_and_for_thirty_clients(world, make, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser, counts = signed_in(world, "developer"), []
    for upto in (2, 30):
        for number in range(AppClient.objects.count(), upto):
            make(f"c{number}")
        browser.get("/")
        with CaptureQueriesContext(connection) as captured:
            page = text(browser.get("/"))
        counts.append(len(captured))
        assert page.count("<article") == upto
    assert counts[0] == counts[1]


@pytest.mark.parametrize("who", ["support", "operator", "auditor"])
def test_staff_see_what_members_see_under_a_bar_and_can_do_nothing_there(world, app_client, who):
    handovers.offer_to_member(
        app_client.secrets.get(), world.people["developer"], hours=24, actor=world.people["operator"]
    )
    page = text(signed_in(world, who).get(reverse("customer-home-as", args=["northwind"])))
    assert "Acting for <b>Northwind" in page and app_client.name in page
    assert f"credentials are waiting for {world.people['developer']}" in page
    assert "handover-show" not in page and "/show/" not in page and "Request a change" not in page
    tenant_page = text(signed_in(world, who).get(reverse("tenant-page", args=["northwind"])))
    assert reverse("customer-home-as", args=["northwind"]) in tenant_page


def test_request_stands_in_the_activity_and_reaches_the_contact(world, app_client):
    contact = User.objects.create_user("kim@portal.example", PASSWORD, role=Role.OPERATOR, name="Kim")
    AppClient.objects.update(contact=contact)
    page = reverse("change-request", args=[app_client.public_id])
    browser = signed_in(world, "developer")
    assert "Kim hears of it by mail" in text(browser.get(page))
    answer = browser.post(page, {"text": "We need orders/write.\nFrom Monday on."}, follow=True)
    assert "Kim hears of it, and it stands in the activity." in text(answer)
    (letter,) = mail.outbox
    assert letter.to == ["kim@portal.example"] and "We need orders/write.\nFrom Monday on." in letter.body
    assert f"/clients/{app_client.public_id}/" in letter.body
    entry = AuditEntry.objects.get(action="client:request_change")
    assert entry.reason == "We need orders/write. From Monday on." and entry.actor == world.people["developer"]


@pytest.mark.parametrize("typed", ["", "   ", "a\u202eb", "x" * 501])
def test_request_that_nobody_could_read_is_refused_beside_its_field(world, app_client, typed):
    answer = signed_in(world, "manager").post(reverse("change-request", args=[app_client.public_id]), {"text": typed})
    assert answer.status_code == 422 and 'aria-invalid="true"' in text(answer)
    assert mail.outbox == [] and not AuditEntry.objects.filter(action="client:request_change").exists()


def test_secret_in_a_request_is_masked_in_the_activity(world, app_client):
    from clients import sealing

    value = sealing.generate("prod").reveal()
    signed_in(world, "manager").post(reverse("change-request", args=[app_client.public_id]), {"text": f"Here: {value}"})
    assert value not in AuditEntry.objects.get(action="client:request_change").reason
    assert value not in mail.outbox[0].body, "nor in the mail"


def test_tenant_of_nobody_has_no_member_page(world):
    Tenant.objects.create(slug="lumen", name="Lumen")
    browser = Client()
    browser.force_login(world.people["developer"])
    assert browser.get(reverse("customer-home-as", args=["lumen"])).status_code == 404
