"""Finding a client from any clue, and the filters of the list."""

import html
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients.forms import url_filter
from clients.models import AttributeDefinition, ClientOverride, Scope, Secret, SecretState, Status, Tenant, TenantValue
from clients.models.tenants import AS_WRITTEN
from clients.services import attributes, catalogue, pools
from clients.views import listing
from tests.support import make_remote_pool


def names(answer):
    return {row.name for row in answer.context["page"]}


@pytest.fixture
def company(world, make):
    """One client for each clue: no name says what is searched for."""
    admin = world.people["administrator"]
    attributes.define_attribute(actor=admin, claim_name="markets", type="strings")
    attributes.define_attribute(actor=admin, claim_name="is_pilot", type="boolean")
    one, two, three = make("one", ending="zZ9y"), make("two", tenant="acme-robotics"), make("three")
    one.scopes.set([Scope.objects.get(full_name="orders/read")])
    two.scopes.set([Scope.objects.get(full_name="shipments/track")])
    _override(three, "rate_limit", 777), _override(three, "markets", ["Köln", "Lyon"]), _override(one, "is_pilot", True)
    return {"one": one, "two": two, "three": three}


def _override(app_client, claim_name, value):
    definition = AttributeDefinition.objects.get(claim_name=claim_name)
    ClientOverride.objects.create(app_client=app_client, definition=definition, value=value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("thr", {"three"}),
        ("THREE", {"three"}),
        ("acme rob", {"two"}),
        ("acme-rob", {"two"}),
        ("silver", {"two"}),  # a value of the tenant
        ("Gold", {"one", "three"}),
        ("gol", set()),
        ("777", {"three"}),  # a number of the client's own
        ("Köln", {"three"}),  # one of a list
        ("lyon", {"three"}),
        ("true", {"one"}),
        ("Yes", {"one"}),  # as the pages say it
        ("Köln, Lyon", {"three"}),  # and the whole list
        ("zZ9y", {"one"}),
        ("…zZ9y", {"one"}),
        ("ZZ9Y", {"one"}),  # an ending read off a photograph, in any letters
        ("orders/read", {"one"}),
        ("Orders/Re", {"one"}),
        ("track", {"two"}),  # a scope without its resource server
        ("shipments", {"two"}),  # a resource server
        ("trac", set()),
        ("60", {"one", "two"}),  # a default: of whoever has no value of their own
        ("shipments/", {"two"}),
        ("  two ", {"two"}),
        ("100%", set()),
        ('"', set()),
        ("\x00", set()),  # no database can be asked for it: nothing has it
    ],
)
def test_search_finds_from_each_clue(client, operator, company, text, found):
    assert names(client.get("/clients/", {"q": text})) == found


def test_search_finds_a_value_where_it_counts(client, operator, company):
    """Not where the client has another one than its tenant, nor once the attribute is retired."""
    AttributeDefinition.objects.filter(claim_name="tier").update(is_overridable=True)
    _override(company["one"], "tier", "platinum")
    assert names(client.get("/clients/?q=gold")) == {"three"} and names(client.get("/clients/?q=platinum")) == {"one"}

    AttributeDefinition.objects.filter(claim_name="tier").update(retired_at=timezone.now())
    assert names(client.get("/clients/?q=gold")) == names(client.get("/clients/?q=platinum")) == set()


def test_search_finds_by_the_beginning_of_a_client_id(client, operator, company):
    assert names(client.get("/clients/", {"q": company["two"].client_id[:-1]})) == {"two"}


def test_search_for_a_whole_client_id_goes_to_its_page(client, operator, company):
    answer = client.get("/clients/", {"q": f" {company['two'].client_id} "})
    assert answer.status_code == 302 and answer["Location"] == f"/clients/{company['two'].public_id}/"


def test_search_takes_a_client_id_in_any_letters_on_any_database(client, operator, company, make):
    one, odd = company["two"], make("odd", client_id="MixedAsNoneOfCognitos")
    assert names(client.get("/clients/", {"q": one.client_id[:-1].upper()})) == {"two"}
    assert client.get("/clients/", {"q": one.client_id.upper()})["Location"] == f"/clients/{one.public_id}/"
    assert client.get("/clients/", {"q": odd.client_id})["Location"] == f"/clients/{odd.public_id}/"
    assert names(client.get("/clients/", {"q": odd.client_id[:-1]})) == {"odd"}


def test_search_for_a_whole_client_id_beside_a_filter_stays_a_list(client, operator, company):
    answer = client.get("/clients/", {"q": company["two"].client_id, "status": "active"})
    assert names(answer) == {"two"}


def test_search_finds_a_deleted_client_by_its_whole_id_only(client, operator, make):
    gone = make("gone", status=Status.DELETED)
    assert client.get("/clients/", {"q": gone.client_id})["Location"] == f"/clients/{gone.public_id}/"
    assert names(client.get("/clients/", {"q": "gone"})) == set()


