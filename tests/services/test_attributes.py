"""Attributes: a definition's default, a tenant's values and a client's own all reach the table."""

import json

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Operation, OperationState, Outcome, Tenant
from clients.models.ids import new_ulid
from clients.services import attributes, claims


def published(world, app_client):
    return json.loads(world.document(app_client.client_id)["claims"]["S"])


def define(world, name, **more):
    return attributes.define_attribute(
        actor=world.people["administrator"], claim_name=name, type="string", is_overridable=True, **more
    )


def test_a_new_default_reaches_the_clients_that_are_there(world):
    app_client = world.create()
    define(world, "channel", default="api")
    app_client.refresh_from_db()
    assert not app_client.is_published
    assert claims.publish_due() == 1
    assert published(world, app_client)["channel"] == "api"
    assert AuditEntry.objects.get(action="attribute:define", detail__claim_name="channel").detail["clients"] == 1


def test_a_definition_without_default_changes_no_document(world):
    app_client = world.create()
    define(world, "channel")
    app_client.refresh_from_db()
    assert app_client.is_published


def test_tenant_values_reach_its_clients_and_nobody_elses(world):
    ours, theirs = world.create(), world.create(tenant=world.tenants["acme-robotics"])
    tenant = world.tenants["northwind"]
    assert (
        attributes.set_tenant_values(
            tenant, actor=world.people["operator"], generation=1, values={"tier": "silver", "rate_limit": "9"}
        )
        == 1
    )
    assert claims.publish_due() == 1
    assert published(world, ours) | {"tier": "silver", "rate_limit": 9} == published(world, ours)
    assert published(world, theirs)["rate_limit"] == 60
    entry = AuditEntry.objects.get(action="tenant:set_values")
    assert entry.detail["before"] == {"tier": "gold"} and entry.detail["after"] == {"tier": "silver", "rate_limit": 9}


def test_tenant_values_saved_twice_are_one_act(world):
    tenant, form = world.tenants["northwind"], {"actor": world.people["operator"], "generation": 1}
    attributes.set_tenant_values(tenant, values={"tier": "silver"}, **form)
    assert attributes.set_tenant_values(tenant, values={"tier": "silver"}, **form) == 0
    assert AuditEntry.objects.filter(action="tenant:set_values").count() == 1


def test_tenant_values_from_an_old_page_are_refused(world):
    tenant, form = world.tenants["northwind"], {"actor": world.people["operator"], "generation": 1}
    attributes.set_tenant_values(tenant, values={"tier": "silver"}, **form)
    with pytest.raises(Conflict):
        attributes.set_tenant_values(tenant, values={"tier": "gold", "rate_limit": "8"}, **form)
    assert attributes.values_of(tenant) == {"tier": "silver"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tier": "lead"}, "attribute:tier"),
        ({"tier": "gold", "nobody": "x"}, "attribute:nobody"),
        ({}, "attribute:tier"),
    ],
)
def test_tenant_values_that_do_not_fit_are_refused_whole(world, values, field):
    world.create()
    tenant = world.tenants["northwind"]
    with pytest.raises(InvalidInput) as refused:
        attributes.set_tenant_values(tenant, actor=world.people["operator"], generation=1, values=values)
    assert list(refused.value.fields) == [field]
    assert attributes.values_of(tenant) == {"tier": "gold"} and Tenant.objects.get(pk=tenant.pk).generation == 1
    assert not AuditEntry.objects.filter(action="tenant:set_values").exists()


def change(world, app_client, **more):
    form = {
        "actor": world.people["operator"],
        "operation_id": new_ulid(),
        "generation": 1,
        "values": {"rate_limit": "7"},
    }
    return attributes.change_attributes(app_client, **(form | more))


def test_attributes_sent_twice_are_one_change(world):
    app_client, same = world.create(), new_ulid()
    first, second = (change(world, app_client, operation_id=same) for _ in range(2))
    assert first == second and first.state == OperationState.DONE
    assert list(
        AuditEntry.objects.filter(operation_id=same).values_list("outcome", flat=True).order_by("sequence")
    ) == [
        Outcome.STARTED,
        Outcome.OK,
    ]
    assert published(world, app_client)["rate_limit"] == 7


def test_the_same_form_with_other_values_is_refused(world):
    app_client, same = world.create(), new_ulid()
    change(world, app_client, operation_id=same)
    with pytest.raises(Conflict, match="already used"):
        change(world, app_client, operation_id=same, values={"rate_limit": "8"})


def test_attributes_of_a_client_still_being_created_wait(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    app_client = world.create()
    with pytest.raises(Conflict, match="creating"):
        change(world, app_client)
    assert Operation.objects.count() == 1 and AppClient.objects.get().document_version == 1


def test_one_document_that_cannot_be_written_does_not_stand_before_the_others(world, monkeypatch):
    first, second = world.create(name="first"), world.create(name="second")
    honest = claims.claims_table.put_document

    def choosy(region, table, document):
        if document.client_id == first.client_id:
            raise ZeroDivisionError("a defect")
        honest(region, table, document)

    monkeypatch.setattr(claims.claims_table, "put_document", choosy)
    define(world, "channel", default="api")
    assert claims.publish_due() == 1
    assert published(world, second)["channel"] == "api"
    first.refresh_from_db()
    assert "made a mistake" in first.publish_error and first.publish_attempts == 1
    pauses = []
    for _ in range(3):
        AppClient.objects.filter(pk=first.pk).update(publish_after=None)
        claims.publish_due()
        pauses.append(AppClient.objects.get(pk=first.pk).publish_after)
    assert pauses[0] < pauses[1] < pauses[2], "each pause is longer than the one before"
