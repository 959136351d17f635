"""Attribute definitions on pages: the list, defining, changing with a review, retiring and taking back."""

import html
import re

import pytest

from clients.models import AppClient, AttributeDefinition, AuditEntry
from clients.models.ids import new_ulid
from clients.services import attributes, claims
from tests.views.forms import form_of


@pytest.fixture(autouse=True)
def admin(world, client):
    client.force_login(world.people["administrator"])
    return world.people["administrator"]


def text(answer):
    return html.unescape(answer.content.decode())


def acts(action):
    return AuditEntry.objects.filter(action=action).count()


def named(claim_name):
    return AttributeDefinition.objects.get(claim_name=claim_name)


def path(claim_name, act=""):
    return f"/attributes/{named(claim_name).pk}/{act}"


def test_list_says_who_sets_and_who_differs(client, world):
    world.create(attributes={"rate_limit": "7"})
    answer = client.get("/attributes/")
    lines = {line["definition"].claim_name: (line["tenants"], line["clients"]) for line in answer.context["lines"]}
    assert lines == {"rate_limit": (0, 1), "tier": (2, 0)}
    assert "silver, gold" in text(answer) and "2 of 2" in text(answer)


def test_list_puts_the_retired_last(client, admin):
    attributes.retire_definition(named("rate_limit"), actor=admin, generation=1)
    answer = client.get("/attributes/")
    assert [line["definition"].claim_name for line in answer.context["lines"]] == ["tier", "rate_limit"]
    assert "Retired" in text(answer)


# --- Define ------------------------------------------------------------------------------------------


def form(**changes):
    return {"claim_name": "channel", "description": "", "type": "string", "choices": "", "default": ""} | changes


def test_define_with_a_default_is_reviewed_first(client, world):
    app_client = world.create(name="orders")
    review = text(client.post("/attributes/new/", form(default="api")))
    assert "The next token of 1 client changes" in review and "orders" in review and "not in the token" in review
    assert not AttributeDefinition.objects.filter(claim_name="channel").exists()

    body = text(client.post("/attributes/new/", form(default="api", save="1"), follow=True))

    assert "channel is defined." in body and "Published 0 of 1" in body
    assert claims.publish_due() == 1 and "channel" in str(world.document(app_client.client_id))


def test_define_without_a_default_is_saved_at_once(client):
    answer = client.post("/attributes/new/", form(type="choice", choices="eu\n us \n\n", is_overridable="on"))
    definition = named("channel")
    assert answer["Location"] == f"/attributes/{definition.pk}/"
    assert definition.choices == ["eu", "us"] and definition.is_overridable and acts("attribute:define") == 3


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"claim_name": "scope"}, "claim_name", "is reserved"),
        ({"claim_name": "tenant_id"}, "claim_name", "carries the tenant itself"),
        ({"claim_name": "tier"}, "claim_name", "already there"),
        ({"claim_name": ""}, "claim_name", "required"),
        ({"type": "integer", "default": "many"}, "default", "whole number"),
        ({"type": "choice"}, "choices", "at least one choice"),
        ({"is_required": "on"}, "is_required", "Northwind Logistics"),
    ],
)
def test_define_refused_stands_beside_its_field(client, changes, field, sentence):
    answer = client.post("/attributes/new/", form(description="kept", **changes))
    body = text(answer)
    assert answer.status_code == 422 and "Nothing was defined" in body and 'value="kept"' in body
    assert re.search(rf'id="id_{field}-error">.*?{sentence}', body)
    assert AttributeDefinition.objects.count() == 2


def test_define_takes_a_choice_that_stands_twice_once(client):
    assert client.post("/attributes/new/", form(type="choice", choices="eu\nus\neu")).status_code == 302
    assert named("channel").choices == ["eu", "us"]


def test_define_goes_back_from_the_review_as_typed(client):
    answer = client.post("/attributes/new/", form(default="api", edit="1"))
    assert answer.status_code == 200 and 'value="api"' in text(answer) and acts("attribute:define") == 2


# --- Change ------------------------------------------------------------------------------------------


def change(**changes):
    return {"generation": 1, "description": "", "default": "60", "is_overridable": "on"} | changes


