"""Pages of an empty database: each teaches the next step."""

import pytest

from clients.models import Role, User, UserPool
from tests.support import PASSWORD


@pytest.fixture
def sign_in(db, client):
    def enter(role):
        client.force_login(User.objects.create_user(f"{role}@portal.example", PASSWORD, role=role))

    return enter


def test_tenants_lead_to_creating_one_and_to_attributes(client, sign_in):
    sign_in(Role.ADMINISTRATOR)
    body = client.get("/tenants/").content.decode()
    assert "No tenants yet" in body and 'href="/tenants/new/"' in body and 'href="/attributes/new/"' in body


def test_attributes_lead_to_defining_one(client, sign_in):
    sign_in(Role.ADMINISTRATOR)
    body = client.get("/attributes/").content.decode()
    assert "No attributes yet" in body and 'href="/attributes/new/"' in body


def test_attributes_tell_an_operator_who_defines_them(client, sign_in):
    sign_in(Role.OPERATOR)
    body = client.get("/attributes/").content.decode()
    assert "An administrator defines them" in body and 'href="/attributes/new/"' not in body


def test_creating_a_tenant_needs_no_attributes(client, sign_in):
    sign_in(Role.OPERATOR)
    body = client.get("/tenants/new/").content.decode()
    assert "No attributes are defined yet" in body
    sent = {"name": "Lumen", "slug": "", "contact": "", "contact_email": "", "keep_days": "30"}
    assert client.post("/tenants/new/", sent)["Location"] == "/tenants/lumen/"
    assert "No attributes are defined" in client.get("/tenants/lumen/").content.decode()


def test_creating_a_client_without_tenants_leads_to_creating_one(client, sign_in):
    sign_in(Role.OPERATOR)
    UserPool.objects.create(environment="prod", region="eu-west-1", user_pool_id="eu-west-1_x")
    body = client.get("/clients/new/").content.decode()
    assert "No tenants yet" in body and 'href="/tenants/new/"' in body and "Continue" not in body
