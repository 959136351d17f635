"""Tenants: creating and changing them, and whose tokens their values would change."""

import importlib

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Operation, Outcome, Status, Tenant, TenantValue
from clients.services import attributes, operations, tenants


def create(world, **changes):
    wanted = {"slug": "lumen", "name": "Lumen Energy", "values": {"tier": "gold"}} | changes
    return tenants.create_tenant(actor=world.people["operator"], **wanted)


def test_create_keeps_values_and_tells_the_trail(world):
    tenant = create(world, contact=world.people["support"], contact_email="it@lumen.example", keep_days=14)
    tenant.refresh_from_db()
    assert (tenant.keep_days, tenant.contact, tenant.contact_email) == (14, world.people["support"], "it@lumen.example")
    assert attributes.values_of(tenant) == {"tier": "gold"}
    entry = AuditEntry.objects.get(action="tenant:create", tenant=tenant)
    assert entry.outcome == Outcome.OK and entry.detail == {"slug": "lumen", "values": {"tier": "gold"}}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"slug": "northwind"}, ["slug"]),
        ({"slug": "Lumen"}, ["slug"]),
        ({"slug": "new"}, ["slug"]),
        ({"slug": "a" * 41}, ["slug"]),
        ({"slug": "ü"}, ["slug"]),
        ({"name": "Acme Robotics"}, ["name"]),
        ({"name": "ACME robotics"}, ["name"]),
        ({"name": " Lumen"}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"keep_days": 0}, ["keep_days"]),
        ({"contact_email": "nobody"}, ["contact_email"]),
        ({"values": {}}, ["attribute:tier"]),
        ({"values": {"tier": "lead"}}, ["attribute:tier"]),
        ({"values": {"tier": "gold", "colour": "red"}}, ["attribute:colour"]),
        ({"slug": "x y", "values": {"tier": "gold", "rate_limit": "lots"}}, ["slug", "attribute:rate_limit"]),
    ],
)
def test_create_refused_names_every_field_and_writes_nothing(world, changes, fields):
    with pytest.raises(InvalidInput) as refused:
        create(world, **changes)
    assert sorted(refused.value.fields) == sorted(fields)
    assert Tenant.objects.count() == 2 and AuditEntry.objects.filter(action="tenant:create").count() == 2


@pytest.mark.parametrize(
    ("slug", "name", "field"), [("northwind", "Lumen", "slug"), ("lumen", "NORTHWIND LOGISTICS", "name")]
)
def test_what_somebody_else_took_at_the_same_moment_is_named(world, slug, name, field):
    """Looked up, both were free; the database has the last word."""
    with pytest.raises(InvalidInput) as refused:
        tenants._unique(name, lambda: Tenant.objects.create(slug=slug, name=name), slug=slug)
    assert list(refused.value.fields) == [field] and Tenant.objects.count() == 2


def test_change_of_the_capitals_in_its_own_name_is_fine(world):
    assert change(world, world.tenants["northwind"], name="NORTHWIND Logistics")


def test_the_migration_names_tenants_whose_names_are_alike(world):
    migration = importlib.import_module("clients.migrations.0026_tenant_name_once")
    migration.refuse_alike(apps, None)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX tenant_name_once")
    Tenant.objects.create(slug="n2", name="NORTHWIND Logistics")
    with pytest.raises(CommandError, match="Northwind Logistics, NORTHWIND Logistics"):
        migration.refuse_alike(apps, None)


def test_create_refuses_a_member_as_contact(world):
    with pytest.raises(InvalidInput, match="one of the staff"):
        create(world, contact=world.people["manager"])


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Lumen Energy", "lumen-energy"), ("Müller & Söhne", "muller-sohne"), ("Northwind", "northwind-2"),
        ("New", "new-2"), ("東京", ""), ("a" * 80, "a" * 36),
    ],
)  # fmt: skip
def test_slug_is_suggested_from_the_name_and_free(world, name, slug):
    assert tenants.suggest_slug(name) == slug


def change(world, tenant, **changes):
    wanted = {"name": tenant.name, "contact": None, "contact_email": "", "keep_days": 30, "generation": 1} | changes
    return tenants.change_tenant(tenant, actor=world.people["operator"], **wanted)


def test_change_is_told_with_before_and_after_but_no_address(world):
    tenant, support = world.tenants["northwind"], world.people["support"]
    assert change(world, tenant, name="Northwind", contact=support, contact_email="it@northwind.example", keep_days=7)
    tenant.refresh_from_db()
    assert (tenant.name, tenant.contact, tenant.keep_days, tenant.generation) == ("Northwind", support, 7, 2)
    entry = AuditEntry.objects.get(action="tenant:change")
    assert entry.detail["before"] == {"name": "Northwind Logistics", "contact": None, "keep_days": 30}
    assert entry.detail["after"] == {"name": "Northwind", "contact": support.pk, "keep_days": 7}
    assert entry.detail["contact_email"] == {"changed": True} and "it@northwind" not in str(entry.detail)