def test_change_is_reviewed_then_saved_and_published(client, world):
    app_client = world.create(name="orders")
    body = text(client.post(path("rate_limit"), change(default="90")))
    assert '<td class="soft">60</td><td>90</td>' in body and "orders" in body and "up to 60 minutes" in body
    assert acts("attribute:change") == 0
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', body))
    assert "is_required" not in hidden and hidden["is_overridable"] == "on"

    body = text(client.post(path("rate_limit"), change(default="90", save="1"), follow=True))

    assert "rate_limit is changed. 1 document to publish." in body and "Published 0 of 1" in body
    claims.publish_due()
    assert '"rate_limit":90' in str(world.document(app_client.client_id)) and acts("attribute:change") == 1


def test_change_that_does_not_differ_is_no_act(client):
    for step in ({}, {"save": "1"}):
        answer = client.post(path("rate_limit"), change(**step), follow=True)
        assert "Nothing differs" in text(answer) and acts("attribute:change") == 0


def test_change_of_words_alone_touches_no_token(client, world):
    world.create()
    body = text(client.post(path("rate_limit"), change(description="Calls per minute")))
    assert "No client’s token changes." in body
    body = text(client.post(path("rate_limit"), change(description="Calls per minute", save="1"), follow=True))
    assert "No client’s token changes." in body and named("rate_limit").description == "Calls per minute"


@pytest.mark.parametrize("step", [{}, {"save": "1"}])
@pytest.mark.parametrize(
    ("claim_name", "changes", "field", "sentence"),
    [
        ("rate_limit", {"default": "lots"}, "default", "whole number"),
        ("rate_limit", {"default": "", "is_required": "on"}, "is_required", "Northwind Logistics"),
        ("rate_limit", {"is_overridable": ""}, "is_overridable", "own-rate"),
        ("tier", {"choices": "gold", "default": ""}, "choices", "silver is used by Acme Robotics"),
    ],
)
def test_change_refused_stands_beside_its_field(client, world, step, claim_name, changes, field, sentence):
    world.create(name="own-rate", attributes={"rate_limit": "7"})
    sent = {name: value for name, value in change(**changes, **step).items() if value or name != "is_overridable"}
    answer = client.post(path(claim_name), sent)
    assert answer.status_code == 422 and re.search(rf'id="id_{field}-error">.*?{sentence}', text(answer))
    assert acts("attribute:change") == 0 and named(claim_name).generation == 1


@pytest.mark.parametrize("step", [{}, {"save": "1"}])
def test_change_from_an_older_page_shows_both_states(client, step):
    client.post(path("rate_limit"), change(default="90", save="1"))
    answer = client.post(path("rate_limit"), change(default="500", **step))
    assert answer.status_code == 409 and answer.context["differing"] == [("Default", "—", "90", "500")]
    assert named("rate_limit").default == 90 and acts("attribute:change") == 1


def test_change_page_reads_only_for_an_operator(client, world):
    client.force_login(world.people["operator"])
    body = text(client.get(path("tier")))
    assert "Review changes" not in body and "Retire" not in body and "silver, gold" in body and "Acme Robotics" in body


# --- Retire and take back ------------------------------------------------------------------------------


def test_retire_says_for_whom_then_takes_the_claim_out_and_back(client, world):
    app_client = world.create(name="orders")
    body = text(client.get(path("tier", "retire/")))
    assert "orders" in body and "gold" in body and acts("attribute:retire") == 0

    body = text(client.post(path("tier", "retire/"), {"generation": 1}, follow=True))
    assert "tier is retired. 1 document to publish." in body and acts("attribute:retire") == 1
    claims.publish_due()
    assert "tier" not in world.document(app_client.client_id)["claims"]["S"]

    assert "Take back" in text(client.get(path("tier", "restore/")))
    body = text(client.post(path("tier", "restore/"), {"generation": 2}, follow=True))
    assert "tier is in use again." in body and acts("attribute:restore") == 1


def test_what_a_refusal_advises_can_be_done(client, admin, world):
    """Values of an attribute that is retired, or not there yet, have no form: it comes without being required first."""
    attributes.retire_definition(named("tier"), actor=admin, generation=1)
    world.tenants["northwind"].values.all().delete()
    refusal = text(client.get(path("tier", "restore/")))
    assert "leave Required off, set the values, then require it" in refusal
    tier = {"description": "", "choices": "silver\ngold", "default": "", "generation": 2}
    assert client.post(path("tier"), tier | {"save": "1"}).status_code == 302
    assert client.post(path("tier", "restore/"), {"generation": 3}).status_code == 302
    sent = {"generation": 1, "attribute:tier": "gold", "attribute:rate_limit": "", "save": "1"}
    assert client.post("/tenants/northwind/values/", sent).status_code == 302
    assert client.post(path("tier"), tier | {"generation": 4, "is_required": "on", "save": "1"}).status_code == 302
    assert named("tier").is_required and not named("tier").retired_at


