"""Tenants: list, page, creating, details, values with their review."""

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clients.models import AppClient, AttributeDefinition, AuditEntry, Tenant, TenantStatus
from clients.services import attributes, claims
from clients.views import tenants
from clients.views.step_up import PASSWORD as PASSWORD_FIELD
from tests.support import PASSWORD
from tests.views.forms import form_of


@pytest.fixture(autouse=True)
def operator(world, client):
    client.force_login(world.people["operator"])
    return world.people["operator"]


def text(answer):
    return html.unescape(answer.content.decode())


def acts(action):
    return AuditEntry.objects.filter(action=action).count()


# --- List --------------------------------------------------------------------------------------------


def names(answer):
    return [line["tenant"].name for line in answer.context["lines"]]


def test_list_counts_clients_and_marks_what_needs_somebody(client, world):
    world.create(name="one")
    AppClient.objects.filter(pk=world.create(name="two").pk).update(document_version=5)
    body = text(client.get("/tenants/"))
    assert "2 not yet delivered" in body and "1 not published" in body and "Acme Robotics" in body
    assert re.search(r'aria-label="2 clients of Northwind Logistics">2<', body)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("north", ["Northwind Logistics"]), ("ROBOT", ["Acme Robotics"]), ("it@acme", ["Acme Robotics"]), ("none", [])],
)
def test_list_searches_name_slug_and_address(client, world, asked, found):
    Tenant.objects.filter(slug="acme-robotics").update(contact_email="it@acme.example")
    answer = client.get("/tenants/", {"q": asked})
    assert names(answer) == found and (found or "No tenant fits" in text(answer))


def test_list_pages_by_key_without_gap_and_keeps_the_search(client, monkeypatch):
    monkeypatch.setattr(tenants, "PAGE", 3)
    Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"Tenant {n} & sons") for n in range(7))
    seen, after, pages = [], "", 0
    while True:
        pages += 1
        answer = client.get("/tenants/", {"q": "sons"} | ({"after": after} if after else {}))
        seen += names(answer)
        after = answer.context["following"]
        if not after:
            break
        assert "q=sons" in text(answer)
    assert seen == [f"Tenant {n} & sons" for n in range(7)] and pages == 3


@pytest.mark.parametrize("after", ["\x00", "zzz", "'", "a" * 5000])
def test_list_survives_a_broken_key(client, after):
    assert client.get("/tenants/", {"after": after}).status_code == 200


def test_list_costs_the_same_for_few_and_many_tenants(client, world, monkeypatch):
    monkeypatch.setattr(tenants, "PAGE", 100)
    client.get("/tenants/")
    with CaptureQueriesContext(connection) as few:
        client.get("/tenants/")
    made = Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"T{n}") for n in range(60))
    AppClient.objects.filter(pk=world.create().pk).update(tenant=made[0])
    with CaptureQueriesContext(connection) as many:
        client.get("/tenants/")
    assert len(few) == len(many)


# --- Page --------------------------------------------------------------------------------------------


def test_page_shows_values_with_their_source_clients_and_people(client, world):
    world.create(name="northwind-orders")
    body = text(client.get("/tenants/northwind/"))
    assert "northwind-orders" in body and "manager@northwind.example" in body and "30 days" in body
    assert re.search(r"tier</a></th>\s*<td role=\"cell\"><span class=\"mono\">gold", body)
    assert re.search(
        r"rate_limit</a></th>\s*<td role=\"cell\"><span class=\"mono\">60</span></td>\s*<td role=\"cell\" class=\"soft\">Default",
        body,
    )


@pytest.mark.asvs("1.2.1")
def test_page_of_a_hostile_name_is_text(client):
    Tenant.objects.filter(slug="northwind").update(name="<script>alert(1)</script>")
    for path in ("/tenants/", "/tenants/northwind/", "/tenants/northwind/details/", "/tenants/northwind/values/"):
        assert "<script>alert" not in client.get(path).content.decode(), path


def test_page_of_a_tenant_without_clients_leads_to_the_first(client):
    assert "/clients/new/?tenant=acme-robotics" in text(client.get("/tenants/acme-robotics/"))


def test_page_offers_no_client_to_a_paused_tenant_and_no_act_to_support(client, world):
    Tenant.objects.filter(slug="northwind").update(status=TenantStatus.PAUSED)
    body = text(client.get("/tenants/northwind/"))
    assert "Paused" in body and "/clients/new/" not in body
    client.force_login(world.people["support"])
    body = text(client.get("/tenants/acme-robotics/"))
    assert "Change details" not in body and "Change values" not in body and "Create client" not in body