def test_an_off_boarded_tenant_stays_as_it_is(world):
    tenant, admin = world.tenants["northwind"], world.people["administrator"]
    Tenant.objects.filter(pk=tenant.pk).update(status="off_boarded")
    policies = {name: getattr(tenant, name) for name in tenants.POLICIES} | {"overlap_hours": 24}
    for act in (
        lambda: change(world, tenant, keep_days=7),
        lambda: tenants.set_policies(tenant, actor=admin, generation=1, **policies),
        lambda: attributes.set_tenant_values(tenant, actor=admin, generation=1, values={"tier": "silver"}),
    ):
        with pytest.raises(Conflict, match="Northwind Logistics is off-boarded"):
            act()
    assert Tenant.objects.get(pk=tenant.pk).generation == 1 and attributes.values_of(tenant) == {"tier": "gold"}


def test_change_saved_twice_is_one_act(world):
    tenant = world.tenants["northwind"]
    assert change(world, tenant, keep_days=7)
    assert not change(world, tenant, keep_days=7)
    assert AuditEntry.objects.filter(action="tenant:change").count() == 1


def test_change_from_an_old_page_is_refused(world):
    tenant = world.tenants["northwind"]
    change(world, tenant, keep_days=7)
    with pytest.raises(Conflict):
        change(world, tenant, keep_days=9)
    tenant.refresh_from_db()
    assert tenant.keep_days == 7 and AuditEntry.objects.filter(action="tenant:change").count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Acme Robotics"}, "name"),
        ({"name": "acme robotics"}, "name"),
        ({"keep_days": 366}, "keep_days"),
        ({"contact_email": "@"}, "contact_email"),
    ],
)
def test_change_refused_writes_nothing(world, changes, field):
    tenant = world.tenants["northwind"]
    with pytest.raises(InvalidInput) as refused:
        change(world, tenant, **changes)
    assert list(refused.value.fields) == [field]
    assert Tenant.objects.get(pk=tenant.pk).generation == 1
    assert not AuditEntry.objects.filter(action="tenant:change").exists()


def test_change_keeps_a_contact_who_has_left(world):
    tenant, support = world.tenants["northwind"], world.people["support"]
    Tenant.objects.filter(pk=tenant.pk).update(contact=support)
    support.is_active = False
    support.save(update_fields=["is_active"])
    assert change(world, tenant, contact=support, keep_days=7)


# --- Whose tokens its values would change ----------------------------------------------------------


def planned(world, **values):
    return attributes.plan_tenant_values(world.tenants["northwind"], {"tier": "gold"} | values)[1]


def names(effect):
    return [row.name for row in effect.sample]


def test_a_client_still_being_created_is_not_counted_and_publishes_its_own_at_its_end(world):
    world.create(name="there")
    world.sandbox.fault("CreateUserPoolClient", "throttle", times=1)
    begun = world.create(name="begun")
    assert begun.client_id is None
    effect = planned(world, rate_limit="99")
    assert (effect.count, names(effect), [change.clients for change in effect.changes]) == (1, ["there"], [1])
    stored = {"tier": "gold", "rate_limit": "99"}
    actor, generation = world.people["operator"], world.tenants["northwind"].generation
    assert (
        attributes.set_tenant_values(world.tenants["northwind"], actor=actor, generation=generation, values=stored) == 1
    )
    world.sandbox.clear()
    Operation.objects.update(next_try_at=timezone.now())
    operations.resume_due()
    begun.refresh_from_db()
    assert '"rate_limit":99' in str(world.document(begun.client_id))


def test_values_touch_whom_the_review_named(world):
    follows, keeps = world.create(name="follows"), world.create(name="keeps", attributes={"rate_limit": "7"})
    world.create(name="foreign", tenant=world.tenants["acme-robotics"])
    effect = planned(world, rate_limit="99")
    assert names(effect) == ["follows"] and effect.count == 1
    assert [(c.claim_name, c.before, c.after, c.clients) for c in effect.changes] == [("rate_limit", 60, 99, 1)]

    values = {"tier": "gold", "rate_limit": "99"}
    touched = attributes.set_tenant_values(
        world.tenants["northwind"], actor=world.people["operator"], generation=1, values=values
    )

    assert touched == 1
    waiting = set(AppClient.objects.unpublished().values_list("name", flat=True))
    assert waiting == {follows.name} and keeps.name not in waiting


def test_values_two_claims_at_once_touch_who_keeps_only_one_of_them(world):
    world.create(name="keeps-rate", attributes={"rate_limit": "7"})
    effect = planned(world, rate_limit="99", tier="silver")
    assert names(effect) == ["keeps-rate"]
    assert {c.claim_name: c.clients for c in effect.changes} == {"rate_limit": 0, "tier": 1}


def test_value_equal_to_the_default_changes_no_token_yet_is_saved(world):
    world.create()
    assert planned(world, rate_limit="60").count == 0
    tenant = world.tenants["northwind"]
    values = {"tier": "gold", "rate_limit": "60"}
    assert not attributes.set_tenant_values(tenant, actor=world.people["operator"], generation=1, values=values)
    assert TenantValue.objects.filter(tenant=tenant).count() == 2 and not AppClient.objects.unpublished().exists()


def test_values_of_a_deleted_client_touch_nothing(world):
    AppClient.objects.filter(pk=world.create().pk).update(status=Status.DELETED)
    assert planned(world, tier="silver").count == 0
