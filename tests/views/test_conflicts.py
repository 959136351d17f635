"""Two people change one thing at once, on every form that can meet: one wins, the other sees what differs and loses
nothing of what was typed."""

import re

import pytest
from django.urls import reverse

from clients.models import AttributeDefinition, AuditEntry
from clients.models.ids import new_ulid
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
    ("client-settings", "client-lifetime", {"secret_lifetime": "90"}, {"secret_lifetime": "365"}, ("secret_lifetime", "365"), {}),
    ("client-scopes", "client-scopes", {"scopes": ["orders/read", "orders/write"]}, {"scopes": ["orders/write"]}, ("scopes", "orders/write"), {"save": "1"}),
    ("client-attributes", "client-attributes", {"attribute:rate_limit": "7"}, {"attribute:rate_limit": "8"}, ("attribute:rate_limit", "8"), {}),
    ("tenant-details", "tenant-details", {"keep_days": "7"}, {"keep_days": "9"}, ("keep_days", "9"), {}),
    ("tenant-values", "tenant-values", {"attribute:rate_limit": "7"}, {"attribute:rate_limit": "8"}, ("attribute:rate_limit", "8"), {"save": "1"}),
    ("attribute-change", "attribute-change", {"default": "7"}, {"default": "8"}, ("default", "8"), {"save": "1"}),
    ("server-change", "server-change", {"description:read": "Theirs"}, {"description:read": "Mine"}, ("description:read", "Mine"), {"save": "1"}),
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


@pytest.mark.parametrize("act", ["retire", "restore"])
def test_opening_a_stale_retirement_again_only_looks(signed_in, places, act):
    address = places("attribute-change") + f"{act}/"
    if act == "restore":
        signed_in.post(places("attribute-change") + "retire/", {"generation": 1})
    before = AttributeDefinition.objects.get(claim_name="rate_limit").retired_at
    lost = signed_in.post(address, {"generation": 999})
    assert lost.status_code == 409
    assert lost.context["differing"] == [("In use", "yes", "no") if act == "retire" else ("In use", "no", "yes")]
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