# --- Create ------------------------------------------------------------------------------------------


def form(**changes):
    return {
        "name": "Lumen Energy", "slug": "lumen", "contact": "", "contact_email": "it@lumen.example", "keep_days": "30",
        "attribute:tier": "gold", "attribute:rate_limit": "",
    } | changes  # fmt: skip


def test_create_makes_the_tenant_and_goes_to_its_page(client, operator):
    assert 'name="attribute:tier"' in text(client.get("/tenants/new/"))
    answer = client.post("/tenants/new/", form(contact=operator.pk))
    tenant = Tenant.objects.get(slug="lumen")
    assert answer["Location"] == "/tenants/lumen/" and tenant.contact == operator
    assert attributes.values_of(tenant) == {"tier": "gold"}
    assert AuditEntry.objects.get(action="tenant:create", tenant=tenant).actor == operator


def test_create_without_a_slug_makes_it_from_the_name(client):
    assert client.post("/tenants/new/", form(slug=""))["Location"] == "/tenants/lumen-energy/"


@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"slug": "northwind"}, "slug", "is taken"),
        ({"slug": "new"}, "slug", "a word of the portal"),
        ({"slug": "", "name": "東京"}, "slug", "Use a to z"),
        ({"name": "Acme Robotics"}, "name", "already"),
        ({"name": ""}, "name", "required"),
        ({"name": "Acme\u200b Robotics"}, "name", "invisible"),
        ({"contact_email": "x"}, "contact_email", "valid email"),
        ({"keep_days": "0"}, "keep_days", "Choose a whole number from 1 to "),
        ({"attribute:tier": ""}, "attribute:tier", "required"),
        ({"attribute:tier": "lead"}, "attribute:tier", "not one of the available"),
        ({"attribute:rate_limit": "lots"}, "attribute:rate_limit", "whole number"),
    ],
)
def test_create_refused_stands_beside_its_field_and_keeps_what_was_typed(client, changes, field, sentence):
    answer = client.post("/tenants/new/", form(**changes))
    body = text(answer)
    assert (
        answer.status_code == 422
        and "Nothing was created" in body
        and "it@lumen.example" in body
        or "contact_email" in changes
    )
    assert re.search(rf'id="id_{field}-error"><p class="error">.*?{sentence}', body)
    assert Tenant.objects.count() == 2 and acts("tenant:create") == 2


# --- Details -----------------------------------------------------------------------------------------


def details(**changes):
    return {"generation": 1, "name": "Northwind", "contact": "", "contact_email": "", "keep_days": "14"} | changes


def test_details_are_saved_once(client, world):
    assert 'value="Northwind Logistics"' in text(client.get("/tenants/northwind/details/"))
    answer = client.post("/tenants/northwind/details/", details(), follow=True)
    tenant = Tenant.objects.get(slug="northwind")
    assert "The details are saved." in text(answer) and (tenant.name, tenant.keep_days) == ("Northwind", 14)
    again = client.post("/tenants/northwind/details/", details(), follow=True)
    assert "Nothing differs" not in text(again) and acts("tenant:change") == 1
    client.force_login(world.people["administrator"])  # who has not just saved the same
    assert "Nothing differs" in text(client.post("/tenants/northwind/details/", details(), follow=True))


def test_the_address_links_are_mailed_to_changes_only_after_a_confirmation(world):
    browser = Client()
    browser.force_login(world.people["operator"])
    asked = browser.post("/tenants/northwind/details/", details(contact_email="elsewhere@example.com"))
    assert "Confirm that it is you" in text(asked) and acts("tenant:change") == 0
    typed = details(contact_email="elsewhere@example.com", **{PASSWORD_FIELD: PASSWORD})
    browser.post("/tenants/northwind/details/", typed)
    assert Tenant.objects.get(slug="northwind").contact_email == "elsewhere@example.com"


def test_details_refused_keep_what_was_typed(client):
    answer = client.post("/tenants/northwind/details/", details(name="Acme Robotics", keep_days="9"))
    assert answer.status_code == 422 and 'value="9"' in text(answer) and "There is a tenant named" in text(answer)
    assert acts("tenant:change") == 0