@pytest.mark.parametrize("clue", ["two", "acme", "silver", "shipments/track", "id0", "zZ9y"])
def test_search_shows_members_nothing_of_others(client, world, make, company, clue):
    Secret.objects.filter(app_client=company["two"]).update(ending="zZ9y")
    Secret.objects.filter(app_client=company["one"]).update(ending="aaaa")
    client.force_login(world.people["manager"])
    assert "two" not in names(client.get("/clients/", {"q": clue}))
    whole = client.get("/clients/", {"q": company["two"].client_id})
    assert whole.status_code == 200 and names(whole) == set()


# --- Filters ---------------------------------------------------------------------------------------


@pytest.fixture
def used(make):
    def row(name, days):
        return make(name, last_token_at=timezone.now() - timedelta(days=days))

    return row


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("never_used=on", {"fresh", "unsynced", "doubled", "waiting"}),
        ("idle=on", {"idle"}),
        ("two_secrets=on", {"doubled"}),
        ("out_of_sync=on", {"unsynced"}),
        ("attention=on", {"unsynced", "waiting", "being-made"}),
        ("undelivered=on", {"waiting"}),
        ("server=shipments", {"busy"}),
        ("tenant=northwind", {"fresh", "idle", "busy", "unsynced", "doubled", "waiting", "being-made"}),
        ("never_used=on&two_secrets=on", {"doubled"}),
    ],
)
def test_list_filters(client, operator, make, used, query, found):
    make("fresh"), used("idle", 91), make("unsynced", drift=["name"]), make("waiting", delivered=False)
    make("being-made", status=Status.CREATING)
    used("busy", 89).scopes.set([Scope.objects.get(full_name="shipments/read")])
    doubled = make("doubled")
    for state in (SecretState.RETIRING, SecretState.RETIRED):
        Secret.objects.create(app_client=doubled, state=state, created_by=operator, delivered_at=timezone.now())
    Secret.objects.create(app_client=make("deleted", status=Status.DELETED), state="current", created_by=operator)
    assert names(client.get(f"/clients/?{query}")) == found


def test_list_with_the_same_scope_in_two_pools_filters_by_its_name(client, operator, world, make):

    admin = world.people["administrator"]
    _, pool_id, claims, usage = make_remote_pool(world.sandbox)
    second = pools.connect_pool(
        actor=admin,
        environment="stag",
        region="eu-west-1",
        user_pool_id=pool_id,
        claims_table=claims,
        usage_table=usage,
    )
    catalogue.adopt_resource_server(second, actor=admin, identifier="orders")
    make("here").scopes.set(Scope.objects.filter(full_name="orders/read", resource_server__pool=world.pool))
    make("there", pool=second).scopes.set(Scope.objects.filter(full_name="orders/read", resource_server__pool=second))

    assert names(client.get("/clients/?scope=orders/read")) == {"here", "there"}
    assert names(client.get("/clients/?server=orders&pool=stag")) == {"there"}


def test_list_lets_type_a_tenant_where_there_are_too_many_to_choose(client, operator, make, monkeypatch):
    make("ours"), make("theirs", tenant="acme-robotics")
    assert '<select class="select " name="tenant"' in client.get("/clients/").content.decode()
    monkeypatch.setattr(url_filter, "LONGEST_CHOICE", 1)
    body = client.get("/clients/").content.decode()
    assert '<select class="select " name="tenant"' not in body and 'name="tenant"' in body
    for typed in ("acme-robotics", "acme robotics"):
        assert names(client.get("/clients/", {"tenant": typed})) == {"theirs"}
    assert names(client.get("/clients/", {"contact": operator.email})) == set()


def test_list_filter_that_leaves_many_finds_what_one_that_leaves_few_does(client, operator, make, monkeypatch):
    for n in range(6):
        make(f"found-{n}", delivered=n % 2 == 0)
    few = [row.name for row in client.get("/clients/?q=found").context["page"]]
    monkeypatch.setattr(listing, "FEW", 2)
    assert [row.name for row in client.get("/clients/?q=found").context["page"]] == few


@pytest.mark.parametrize("query", ["q=c", "q=gold", "never_used=on", "attention=on"])
def test_list_filtered_costs_the_same_for_five_and_sixty(client, operator, make, monkeypatch, query):
    monkeypatch.setattr(listing, "PAGE", 100)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/clients/?{query}")
        return len(captured)

    for n in range(5):
        make(f"c{n}", delivered=False)
    client.get("/clients/")
    few = queries()
    for n in range(55):
        make(f"d{n}", delivered=False)
    assert queries() == few


def test_search_of_values_is_answered_by_an_index(world):
    """The rows of whole values; only lists are read through."""
    northwind = Tenant.objects.get(slug="northwind")
    assert TenantValue.objects.holding("GOLD").get().tenant == northwind
    plan = TenantValue.objects.annotate(written=AS_WRITTEN).filter(written="X").explain()
    if connection.vendor == "sqlite":
        assert "tenant_value_written" in plan


def chips(client, query):
    """(words, where the link leads) of each."""
    body = client.get(f"/clients/?{query}").content.decode()
    found = re.findall(r'<a class="chip set" href="([^"]*)"><span class="clip">([^<]*)</span>', body)
    return [(words, where.replace("&amp;", "&")) for where, words in found]


