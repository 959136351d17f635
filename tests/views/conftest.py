"""A client through the service, a stranger of another tenant, and addresses by route name."""

import pytest
from django.urls import reverse

from clients.models import AttributeDefinition, Role, User
from tests.support import PASSWORD


@pytest.fixture
def app_client(world):
    return world.create()


@pytest.fixture
def stranger(world):
    """A manager of a tenant that has no client."""
    acme = world.tenants["acme-robotics"]
    return User.objects.create_user("stranger@acme.example", PASSWORD, role=Role.MANAGER, tenant=acme)


@pytest.fixture
def address(app_client):
    def make(route: str) -> str:
        if route == "account_reset_password_from_key":
            return reverse(route, args=["1", "used-before"])
        if route in ("secret-show", "secret-stored"):
            return reverse(route, args=[app_client.public_id, app_client.secrets.get().public_id])
        if route.startswith(("client-", "snippet-")) and route not in ("client-list", "client-create"):
            return reverse(route, args=[app_client.public_id])
        if route in ("tenant-page", "tenant-details", "tenant-values"):
            return reverse(route, args=[app_client.tenant.slug])
        if route in ("attribute-change", "attribute-retire", "attribute-restore"):
            return reverse(route, args=[AttributeDefinition.objects.get(claim_name="tier").pk])
        return reverse(route, args=[app_client.operations.get().pk] if route == "operation-retry" else [])

    return make