def test_details_from_an_older_page_show_both_states(client):
    client.post("/tenants/northwind/details/", details())
    answer = client.post("/tenants/northwind/details/", details(name="Mine", keep_days="7"))
    differing = answer.context["differing"]
    told = [("Name", "—", "Northwind", "Mine"), ("Keep period (days)", "—", "14", "7")]
    assert answer.status_code == 409 and differing == told
    assert Tenant.objects.get(slug="northwind").name == "Northwind" and acts("tenant:change") == 1


# --- Values ------------------------------------------------------------------------------------------


def values(**changes):
    return {"generation": 1, "attribute:tier": "gold", "attribute:rate_limit": "90"} | changes


def test_values_are_reviewed_with_whom_they_touch_before_anything_is_saved(client, world):
    for n in range(12):
        world.create(name=f"client-{n:02d}")
    world.create(name="keeps-its-own", attributes={"rate_limit": "7"})

    body = text(client.post("/tenants/northwind/values/", values()))

    assert "The next token of 12 clients changes" in body and "and 2 more" in body and "keeps-its-own" not in body
    assert re.search(
        r'rate_limit</span></th>\s*<td><span class="mono">60</span></td>\s*<td><b class="mono">90</b>', body
    )
    assert "up to 60 minutes" in body and acts("tenant:set_values") == 0
    assert attributes.values_of(world.tenants["northwind"]) == {"tier": "gold"}


def test_values_saved_from_the_review_tell_how_far_publishing_is(client, world):
    app_client = world.create()
    review = text(client.post("/tenants/northwind/values/", values()))
    hidden = dict(re.findall(r'<input type="hidden" name="((?:attribute:|generation)[^"]*)" value="([^"]*)"', review))

    body = text(client.post("/tenants/northwind/values/", hidden | {"save": "1"}, follow=True))

    assert "1 document to publish" in body and "Published 0 of 1" in body and acts("tenant:set_values") == 1
    assert attributes.values_of(world.tenants["northwind"]) == {"tier": "gold", "rate_limit": 90}
    assert claims.publish_due() == 1 and "90" in str(world.document(app_client.client_id))
    assert "Published 0" not in text(client.get("/tenants/northwind/"))


def test_values_progress_tells_the_last_error(client, world):
    AppClient.objects.filter(pk=world.create().pk).update(document_version=9, publish_error="DynamoDB is away.")
    world.create(name="there")
    body = text(client.get("/tenants/northwind/"))
    assert "Published 1 of 2" in body and "DynamoDB is away." in body


def test_values_sent_twice_are_one_act(client, world):
    for _ in range(2):
        assert client.post("/tenants/northwind/values/", values(save="1")).status_code == 302
    assert acts("tenant:set_values") == 1


def test_values_that_do_not_differ_are_not_reviewed(client):
    answer = client.post("/tenants/northwind/values/", values(**{"attribute:rate_limit": ""}), follow=True)
    assert "Nothing differs" in text(answer) and acts("tenant:set_values") == 0


@pytest.mark.parametrize("step", [{}, {"save": "1"}])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"attribute:rate_limit": "lots"}, "whole number"), ({"attribute:tier": ""}, "This field is required")],
)
def test_values_refused_stand_beside_their_field(client, step, changes, sentence):
    answer = client.post("/tenants/northwind/values/", values(**changes, **step))
    assert answer.status_code == 422 and sentence in text(answer) and acts("tenant:set_values") == 0


@pytest.mark.parametrize("address", ["/tenants/northwind/values/", "/tenants/new/"])
def test_values_wrong_in_several_ways_are_all_named_at_once(client, address):
    answer = client.post(address, form(generation=1, **{"attribute:tier": "", "attribute:rate_limit": "lots"}))
    body = text(answer)
    assert answer.status_code == 422 and "This field is required" in body and "Enter a whole number" in body


def test_values_too_large_together_are_refused_with_the_client_named(client, world):
    admin = world.people["administrator"]
    for n in range(20):
        attributes.define_attribute(actor=admin, claim_name=f"note{n}", type="string")
    world.create(name="orders")
    long = {f"attribute:note{n}": "x" * 250 for n in range(20)}
    answer = client.post("/tenants/northwind/values/", values(**long))
    assert answer.status_code == 422 and "Client orders: The attributes need" in text(answer)


@pytest.mark.parametrize("step", [{}, {"save": "1"}])
def test_values_from_an_older_page_show_both_states(client, step):
    client.post("/tenants/northwind/values/", values(save="1"))
    answer = client.post("/tenants/northwind/values/", values(**{"attribute:rate_limit": "500"}, **step))
    assert answer.status_code == 409 and answer.context["differing"] == [("rate_limit", "—", "90", "500")]
    assert acts("tenant:set_values") == 1


