"""Two people change one thing at once, on every form that can meet: one wins, the other sees what differs and loses
nothing of what was typed."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, AttributeDefinition, AuditEntry, ClientOverride, Operation, OperationState
from clients.models.ids import new_ulid
from clients.services.attributes import define_attribute, retire_definition, set_tenant_values
from clients.services.catalogue import create_resource_server
from tests.views.forms import form_of


def text(answer):
    return answer.content.decode()


@pytest.fixture
def signed_in(world, client):
    client.force_login(world.people["administrator"])
    return client


@pytest.fixture
def places(world):
    app_client = world.create(name="orders-sync")
    acted = {"actor": world.people["administrator"], "operation_id": new_ulid()}
    create_resource_server(world.pool, identifier="bills", name="Bills", scopes={"read": "Read bills"}, **acted)
    server = world.pool.resource_servers.get(identifier="bills")
    definition = AttributeDefinition.objects.get(claim_name="rate_limit")
    of = {
        "client": [app_client.public_id],
        "tenant": [app_client.tenant.slug],
        "server": [server.pk],
        "attribute": [definition.pk],
    }
    return lambda route: reverse(route, args=of[route.split("-")[0]])


# (page, where its form goes, what the first one changes, what the second one typed, how it stands in the form again,
#  what the second one sends to get through)
FORMS = [
    ("client-settings", "client-settings", {"notes": "Theirs"}, {"notes": "Mine &amp; only"}, ("notes", "Mine &amp; only"), {}),
    ("client-settings", "client-settings", {"secret_lifetime": "90"}, {"secret_lifetime": "365"}, ("secret_lifetime", "365"), {}),
    ("client-scopes", "client-scopes", {"scopes": ["orders/read", "orders/write"]}, {"scopes": ["orders/write"]}, ("scopes", "orders/write"), {"save": "1"}),
    ("client-attributes", "client-attributes", {"attribute:rate_limit": "7"}, {"attribute:rate_limit": "8"}, ("attribute:rate_limit", "8"), {}),
    ("tenant-details", "tenant-details", {"keep_days": "7"}, {"keep_days": "9"}, ("keep_days", "9"), {}),
    ("tenant-values", "tenant-values", {"attribute:rate_limit": "7"}, {"attribute:rate_limit": "8"}, ("attribute:rate_limit", "8"), {"save": "1"}),
    ("attribute-change", "attribute-change", {"default": "7"}, {"default": "8"}, ("default", "8"), {"save": "1"}),
    ("server-change", "server-change", {"description:read": "Theirs"}, {"description:read": "Mine"}, ("description:read", "Mine"), {"save": "1"}),
    ("tenant-policies", "tenant-policies", {"overlap_hours": "24"}, {"overlap_hours": "48"}, ("overlap_hours", "48"), {}),
    ("server-api", "server-api", {"api_kind": "rest", "api_url": "https://one.example/"}, {"api_kind": "rest", "api_url": "https://two.example/"}, ("api_url", "https://two.example/"), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "route", "first", "second", "stands", "through"), FORMS, ids=[row[1] for row in FORMS]
)
def test_who_comes_second_sees_what_differs_and_goes_on_with_what_was_typed(
    signed_in, places, page, route, first, second, stands, through
):
    address = places(route)
    opened = form_of(signed_in.get(places(page)), address)
    won = signed_in.post(address, opened.data(**first, **through))
    assert won.status_code == 302, text(won)

    lost = signed_in.post(address, opened.data(**second, **through, operation_id=new_ulid()))

    assert lost.status_code == 409
    told = [[cell.strip() for cell in row] for row in lost.context["differing"]]
    assert told, "a conflict says what differs"
    acts = AuditEntry.objects.count()
    carried = form_of(lost, address, "edit")
    again = signed_in.post(address, carried.data(edit="1"))
    assert again.status_code == 200 and AuditEntry.objects.count() == acts, "opening it again changes nothing"
    retyped = form_of(again, address)
    assert stands in retyped.fields
    done = signed_in.post(address, retyped.data(**through))
    assert done.status_code == 302 and AuditEntry.objects.count() > acts, text(done)


# (page, what the first one changes, what the second one typed elsewhere in the form, what the second one is told, the
#  words of the first one's act)
ELSEWHERE = [
    ("client-settings", {"notes": "Theirs"}, {"secret_lifetime": "365"}, ("Notes", "—", "Theirs"), "Change client"),
    ("client-scopes", {"scopes": ["orders/read", "orders/write"]}, {"scopes": ["orders/read", "shipments/read"]}, ("orders/write", "—", "held"), "Change client"),
    ("client-attributes", {"attribute:rate_limit": "7"}, {}, None, "Change attributes"),
    ("tenant-details", {"contact_email": "to@example.com"}, {"keep_days": "9"}, ("Customer email", "—", "to@example.com"), "Change tenant"),
    ("tenant-values", {"attribute:tier": "silver"}, {"attribute:rate_limit": "8"}, ("tier", "gold", "silver"), "Change a tenant’s values"),
    ("attribute-change", {"description": "Theirs"}, {"default": "8"}, ("Description", "—", "Theirs"), "Change attribute"),
    ("server-change", {"name": "Theirs"}, {"description:read": "Mine"}, ("Name", "Bills", "Theirs"), "Change resource server"),
    ("server-api", {"api_method": "PUT"}, {"example_call": "{ orders }"}, ("Method", "POST", "PUT"), "Change API of resource server"),
]  # fmt: skip


@pytest.mark.parametrize(("route", "first", "second", "told", "act"), ELSEWHERE, ids=[row[0] for row in ELSEWHERE])
def test_who_comes_second_is_told_who_was_faster_and_what_they_changed(
    world, signed_in, places, route, first, second, told, act
):
    address, saved = places(route), {"save": "1"}
    opened = form_of(signed_in.get(address), address)
    won = signed_in.post(address, opened.data(**first, **saved))
    assert won.status_code == 302, text(won)

    lost = signed_in.post(address, opened.data(**second, **saved, operation_id=new_ulid()))

    assert lost.status_code == 409 and f": {act}." in text(lost)
    assert lost.context["changed_by"].actor.role == "administrator"
    if told:
        assert lost.context["meanwhile"] == [told] and "What others changed" in text(lost)


# (page, where its form goes, what the first one changes, what the second one changes beside it, how both stand in the
#  form the second one opens again)
BESIDE = [
    ("client-settings", "client-settings", {"notes": "Theirs", "validity_minutes": "30"}, {"name": "orders-2"}),
    ("client-settings", "client-settings", {"secret_lifetime": "90"}, {"notes": "Mine"}),
    ("client-settings", "client-settings", {"notes": "Theirs"}, {"secret_lifetime": "365"}),
    ("client-scopes", "client-scopes", {"scopes": ["orders/read", "orders/write"]}, {"scopes": ["orders/read", "shipments/read"]}),
    ("client-attributes", "client-attributes", {"attribute:rate_limit": "7"}, {"attribute:channel": "mail"}),
    ("tenant-details", "tenant-details", {"keep_days": "45"}, {"name": "Renamed"}),
    ("tenant-values", "tenant-values", {"attribute:rate_limit": "7"}, {"attribute:tier": "silver"}),
    ("tenant-policies", "tenant-policies", {"overlap_hours": "24", "members_may_rotate": "on"}, {"lifetime_days": ""}),
    ("attribute-change", "attribute-change", {"default": "7", "is_overridable": None}, {"description": "Mine"}),
    ("server-change", "server-change", {"description:read": "Theirs"}, {"name": "Mine"}),
    ("server-api", "server-api", {"api_kind": "rest", "api_url": "https://one.example/", "reading:read": None}, {"api_method": "GET"}),
]  # fmt: skip


@pytest.mark.parametrize(("page", "route", "first", "second"), BESIDE, ids=[row[1] for row in BESIDE])
def test_who_comes_second_keeps_what_the_first_changed_beside_it(world, signed_in, places, page, route, first, second):
    """Only what the second one touched is told and carried; the rest is as it stands now."""
    define_attribute(actor=world.people["administrator"], claim_name="channel", type="string", is_overridable=True)
    address, through = places(route), {"save": "1"}
    opened = form_of(signed_in.get(places(page)), address)
    won = signed_in.post(address, opened.data(**first, **through))
    assert won.status_code == 302, text(won)
    left = form_of(signed_in.get(places(page)), address)

    lost = signed_in.post(address, opened.data(**second, **through, operation_id=new_ulid()))
    again = signed_in.post(address, form_of(lost, address, "edit").data(edit="1"))

    assert len(lost.context["differing"]) == len(second), lost.context["differing"]
    now = {name: texts for name, texts in form_of(again, address).data().items() if name not in CARRIED}
    wanted = {name: texts for name, texts in left.data().items() if name not in CARRIED} | as_sent(second)
    if route == "client-scopes":
        wanted["scopes"] = ["orders/read", "orders/write", "shipments/read"]
    assert now == wanted
    done = signed_in.post(address, form_of(again, address).data(**through))
    assert done.status_code == 302, text(done)


CARRIED = ("operation_id", "generation", "opened", "csrfmiddlewaretoken", "was")


def as_sent(changes):
    return {name: texts if isinstance(texts, list) else [texts] for name, texts in changes.items()}


def test_an_untouched_value_of_the_tenant_does_not_become_the_clients_own(world, signed_in, places):
    address = places("client-attributes")
    opened = form_of(signed_in.get(address), address)
    values = {"tier": "gold", "rate_limit": "611"}
    set_tenant_values(world.tenants["northwind"], actor=world.people["operator"], generation=1, values=values)
    assert signed_in.post(address, opened.data()).status_code == 302
    assert not ClientOverride.objects.exists()


@pytest.mark.parametrize("step", [{}, {"save": "1"}])
@pytest.mark.parametrize("beside", [{}, {"attribute:rate_limit": "7"}])
@pytest.mark.parametrize("route", ["tenant-values", "client-attributes"])
def test_a_value_of_an_attribute_retired_meanwhile_is_not_dropped_without_a_word(
    world, signed_in, places, route, beside, step
):
    admin = world.people["administrator"]
    level = define_attribute(actor=admin, claim_name="level", type="integer", is_overridable=True)
    values = {"tier": "gold", "level": "42"}
    set_tenant_values(world.tenants["northwind"], actor=admin, generation=1, values=values)
    address = places(route)
    opened = form_of(signed_in.get(address), address)
    retire_definition(level, actor=admin, generation=1)
    acts = AuditEntry.objects.count()

    lost = signed_in.post(address, opened.data(**beside, **step, **{"attribute:level": "8"}))

    assert lost.status_code == 409 and "level was retired since you opened the page" in text(lost)
    assert ("level", "42", "retired", "8") in lost.context["differing"] and AuditEntry.objects.count() == acts
    again = form_of(signed_in.post(address, form_of(lost, address, "edit").data(edit="1")), address)
    assert "attribute:level" not in again.names and beside.items() <= dict(again.fields).items()
    assert signed_in.post(address, again.data(save="1")).status_code == 302


def test_nothing_differs_is_said_however_short_ago_something_else_was_saved(world, signed_in, places):
    address = places("tenant-values")
    for rate, said in (("7", "The values are saved."), ("7", "Nothing differs")):
        opened = form_of(signed_in.get(address), address)
        page = signed_in.post(address, opened.data(save="1", **{"attribute:rate_limit": rate}), follow=True)
        assert said in text(page)


@pytest.mark.parametrize("route", ["client-settings", "client-scopes", "client-attributes"])
def test_another_change_under_way_is_no_difference(world, signed_in, places, route):
    """Nobody changed what the second one saw, so nothing differs: what is in the way is named instead."""
    typed = {
        "client-settings": {"notes": "Mine"},
        "client-scopes": {"scopes": ["orders/write"], "save": "1"},
        "client-attributes": {"attribute:rate_limit": "8"},
    }[route]
    address, app_client = places(route), AppClient.objects.get()
    opened = form_of(signed_in.get(address), address)
    Operation.objects.create(
        id=new_ulid(), kind="client:pause", target=f"client:{app_client.public_id}", app_client=app_client, step="none",
        actor=world.people["operator"], pool=world.pool, params_hash="", lease_until=timezone.now(),
    )  # fmt: skip

    told = signed_in.post(address, opened.data(**typed))

    body = text(told)
    assert told.status_code == 409 and "still under way" in body and "What you changed" not in body
    assert f'href="{reverse("operation-list")}">See what is under way' in body
    Operation.objects.filter(kind="client:pause").update(state=OperationState.DONE)
    again = form_of(signed_in.post(address, form_of(told, address, "edit").data(edit="1")), address)
    assert signed_in.post(address, again.data(**({"save": "1"} if "save" in typed else {}))).status_code == 302


@pytest.mark.parametrize("opened", ["", "{", "[]", '{"keep_days": "30"}', "[" * 20_000, '{"other": ["1"]}'])
def test_what_a_form_was_opened_with_is_not_trusted(signed_in, places, opened):
    address = places("tenant-details")
    form = form_of(signed_in.get(address), address)
    signed_in.post(address, form.data(keep_days="7"))
    lost = signed_in.post(address, form.data(keep_days="9", opened=opened))
    assert lost.status_code == 409
    again = signed_in.post(address, form_of(lost, address, "edit").data(edit="1"))
    assert again.status_code == 200


@pytest.mark.parametrize("act", ["retire", "restore"])
def test_opening_a_stale_retirement_again_only_looks(signed_in, places, act):
    address = places("attribute-change") + f"{act}/"
    if act == "restore":
        signed_in.post(places("attribute-change") + "retire/", {"generation": 1})
    before = AttributeDefinition.objects.get(claim_name="rate_limit").retired_at
    lost = signed_in.post(address, {"generation": 999})
    assert lost.status_code == 409
    told = ("In use", "yes", "yes", "no") if act == "retire" else ("In use", "no", "no", "yes")
    assert lost.context["differing"] == [told]
    again = signed_in.post(address, form_of(lost, address).data(edit="1"))
    assert again.status_code == 200
    assert AttributeDefinition.objects.get(claim_name="rate_limit").retired_at == before


@pytest.mark.parametrize(
    ("page", "route", "first", "second", "stands", "through"), FORMS, ids=[row[1] for row in FORMS]
)
def test_the_same_form_sent_twice_is_told_once(signed_in, places, page, route, first, second, stands, through):
    address = places(route)
    sent = form_of(signed_in.get(places(page)), address).data(**first, **through)
    before = AuditEntry.objects.count()
    signed_in.post(address, sent)
    acts = AuditEntry.objects.count()

    twice = signed_in.post(address, sent)

    assert acts > before and AuditEntry.objects.count() == acts
    assert twice.status_code == 302, text(twice)
    seen = text(signed_in.get(twice["Location"]))
    assert (
        len(re.findall(r'<div class="callout (?:ok|warn)?" role="status">', seen)) == 1
        and "Nothing differs" not in seen
    )