def test_list_shows_each_set_filter_as_a_link_that_drops_it(client, operator, company):
    assert chips(client, "q=gold&status=active&tenant=northwind&idle=on") == [
        ("Search: gold", "/clients/?status=active&tenant=northwind&idle=on"),
        ("Status: Active", "/clients/?q=gold&tenant=northwind&idle=on"),
        ("Tenant: Northwind Logistics", "/clients/?q=gold&status=active&idle=on"),
        ("Idle 90 days", "/clients/?q=gold&status=active&tenant=northwind"),
    ]
    assert chips(client, f"contact={operator.pk}") == [(f"Contact: {operator}", "/clients/")]
    assert chips(client, "server=nobody") == [("Resource server: nobody (not there)", "/clients/")]
    assert chips(client, "") == []


def test_list_names_a_typed_filter_as_it_was_typed(client, operator, company, monkeypatch):
    monkeypatch.setattr(url_filter, "LONGEST_CHOICE", 1)
    assert chips(client, "tenant=%3Cb%3Eacme") == [("Tenant: &lt;b&gt;acme", "/clients/")]


@pytest.mark.asvs("1.2.2")
def test_search_of_an_addresss_own_letters_stays_one_value_in_every_link(client, operator, make):
    odd = "a&status=paused#\"x' =%41+é"
    make(odd)
    body = client.get("/clients/", {"q": odd, "tenant": "northwind"}).content.decode()
    links = [urlsplit(html.unescape(link)) for link in re.findall(r'href="([^"]*[?&](?:amp;)?q=[^"]*)"', body)]
    assert len(links) > 1 and {link.path for link in links} >= {"/clients/", "/clients/export.csv"}
    for link in links:
        told = parse_qs(link.query, keep_blank_values=True)
        assert told.pop("q") == [odd] and told.get("tenant", ["northwind"]) == ["northwind"] and not link.fragment


@pytest.mark.parametrize(
    ("query", "is_open"), [("", False), ("status=active&q=o", False), ("server=orders", True), ("two_secrets=on", True)]
)
def test_list_opens_the_rare_filters_where_one_is_in_use(client, operator, company, query, is_open):
    body = client.get(f"/clients/?{query}").content.decode()
    assert ('<details class="fold more" open>' in body) is is_open


@pytest.mark.parametrize(("query", "words"), [("", ""), ("q=o", ""), ("q=o&status=active&idle=on", "2 set")])
def test_list_says_how_many_filters_the_fold_hides(client, operator, company, query, words):
    (summary,) = re.findall(r'<summary class="btn">.*?</summary>', client.get(f"/clients/?{query}").content.decode())
    assert re.sub(r"<[^>]*>", "", summary).split() == ["Filter", *words.split()]


# --- The box on every page -------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["operator", "developer"])
def test_every_page_has_one_search_box_that_needs_no_javascript(client, world, app_client, who):
    client.force_login(world.people[who])
    pages = ["/clients/", f"/clients/{app_client.public_id}/", f"/clients/{app_client.public_id}/activity/"]
    for page in pages:
        body = client.get(page).content.decode()
        assert body.count('name="q"') == 1 and body.count("data-slash") == 1, page
        assert 'role="search"' in body and 'action="/clients/"' in body, page


def test_list_keeps_the_search_while_filtering(client, operator, company):
    body = client.get("/clients/?q=gold&status=active").content.decode()
    assert 'form="filters" value="gold"' in body and '<option value="active" selected>' in body


def test_list_says_when_a_view_is_the_present_one(client, operator):
    body = client.get("/clients/?idle=on").content.decode()
    assert '<a href="/clients/?idle=on" aria-current="page">Idle 90 days</a>' in body


@pytest.mark.parametrize(
    "query", ["scope=orders/gone", "tenant=nobody", "status=frozen", "contact=0", "pool=mars", "pool=%00"]
)
def test_a_filter_for_what_is_not_there_means_nothing_rather_than_everything(client, operator, company, query):
    answer = client.get(f"/clients/?{query}")
    page = html.unescape(answer.content.decode())
    told = query.split("=")[1].replace("%00", "\ufffd")
    assert names(answer) == set() and f"{told} (not there)" in page
    assert "What a filter asks for is not there any more" in page
    export = b"".join(client.get(f"/clients/export.csv?{query}").streaming_content).decode()
    assert len(export.splitlines()) == 1, "the head of the table alone"
    assert "0 active clients" in client.get(f"/clients/rotate/?{query}").content.decode()


def test_search_names_a_tenant_that_has_no_client_yet(client, operator, world):
    page = client.get("/clients/", {"q": "acme rob"}).content.decode()
    assert 'href="/tenants/acme-robotics/">Acme Robotics</a>' in page and "No client fits" in page
    client.force_login(world.people["developer"])
    assert "acme-robotics" not in client.get("/clients/", {"q": "acme rob"}).content.decode()