@pytest.mark.parametrize("meanwhile", ["default", "created"])
def test_values_are_reviewed_again_when_they_would_touch_others(client, world, meanwhile):
    admin, address = world.people["administrator"], "/tenants/northwind/values/"
    world.create(name="one")
    review = form_of(client.post(address, values()), address, "save")
    if meanwhile == "default":  # from now on the new value is the default: nobody's token changes by it
        rate = AttributeDefinition.objects.get(claim_name="rate_limit")
        attributes.change_definition(rate, actor=admin, generation=1, default="90", is_overridable=True)
    else:
        world.create(name="two")

    again = client.post(address, review.data(save="1"))

    assert again.status_code == 409 and "touch other clients" in text(again) and acts("tenant:set_values") == 0
    assert again.context["effect"].count == {"default": 0, "created": 2}[meanwhile]
    assert client.post(address, form_of(again, address, "save").data(save="1")).status_code == 302
    assert acts("tenant:set_values") == 1


def test_values_go_back_from_the_review_as_typed(client):
    answer = client.post("/tenants/northwind/values/", values(edit="1"))
    assert answer.status_code == 200 and 'value="90"' in text(answer) and acts("tenant:set_values") == 0


# --- From elsewhere ----------------------------------------------------------------------------------


def test_tenant_stands_as_a_link_for_staff_and_as_text_for_members(client, world):
    app_client = world.create()
    for page in ("/clients/", f"/clients/{app_client.public_id}/"):
        assert 'href="/tenants/northwind/"' in text(client.get(page))
    client.force_login(world.people["manager"])
    for page in ("/clients/", f"/clients/{app_client.public_id}/"):
        body = text(client.get(page))
        assert "/tenants/" not in body and '/attributes/"' not in body.replace(f"{app_client.public_id}/attributes", "")


def test_navigation_leads_staff_to_tenants_and_attributes(client, world):
    body = text(client.get("/clients/"))
    assert 'href="/tenants/"' in body and 'href="/attributes/"' in body and "Token contents" in body
    client.force_login(world.people["developer"])
    body = text(client.get("/clients/"))
    assert 'href="/tenants/"' not in body and "Token contents" not in body


def test_created_twice_by_a_double_click_is_told_once(client):
    first, second = (client.post("/tenants/new/", form(name="Twice Ltd", slug="twice")) for _ in range(2))
    assert first.status_code == 302 and second["Location"] == first["Location"] == "/tenants/twice/"
    page = text(client.get("/tenants/twice/"))
    assert page.count("is created") == 1 and "Nothing was created" not in page
    assert Tenant.objects.filter(slug="twice").count() == 1
    assert AuditEntry.objects.filter(action="tenant:create", tenant__slug="twice").count() == 1


@pytest.mark.parametrize("slug", ["", "twice"])
def test_created_twice_without_a_slug_is_told_once_too(client, world, slug):
    first, second = (client.post("/tenants/new/", form(name="Twice Ltd", slug=slug)) for _ in range(2))
    assert first.status_code == 302 and second["Location"] == first["Location"]
    assert Tenant.objects.filter(name="Twice Ltd").count() == 1


def test_a_name_somebody_else_took_is_refused_beside_the_field(client, world):
    name = world.tenants["northwind"].name
    answer = client.post("/tenants/new/", form(name=name, slug="northwind"))
    assert answer.status_code == 422 and f"There is a tenant named {name} already" in text(answer)


def test_off_boarded_tenant_offers_no_change(client):
    Tenant.objects.filter(slug="northwind").update(status=TenantStatus.OFF_BOARDED)
    page = text(client.get("/tenants/northwind/"))
    assert "No clients any more" in page and "Change details" not in page and "Change values" not in page


def test_a_line_counts_clients_up_to_a_hundred(world):
    """However many there are, a list of tenants costs the same; the tenant's own page counts further."""
    northwind = world.tenants["northwind"]
    AppClient.objects.bulk_create(
        AppClient(pool=world.pool, tenant=northwind, name=f"c{n}", op_tag=f"t{n}", created_by=world.people["operator"])
        for n in range(101)
    )
    browser = Client()
    browser.force_login(world.people["operator"])
    assert ">100+</a>" in browser.get(reverse("tenant-list")).content.decode()
    AppClient.objects.filter(name="c100").delete()
    assert ">100</a>" in browser.get(reverse("tenant-list")).content.decode()