def test_retire_twice_is_one_act(client):
    for _ in range(2):
        assert client.post(path("tier", "retire/"), {"generation": 1}).status_code == 302
    assert acts("attribute:retire") == 1


@pytest.mark.parametrize("generation", ["9", "", "x", "²"])
def test_retire_from_an_older_page_is_refused(client, generation):
    answer = client.post(path("tier", "retire/"), {"generation": generation})
    assert answer.status_code == 409 and named("tier").retired_at is None and acts("attribute:retire") == 0


def test_taking_back_refused_names_the_tenants_that_lack_a_value(client, admin, world):
    attributes.retire_definition(named("tier"), actor=admin, generation=1)
    world.tenants["northwind"].values.all().delete()
    for answer in (client.get(path("tier", "restore/")), client.post(path("tier", "restore/"), {"generation": 2})):
        assert answer.status_code == 422 and "Northwind Logistics" in text(answer)
    assert named("tier").retired_at and acts("attribute:restore") == 0


# --- Reviewed, then somebody else touched other clients ------------------------------------------------


def reviewed(page):
    return form_of(page, page.request["PATH_INFO"], "save" if b'name="save"' in page.content else "")


@pytest.mark.parametrize("meanwhile", ["cleared", "created", "own", "none"])
def test_change_saves_what_the_review_named_or_reviews_it_again(client, world, admin, meanwhile):
    northwind, operator = world.tenants["northwind"], world.people["operator"]
    given = {"tier": "gold", "rate_limit": "5"}
    attributes.set_tenant_values(northwind, actor=operator, generation=1, values=given)
    world.create(name="given")
    row = world.create(name="follows", tenant=world.tenants["acme-robotics"])
    claims.publish_due()
    review = client.post(path("rate_limit"), change(default="90"))
    if meanwhile == "cleared":
        attributes.set_tenant_values(northwind, actor=operator, generation=2, values={"tier": "gold"})
    if meanwhile == "created":
        world.create(name="late", tenant=world.tenants["acme-robotics"])
    if meanwhile == "own":
        said = {"actor": operator, "operation_id": new_ulid(), "generation": row.generation}
        attributes.change_attributes(row, values={"rate_limit": "9"}, **said)
    claims.publish_due()

    answer = client.post(path("rate_limit"), reviewed(review).data(save="1"))

    if meanwhile == "none":
        assert answer.status_code == 302 and named("rate_limit").default == 90
        return
    assert answer.status_code == 409 and "touch other clients" in text(answer) and named("rate_limit").default == 60
    assert acts("attribute:change") == 0 and not AppClient.objects.unpublished().exists()
    count = {"cleared": 2, "created": 2, "own": 0}[meanwhile]
    assert answer.context["effect"].count == count
    assert client.post(path("rate_limit"), reviewed(answer).data(save="1")).status_code == 302
    assert named("rate_limit").default == 90 and AppClient.objects.unpublished().count() == count


def test_define_reviews_again_when_a_client_came_meanwhile(client, world):
    review = client.post("/attributes/new/", form(default="api", description="D"))
    assert review.status_code == 302  # nobody to review it for
    world.create(name="one")
    review = client.post("/attributes/new/", form(claim_name="region", default="eu"))
    world.create(name="two")
    again = client.post("/attributes/new/", reviewed(review).data(save="1"))
    assert again.status_code == 409 and again.context["effect"].count == 2
    assert client.post("/attributes/new/", reviewed(again).data(save="1")).status_code == 302 and named("region")


@pytest.mark.parametrize(("act", "generation"), [("retire", 1), ("restore", 2)])
def test_retire_and_take_back_review_again_when_other_clients_carry_it(client, world, admin, act, generation):
    world.create(name="one")
    if act == "restore":
        attributes.retire_definition(named("tier"), actor=admin, generation=1)
    review = client.get(path("tier", f"{act}/"))
    world.create(name="two")
    again = client.post(path("tier", f"{act}/"), reviewed(review).data())
    assert again.status_code == 409 and again.context["effect"].count == 2 and acts(f"attribute:{act}") == 0
    assert client.post(path("tier", f"{act}/"), reviewed(again).data()).status_code == 302
    assert acts(f"attribute:{act}") == 1
