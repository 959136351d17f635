"""The clients list and creating a client."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from clients.models import AppClient, Scope, Status
from clients.models.ids import new_ulid
from clients.views import listing
from tests.views.forms import form_of


def names(answer):
    return [row.name for row in answer.context["page"]]


def test_list_puts_what_needs_attention_first(client, operator, make):
    make("quiet")
    make("expiring", days=3)
    make("undelivered", delivered=False)
    make("out-of-sync", drift=["scopes"])
    make("unpublished", document_version=2)
    make("creating", status=Status.CREATING)
    make("all-of-it", status=Status.CREATING, document_version=2, drift=["scopes"], delivered=False, days=3)
    make("endless", expires_at=None)
    make("newest")

    answer = client.get("/clients/")

    wanted = ["all-of-it", "creating", "expiring", "unpublished", "out-of-sync", "undelivered"]
    assert names(answer) == [*wanted, "newest", "endless", "quiet"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=beta", ["beta"]),
        ("q=zZ9y", ["beta"]),
        ("q=orders/read", ["alpha"]),
        ("status=creating", ["gamma"]),
        ("tenant=acme-robotics", ["beta"]),
        ("expiring=on", ["alpha"]),
        ("undelivered=on", ["beta"]),
        ("scope=orders/read", ["alpha"]),
        ("pool=prod&q=alpha", ["alpha"]),
        ("q=nothing-like-it", []),
    ],
)
def test_list_filters_by_the_address(client, operator, make, query, found):
    make("alpha", days=2).scopes.set([Scope.objects.get(full_name="orders/read")])
    make("beta", tenant="acme-robotics", delivered=False, ending="zZ9y")
    make("gamma", status=Status.CREATING)

    assert names(client.get(f"/clients/?{query}")) == found


def test_list_says_how_many_scopes_and_names_the_first_two(client, operator, make):
    held = list(Scope.objects.order_by("full_name")[:3])
    make("three").scopes.set(held)
    make("none")
    page = " ".join(strip_tags(client.get("/clients/").content.decode()).split())
    assert f"3 scopes: {held[0].full_name} {held[1].full_name} " in page and page.count("scopes:") == 1


def test_list_says_that_an_ended_secret_still_works(client, operator, make):
    make("ended", days=-1), make("ending", days=2)
    ended, ending = client.get("/clients/").content.decode().split("<tbody")[1].split("</tr>")[:2]
    assert "still works in Cognito until removed" in ended and "still works" not in ending


def test_list_pages_by_key_without_gap_or_repetition(client, operator, make, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 3)
    needs = [{}, {"delivered": False}, {"drift": ["scopes"]}, {"days": 3}, {"status": Status.CREATING}]
    expected = {make(f"client-{n}", **needs[n % 5]).name for n in range(13)}
    seen, after = [], ""
    while True:
        answer = client.get("/clients/", {"after": after} if after else {})
        seen += names(answer)
        after = answer.context["following"]
        if not after:
            break
    assert len(seen) == 13 and set(seen) == expected


def test_list_links_keep_the_filter(client, operator, make, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 1)
    make("one"), make("two")

    body = client.get("/clients/?tenant=northwind").content.decode()

    link = body.split('">Next<')[0].rsplit('href="', 1)[1].replace("&amp;", "&")
    assert parse_qs(urlsplit(link).query)["tenant"] == ["northwind"]


def test_list_costs_the_same_for_ten_and_sixty_clients(client, operator, make, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 100)
    for n in range(10):
        make(f"a{n}")
    client.get("/clients/")
    with CaptureQueriesContext(connection) as few:
        client.get("/clients/")
    for n in range(50):
        make(f"b{n}")
    with CaptureQueriesContext(connection) as many:
        client.get("/clients/")
    assert len(few) == len(many)


@pytest.mark.parametrize("after", ["x", "9-", "²-A", "99-ZZ", "9-\x00"])
def test_list_survives_a_broken_key(client, operator, make, after):
    make("one")
    assert client.get("/clients/", {"after": after}).status_code == 200


@pytest.mark.asvs("8.2.2")
def test_list_shows_members_their_tenant_only(client, world, make):
    make("theirs"), make("foreign", tenant="acme-robotics")
    client.force_login(world.people["developer"])
    assert names(client.get("/clients/")) == ["theirs"]


@pytest.mark.asvs("1.2.1")
def test_hostile_names_stand_as_text(client, operator, make):
    evil = "<script>alert(1)</script>\" onmouseover='x'"
    app_client = make(evil)
    for page in ("/clients/", f"/clients/{app_client.public_id}/", f"/clients/{app_client.public_id}/settings/"):
        body = client.get(page).content.decode()
        assert "<script>alert" not in body and "&lt;script&gt;alert" in body, page


# --- Create ----------------------------------------------------------------------------------------


def form(**changes):
    return {
        "operation_id": new_ulid(), "tenant": "northwind", "pool": "prod", "name": "northwind-api-prod",
        "scopes": ["orders/read"], "secret_lifetime": "180", "no_expiry_reason": "", "attribute:rate_limit": "60",
        "validity_minutes": "60",
    } | changes  # fmt: skip


def test_create_makes_the_client_in_cognito(client, world, operator):
    answer = client.post("/clients/new/", form(**{"attribute:rate_limit": "120"}))

    app_client = AppClient.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"/clients/{app_client.public_id}/"
    assert app_client.status == Status.ACTIVE and len(world.remote_clients()) == 1
    assert list(app_client.overrides.values_list("value", flat=True)) == [120]


def test_create_keeps_a_value_equal_to_the_tenants_as_no_override(client, world, operator):
    client.post("/clients/new/", form())
    assert not AppClient.objects.get().overrides.exists()


def test_create_twice_from_one_form_is_one_client(client, world, operator):
    sent = form()
    first, second = client.post("/clients/new/", sent), client.post("/clients/new/", sent)
    assert first["Location"] == second["Location"] and len(world.remote_clients()) == 1


@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "bad/name"}, "Cognito does not accept"),
        ({"scopes": []}, "Choose at least one scope"),
        ({"secret_lifetime": "none"}, "needs a reason"),
        ({"attribute:rate_limit": "lots"}, "Enter a whole number"),
        ({"name": ""}, "This field is required"),
        ({"validity_minutes": "4"}, "Choose a whole number from 5 to 1,440."),
        ({"validity_minutes": "1441"}, "Choose a whole number from 5 to 1,440."),
    ],
)
def test_create_refused_says_why_and_keeps_what_was_typed(client, world, operator, changes, sentence):
    answer = client.post("/clients/new/", form(contact=str(operator.pk), **changes))

    body = answer.content.decode()
    assert answer.status_code == 422 and sentence in body
    assert "Nothing was created" in body and not AppClient.objects.exists() and not world.remote_clients()
    if "attribute:rate_limit" in changes:
        assert 'value="lots"' in body


def test_create_refused_for_a_reason_of_no_field_keeps_all_and_can_be_sent_again(client, world, operator):
    sent = form()
    client.post("/clients/new/", sent)

    answer = client.post("/clients/new/", sent | {"name": "another-one", "attribute:rate_limit": "77"})

    again = form_of(answer, "/clients/new/")
    assert answer.status_code == 409 and "This form was already used for another change" in answer.content.decode()
    assert AppClient.objects.count() == 1 and again.data()["operation_id"] != [sent["operation_id"]]
    kept = {name: again.data()[name] for name in ("name", "attribute:rate_limit", "scopes")}
    assert kept == {"name": ["another-one"], "attribute:rate_limit": ["77"], "scopes": ["orders/read"]}
    client.post("/clients/new/", again.data())
    assert AppClient.objects.filter(name="another-one", status=Status.ACTIVE).exists()


def test_create_page_has_one_tenant_only_the_one_the_client_will_be_of(client, world, operator):
    """A menu of tenants beside the form could show another one than the form is about."""
    first, draft = (
        client.get(address).content.decode() for address in ("/clients/new/", "/clients/new/?tenant=northwind")
    )
    assert first.count('name="tenant"') == 1 and "<select" in first
    assert re.findall(r'<[a-z]+[^>]*name="tenant"[^>]*>', draft) == [
        '<input type="hidden" name="tenant" value="northwind">'
    ]
    assert '<a href="/clients/new/">Choose another tenant</a>: that begins the form anew.' in draft


@pytest.mark.parametrize("status", ["paused", "off_boarded"])
def test_create_for_a_tenant_that_gets_none_is_refused_with_the_reason(client, world, operator, status):
    tenant = world.tenants["northwind"]
    sent = form(name="typed-already")
    tenant.status = status
    tenant.save()
    reason = f"{tenant} is {tenant.get_status_display().lower()}: it gets no new clients."

    chosen, answer = client.get("/clients/new/?tenant=northwind"), client.post("/clients/new/", sent)

    assert "draft" not in chosen.context and reason in html.unescape(chosen.content.decode())
    body = html.unescape(answer.content.decode())
    assert answer.status_code == 422 and reason in body and "typed-already" in body
    assert not AppClient.objects.exists()


def test_create_preview_writes_nothing(client, world, operator):
    answer = client.post("/clients/new/", form(preview="1", **{"attribute:rate_limit": "77"}))
    body = answer.content.decode()
    assert answer.status_code == 200 and "was 60" in body and not AppClient.objects.exists()


def test_create_sets_the_validity_chosen_on_the_page(client, world, operator):
    assert 'name="validity_minutes"' in client.get("/clients/new/?tenant=northwind").content.decode()

    client.post("/clients/new/", form(validity_minutes="15"))

    app_client = AppClient.objects.get()
    assert app_client.access_token_seconds == 900
    assert world.describe(app_client.client_id)["AccessTokenValidity"] == 900


def test_create_validity_refused_stands_beside_its_field(client, world, operator):
    body = client.post("/clients/new/", form(validity_minutes="4")).content.decode()
    assert re.search(r'name="validity_minutes" aria-describedby="[^"]*id_validity_minutes-error"', body)
    assert re.search(r'id="id_validity_minutes-error"><p class="error">.*?Choose a whole number from 5', body)


@pytest.mark.parametrize(("typed", "ends"), [("15", "issued + 15 min"), ("1440", "issued + 1440 min"),
                                             ("4", "not known"), ("soon", "not known")])  # fmt: skip
def test_create_preview_ends_when_the_token_would(client, world, operator, typed, ends):
    body = client.post("/clients/new/", form(preview="1", validity_minutes=typed)).content.decode()
    assert f'"exp": <span class="soft">{ends}</span>' in body


@pytest.mark.parametrize(
    ("template", "ticked"), [("read", {"orders/read", "shipments/read", "shipments/track"}), ("full", None)]
)
def test_a_template_of_scopes_keeps_everything_typed(client, world, operator, template, ticked):
    sent = form(name="kept-as-typed", validity_minutes="45") | {"template": template, "attribute:rate_limit": "99"}
    answer = client.post("/clients/new/", sent)
    body, every = answer.content.decode(), set(Scope.objects.values_list("full_name", flat=True))
    assert answer.status_code == 200 and not AppClient.objects.exists() and "Nothing was created" not in body
    for kept in ('value="kept-as-typed"', 'value="45"', 'name="attribute:rate_limit" value="99"'):
        assert kept in body, kept
    assert set(answer.context["draft"].scopes) == (ticked or every)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scopes": []}, "Choose a scope: without one every token request fails."),
        ({"validity_minutes": "1"}, "Token validity: "),
        ({"attribute:rate_limit": "abc"}, "whole number"),
    ],
)
def test_a_preview_that_no_token_could_be_says_why_in_its_panel(client, operator, changes, said):
    answer = client.post("/clients/new/", form() | {"preview": "1"} | changes)
    panel = answer.content.decode().split('id="preview"')[1]
    ends = "not known" if "validity_minutes" in changes else "issued + 60 min"
    assert said in panel and "Not complete" in panel and ends in panel
    whole = client.post("/clients/new/", form() | {"preview": "1"}).content.decode().split('id="preview"')[1]
    assert "Valid" in whole and 'class="error"' not in whole


def test_create_throttled_tells_what_remains(client, world, operator):
    world.sandbox.fault("CreateUserPoolClient", "throttle", times=20)

    answer = client.post("/clients/new/", form(), follow=True)

    body = answer.content.decode()
    assert "What remains" in body and "Create client is not finished" in body
    assert AppClient.objects.get().status == Status.CREATING and "Show credentials" not in body
