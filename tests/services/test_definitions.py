"""Attribute definitions: defining, changing, retiring and taking back; each says beforehand whom it touches."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AttributeDefinition, AuditEntry, ClientOverride, Tenant, TenantStatus, TenantValue
from clients.models.ids import new_ulid
from clients.services import attributes, claims, effects


@pytest.fixture
def admin(world):
    return world.people["administrator"]


def published(world, app_client):
    return json.loads(world.document(app_client.client_id)["claims"]["S"])


def named(claim_name):
    return AttributeDefinition.objects.get(claim_name=claim_name)


def facts(definition, **changes):
    return {name: getattr(definition, name) for name in attributes.CHANGEABLE} | changes


def acts(action):
    return AuditEntry.objects.filter(action=action)


# --- Define ------------------------------------------------------------------------------------------


def test_define_names_whom_its_default_reaches_and_reaches_them(world, admin):
    app_client = world.create()
    _, effect = attributes.plan_definition(claim_name="channel", type="string", default="api")
    assert effect.count == 1 and [(c.before, c.after, c.clients) for c in effect.changes] == [(None, "api", 1)]

    attributes.define_attribute(actor=admin, claim_name="channel", type="string", default="api")

    assert claims.publish_due() == 1 and published(world, app_client)["channel"] == "api"
    detail = acts("attribute:define").get(detail__claim_name="channel").detail
    assert detail["clients"] == 1 and detail["default"] == "api" and detail["type"] == "string"


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({"claim_name": "sub"}, ["claim_name"]),
        ({"claim_name": "cognito:groups"}, ["claim_name"]),
        ({"claim_name": "tenant_id"}, ["claim_name"]),
        ({"claim_name": "tier"}, ["claim_name"]),
        ({"claim_name": "1st"}, ["claim_name"]),
        ({"type": "date"}, ["type"]),
        ({"type": "integer", "default": "many"}, ["default"]),
        ({"type": "choice"}, ["choices"]),
        ({"type": "choice", "choices": ["a", "a"]}, ["choices"]),
        ({"type": "choice", "choices": ["a", ""]}, ["choices"]),
        ({"type": "choice", "choices": ["a"], "default": "b"}, ["default"]),
        ({"is_required": True}, ["is_required"]),
        ({"type": "strings", "default": ["x" * 256] * 17}, ["default"]),
    ],
)
def test_define_refused_names_the_field_and_writes_nothing(world, admin, wanted, fields):
    world.create()
    with pytest.raises(InvalidInput) as refused:
        attributes.define_attribute(actor=admin, **({"claim_name": "colour", "type": "string"} | wanted))
    assert list(refused.value.fields) == fields
    assert AttributeDefinition.objects.count() == 2 and acts("attribute:define").count() == 2
    assert not AppClient.objects.unpublished().exists()


# --- Change ------------------------------------------------------------------------------------------


def test_change_of_a_default_touches_whom_the_review_named(world, admin):
    follows = world.create(name="follows")
    world.create(name="keeps", attributes={"rate_limit": "7"})
    acme = world.tenants["acme-robotics"]
    attributes.set_tenant_values(acme, actor=admin, generation=1, values={"tier": "gold", "rate_limit": "5"})
    world.create(name="given", tenant=acme)
    rate_limit = named("rate_limit")
    planned, effect = attributes.plan_change(rate_limit, **facts(rate_limit, default="90"))
    assert planned.default == 90 and [row.name for row in effect.sample] == ["follows"]
    assert [(c.before, c.after, c.clients) for c in effect.changes] == [(60, 90, 1)]

    touched = attributes.change_definition(rate_limit, actor=admin, generation=1, **facts(rate_limit, default="90"))

    assert touched == 1 and claims.publish_due() == 1 and published(world, follows)["rate_limit"] == 90
    detail = acts("attribute:change").get().detail
    assert detail["before"]["default"] == 60 and detail["after"]["default"] == 90 and detail["clients"] == 1
    assert (rate_limit.default, rate_limit.generation) == (90, 2)


def test_change_saved_twice_is_one_act(world, admin):
    tier = named("tier")
    for _ in range(2):
        attributes.change_definition(tier, actor=admin, generation=1, **facts(tier, description="The plan"))
    assert acts("attribute:change").count() == 1 and named("tier").description == "The plan"


def test_change_from_an_old_page_is_refused(world, admin):
    first, second = named("tier"), named("tier")
    attributes.change_definition(first, actor=admin, generation=1, **facts(first, description="One"))
    with pytest.raises(Conflict):
        attributes.change_definition(second, actor=admin, generation=1, **facts(second, description="Two"))
    assert named("tier").description == "One" and acts("attribute:change").count() == 1


def test_change_adds_a_choice_without_touching_a_token(world, admin):
    world.create()
    tier = named("tier")
    choices = ["silver", "gold", "platinum"]
    assert not attributes.change_definition(tier, actor=admin, generation=1, **facts(tier, choices=choices))
    assert named("tier").choices == choices and not AppClient.objects.unpublished().exists()


def test_change_removes_a_choice_nobody_uses(world, admin):
    tier = named("tier")
    attributes.change_definition(tier, actor=admin, generation=1, **facts(tier, choices=["gold", "silver", "iron"]))
    attributes.change_definition(tier, actor=admin, generation=2, **facts(tier, choices=["gold", "silver"]))
    assert named("tier").choices == ["gold", "silver"]


def test_change_removes_a_choice_only_an_off_boarded_tenant_has(world, admin):
    Tenant.objects.filter(slug="acme-robotics").update(status=TenantStatus.OFF_BOARDED)
    attributes.change_definition(named("tier"), actor=admin, generation=1, **facts(named("tier"), choices=["gold"]))
    assert named("tier").choices == ["gold"]


@pytest.mark.parametrize(
    ("claim_name", "changes", "field", "sentence"),
    [
        ("tier", {"choices": ["gold"]}, "choices", "silver is used by Acme Robotics"),
        ("tier", {"choices": []}, "choices", "at least one choice"),
        ("tier", {"default": "iron"}, "default", "Choose one of"),
        ("rate_limit", {"default": "lots"}, "default", "whole number"),
        ("rate_limit", {"default": None, "is_required": True}, "is_required", "Acme Robotics, Northwind Logistics"),
        ("rate_limit", {"is_overridable": False}, "is_overridable", "own-rate"),
    ],
)
def test_change_refused_names_who_and_writes_nothing(world, admin, claim_name, changes, field, sentence):
    world.create(name="own-rate", attributes={"rate_limit": "7"})
    definition = named(claim_name)
    with pytest.raises(InvalidInput, match=sentence) as refused:
        attributes.change_definition(definition, actor=admin, generation=1, **facts(definition, **changes))
    assert field in refused.value.fields
    assert named(claim_name).generation == 1 and not acts("attribute:change").exists()
    assert not AppClient.objects.unpublished().exists()


def test_change_names_five_and_counts_the_rest(world, admin):
    Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"T{n}") for n in range(9))
    rate_limit = named("rate_limit")
    with pytest.raises(InvalidInput, match="and 6 more"):
        attributes.plan_change(rate_limit, **facts(rate_limit, default=None, is_required=True))


def test_change_to_required_asks_nothing_of_who_has_left(world, admin):
    Tenant.objects.update(status=TenantStatus.OFF_BOARDED)
    rate_limit = named("rate_limit")
    attributes.change_definition(
        rate_limit, actor=admin, generation=1, **facts(rate_limit, default=None, is_required=True)
    )
    assert named("rate_limit").is_required


# --- Retire and take back ------------------------------------------------------------------------------


def test_retired_claim_leaves_every_token_and_comes_back_as_it_was(world, admin):
    plain, own = world.create(name="plain"), world.create(name="own", attributes={"rate_limit": "7"})
    rate_limit = named("rate_limit")
    _, effect = attributes.plan_retirement(rate_limit, is_retired=True)
    assert effect.count == 2 and {(c.before, c.after, c.clients) for c in effect.changes} == {
        (60, None, 1),
        (7, None, 1),
    }

    assert attributes.retire_definition(rate_limit, actor=admin, generation=1) == 2
    assert claims.publish_due() == 2
    assert not any("rate_limit" in published(world, row) for row in (plain, own))
    assert acts("attribute:retire").get().detail == {"claim_name": "rate_limit", "clients": 2}

    assert attributes.restore_definition(rate_limit, actor=admin, generation=2) == 2
    assert claims.publish_due() == 2
    assert [published(world, row)["rate_limit"] for row in (plain, own)] == [60, 7]
    assert acts("attribute:restore").count() == 1


def test_own_values_of_a_retired_claim_survive_a_change_of_others(world, admin):
    app_client = world.create(attributes={"rate_limit": "7"})
    attributes.retire_definition(named("rate_limit"), actor=admin, generation=1)
    app_client.refresh_from_db()
    claims.write_overrides(app_client, {})
    assert app_client.overrides.get().value == 7 and claims.overrides_of(app_client) == {}


def test_retiring_tells_values_of_tenants_apart(world, admin):
    world.create(name="one"), world.create(name="two", tenant=world.tenants["acme-robotics"])
    _, effect = attributes.plan_retirement(named("tier"), is_retired=True)
    assert {(c.before, c.clients) for c in effect.changes} == {("gold", 1), ("silver", 1)} and effect.count == 2


def test_retiring_what_nobody_carries_touches_nobody(world, admin):
    world.create()
    note = attributes.define_attribute(actor=admin, claim_name="note", type="string")
    assert attributes.retire_definition(note, actor=admin, generation=1) == 0
    assert named("note").retired_at and not AppClient.objects.unpublished().exists()


def test_retiring_twice_is_one_act(world, admin):
    tier = named("tier")
    attributes.retire_definition(tier, actor=admin, generation=1)
    assert attributes.retire_definition(tier, actor=admin, generation=1) == 0
    assert acts("attribute:retire").count() == 1


@pytest.mark.parametrize("act", [attributes.retire_definition, attributes.restore_definition])
def test_retiring_or_taking_back_from_an_old_page_is_refused(world, admin, act):
    tier = named("tier")
    if act is attributes.restore_definition:
        attributes.retire_definition(tier, actor=admin, generation=1)
    before = AuditEntry.objects.count()
    with pytest.raises(Conflict):
        act(tier, actor=admin, generation=9)
    assert AuditEntry.objects.count() == before and bool(named("tier").retired_at) == (
        act is not attributes.retire_definition
    )


def test_taking_back_is_refused_while_a_tenant_lacks_a_required_value(world, admin):
    tier = named("tier")
    attributes.retire_definition(tier, actor=admin, generation=1)
    Tenant.objects.create(slug="lumen", name="Lumen Energy")
    with pytest.raises(InvalidInput, match="Lumen Energy"):
        attributes.restore_definition(tier, actor=admin, generation=2)
    attributes.change_definition(tier, actor=admin, generation=2, **facts(tier, default="silver"))
    attributes.restore_definition(tier, actor=admin, generation=3)
    assert named("tier").retired_at is None


# --- Counted from what is there -----------------------------------------------------------------------


@pytest.fixture
def many(world):
    """Clients that follow their tenant, differ from it, follow the default, are deleted, and have no client ID yet."""
    acme = world.tenants["acme-robotics"]
    for name, tenant, seconds in (("a", None, 600), ("b", None, 3600), ("c", acme, 1200), ("gone", acme, 86_400)):
        world.create(name=name, access_token_seconds=seconds, **({"tenant": tenant} if tenant else {}))
    own = ClientOverride(app_client=AppClient.objects.get(name="b"), definition=named("rate_limit"), value=7)
    own.save()
    AppClient.objects.filter(name="gone").update(status="deleted")
    AppClient.objects.filter(name="a").update(older_tokens_until=timezone.now() + timedelta(hours=20))  # cut from a day
    AppClient.objects.create(
        pool=world.pool, tenant=acme, name="unborn", access_token_seconds=7200, status="creating",
        created_by=world.people["operator"],
    )  # fmt: skip


def carried(app_client):
    found = claims.preview(app_client.pool, app_client.tenant, claims.overrides_of(app_client)).claims
    return {claim.name: claim.value for claim in found}


@pytest.mark.parametrize("claim_name", ["tier", "rate_limit"])
@pytest.mark.parametrize("default", [None, 5])
def test_what_a_plan_counts_is_what_its_rows_are(world, many, claim_name, default):
    definition = named(claim_name)
    if claim_name == "rate_limit":
        AttributeDefinition.objects.filter(pk=definition.pk).update(default=default)
        definition.refresh_from_db()
    plans = [attributes.plan_retirement(definition, is_retired=True)]
    if claim_name == "rate_limit":
        plans.append(attributes.plan_change(definition, **facts(definition, default=9)))
    for _, effect in plans:
        rows = effect.rows.filter(client_id__isnull=False)
        assert (effect.count, effect.minutes) == (rows.count(), max((row.token_minutes for row in rows), default=0))
        assert sum(change.clients for change in effect.changes) == effect.count
        for change in effect.changes:
            assert change.clients == sum(
                carried(row).get(claim_name) == change.before for row in rows.select_related("pool", "tenant")
            )


def test_a_form_opened_while_a_claim_was_retired_does_not_take_its_values_when_it_is_back(world, admin):
    tenant, region = world.tenants["northwind"], define(admin, claim_name="region", is_overridable=True)
    tenant.refresh_from_db()
    attributes.set_tenant_values(
        tenant, actor=admin, generation=tenant.generation, values={"tier": "gold", "region": "eu"}
    )
    app_client = world.create(attributes={"region": "us"})
    attributes.retire_definition(region, actor=admin, generation=region.generation)
    tenant.refresh_from_db()
    app_client.refresh_from_db()
    attributes.restore_definition(region, actor=admin, generation=region.generation)
    with pytest.raises(Conflict):
        attributes.set_tenant_values(tenant, actor=admin, generation=tenant.generation, values={"tier": "silver"})
    with pytest.raises(Conflict):
        said = {"actor": admin, "operation_id": new_ulid(), "generation": app_client.generation}
        attributes.change_attributes(app_client, values={"rate_limit": 7}, **said)
    assert TenantValue.objects.get(definition=region, tenant=tenant).value == "eu"
    assert ClientOverride.objects.get(definition=region, app_client=app_client).value == "us"


def define(admin, **facts):
    return attributes.define_attribute(actor=admin, **{"type": "string"} | facts)


def test_a_review_is_another_one_when_as_many_other_clients_are_touched(world, many):
    tenant, rate_limit = world.tenants["northwind"], named("rate_limit")

    def told():
        of_all = attributes.plan_retirement(rate_limit, is_retired=True)[1]
        values = {named("tier"): "silver"}
        return of_all.count, of_all.fingerprint, effects.of_tenant_values(tenant, values).fingerprint

    before, unchanged = told(), told()
    world.create(name="instead", access_token_seconds=600)
    AppClient.objects.filter(name="a").update(status="deleted")
    after = told()

    assert before == unchanged and before[0] == after[0]
    assert before[1] != after[1] and before[2] != after[2]
