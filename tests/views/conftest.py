"""A client through the service, a stranger of another tenant, and addresses by route name."""

from datetime import timedelta
from itertools import count

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, AttributeDefinition, Role, Secret, SecretState, Status, TenantChange, User
from clients.models.ids import new_ulid
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
def operator(world, client):
    client.force_login(world.people["operator"])
    return world.people["operator"]


@pytest.fixture
def make(world):
    """Rows alone: what the list shows needs no Cognito. Ids of one millisecond would stand in any order: counted."""
    numbers = count(1)

    def row(name, *, status=Status.ACTIVE, tenant="northwind", delivered=True, days=180, ending="aaaa", **fields):
        app_client = AppClient.objects.create(
            tenant=world.tenants[tenant], name=name, op_tag=new_ulid(), client_id=f"id{new_ulid()}",
            status=status, created_by=world.people["operator"], public_id=f"01{next(numbers):024}",
            **{"pool": world.pool, "expires_at": timezone.now() + timedelta(days=days)} | fields,
        )  # fmt: skip
        Secret.objects.create(
            app_client=app_client, ending=ending, state=SecretState.CURRENT, created_by=world.people["operator"],
            delivered_at=timezone.now() if delivered else None,
        )  # fmt: skip
        return app_client

    return row


@pytest.fixture
def address(app_client):
    def make(route: str) -> str:
        if route == "account_reset_password_from_key":
            return reverse(route, args=["1", "used-before"])
        if route in ("secret-show", "secret-stored"):
            return reverse(route, args=[app_client.public_id, app_client.secrets.get().public_id])
        if route.startswith(("client-", "snippet-")) and route not in ("client-list", "client-create", "client-export"):
            return reverse(route, args=[app_client.public_id])
        if route in ("tenant-page", "tenant-details", "tenant-values"):
            return reverse(route, args=[app_client.tenant.slug])
        if route == "tenant-change-start":
            return reverse(route, args=[app_client.tenant.slug, "off-board"])
        if route == "tenant-change":
            change = TenantChange.objects.first() or TenantChange.objects.create(
                tenant=app_client.tenant, kind="pause", reason="x", started_by=app_client.created_by
            )
            return reverse(route, args=[app_client.tenant.slug, change.public_id])
        if route in ("attribute-change", "attribute-retire", "attribute-restore"):
            return reverse(route, args=[AttributeDefinition.objects.get(claim_name="tier").pk])
        return reverse(route, args=[app_client.operations.get().pk] if route == "operation-retry" else [])

    return make
