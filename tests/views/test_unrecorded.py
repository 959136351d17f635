"""The audit trail takes no entry: no remote call, no reveal, no row changed, and a page that says so."""

import json

import pytest
from django.apps import apps
from django.core import serializers
from django.urls import reverse

from clients.models import AttributeDefinition, AuditEntry, Role, User
from clients.models.ids import new_ulid
from clients.services.catalogue import create_resource_server
from tests.views.forms import form_of

APART = ("Session", "UserSession")  # of the visit, not of the act


@pytest.fixture
def desk(world, client):
    """A desk with something of everything, and the administrator in front of it."""
    admin = world.people["administrator"]
    client.force_login(admin)
    app_client = world.create(name="orders-sync")
    create_resource_server(
        world.pool, actor=admin, operation_id=new_ulid(), identifier="bills", name="Bills", scopes={"read": "Read"}
    )
    ids = {
        "client": app_client.public_id, "secret": app_client.secrets.get().public_id, "tenant": app_client.tenant.slug,
        "server": world.pool.resource_servers.get(identifier="bills").pk,
        "attribute": AttributeDefinition.objects.get(claim_name="rate_limit").pk,
        "person": User.objects.get(role=Role.SUPPORT).pk,
    }  # fmt: skip
    return lambda route: reverse(route.partition(" ")[0], args=[ids[name] for name in route.split()[1:]])


def rows():
    """Everything the database holds but sessions."""
    models = [model for model in apps.get_models() if model.__name__ not in APART and model._meta.managed]
    return {
        model.__name__: json.loads(serializers.serialize("json", model._base_manager.order_by("pk")))
        for model in models
    }


# (page with the form, where the form goes, what is typed, the button)
ACTS = [
    ("client-create", "client-create", {"name": "new-one", "scopes": ["orders/read"], "tenant": "northwind"}, {}),
    ("client-scopes client", "client-scopes client", {"scopes": ["orders/write"]}, {"save": "1"}),
    ("client-attributes client", "client-attributes client", {"attribute:rate_limit": "8"}, {}),
    ("client-settings client", "client-settings client", {"notes": "x"}, {}),
    ("client-settings client", "client-settings client", {"secret_lifetime": "365"}, {}),
    ("client-pause client", "client-pause client", {"reason": "x"}, {}),
    ("client-delete client", "client-delete client", {"reason": "x", "typed": "orders-sync"}, {}),
    ("handover-create client", "handover-create client", {"to": "link"}, {}),
    ("client-secrets client", "secret-show client secret", {}, {}),
    ("tenant-create", "tenant-create", {"name": "Lumen", "slug": "lumen", "attribute:tier": "gold"}, {}),
    ("tenant-details tenant", "tenant-details tenant", {"keep_days": "9"}, {}),
    ("tenant-values tenant", "tenant-values tenant", {"attribute:rate_limit": "8"}, {"save": "1"}),
    ("attribute-define", "attribute-define", {"claim_name": "market", "type": "string", "default": "EU"}, {"save": "1"}),
    ("attribute-change attribute", "attribute-change attribute", {"default": "8"}, {"save": "1"}),
    ("attribute-retire attribute", "attribute-retire attribute", {}, {}),
    ("server-create", "server-create", {"pool": "prod", "identifier": "ship", "name": "Ship", "scope-0-name": "read",
                                        "scope-0-description": "Read"}, {}),
    ("server-change server", "server-change server", {"description:read": "x"}, {"save": "1"}),
    ("server-api server", "server-api server", {"api_kind": "rest", "api_url": "https://one.example/"}, {}),
    ("server-retire server", "server-retire server", {"reason": "x", "scopes": ["read"]}, {}),
    ("person-invite", "person-invite", {"email": "nora@example.com", "role": "operator"}, {}),
    ("person-page person", "person-role person", {"role": "auditor", "reason": "x"}, {}),
    ("person-page person", "person-deactivate person", {"reason": "x"}, {}),
]  # fmt: skip


def sent_to(client, desk, page, target, typed, button):
    query = {"tenant": "northwind"} if page == "client-create" else {}
    return form_of(client.get(desk(page), query), desk(target)).data(**typed, **button)


@pytest.mark.parametrize(("page", "target", "typed", "button"), ACTS, ids=[act[1].split()[0] for act in ACTS])
def test_what_cannot_be_recorded_is_not_done(client, world, desk, request, page, target, typed, button):
    sent = sent_to(client, desk, page, target, typed, button)
    world.sandbox.clear()
    request.getfixturevalue("no_entries")
    before = rows()

    answer = client.post(desk(target), sent)

    assert answer.status_code == 503, answer.content.decode()[:2000]
    body = answer.content.decode()
    assert "This was not done" in body and "Nothing was sent or shown, nothing changed" in body and "cps_" not in body
    assert world.sandbox.writes() == []
    assert rows() == before


@pytest.mark.parametrize(("page", "target", "typed", "button"), ACTS, ids=[act[1].split()[0] for act in ACTS])
def test_the_same_act_is_done_when_the_trail_takes_it(client, desk, page, target, typed, button):
    """Else the refusals above would show nothing."""
    sent = sent_to(client, desk, page, target, typed, button)
    entries = AuditEntry.objects.count()
    answer = client.post(desk(target), sent)
    assert answer.status_code in (200, 302), answer.content.decode()[:2000]
    assert AuditEntry.objects.count() > entries


@pytest.mark.parametrize("address", ["/clients/export.csv", "/activity/export.csv", "/activity/export.jsonl"])
def test_nothing_leaves_unrecorded(client, desk, no_entries, address):
    answer = client.get(address)
    assert answer.status_code == 503 and "This was not done" in answer.content.decode()


def test_a_refusal_stays_one_when_it_cannot_be_recorded(client, world, desk, no_entries):
    client.force_login(world.people["support"])
    assert client.get(desk("tenant-create")).status_code == 403
