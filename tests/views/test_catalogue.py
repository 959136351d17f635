"""Resource servers and scopes on their pages."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clients.models import AuditEntry, Operation, Retirement, Scope
from clients.models.ids import new_ulid
from clients.services import retirements
from clients.services.operations import resume_due
from tests.views.forms import form_of

pytestmark = pytest.mark.usefixtures("operator")


def text(answer):
    return answer.content.decode()


def new_server(**more):
    return {
        "operation_id": new_ulid(), "pool": "prod", "identifier": "invoices", "name": "Invoices", "rows": "4",
        "scope-0-name": "read", "scope-0-description": "Read invoices", "api_kind": "none", "api_method": "POST",
    } | more  # fmt: skip


def work():
    Retirement.objects.update(next_try_at=timezone.now())
    Operation.objects.live().update(next_try_at=timezone.now())
    while resume_due() + retirements.advance_due():
        pass


def test_scope_list_says_who_holds_each_with_the_same_queries(client, world, django_assert_max_num_queries):
    client.get("/scopes/")
    with django_assert_max_num_queries(20) as few:
        client.get("/scopes/")
    for n in range(3):
        world.create(name=f"c{n}", scopes=["orders/read"])
    with django_assert_max_num_queries(len(few)):
        page = text(client.get("/scopes/"))
    assert "3 clients" in page and "shipments/track" in page


def test_create_resource_server_on_its_page(client, world):
    answer = client.post("/scopes/new/", new_server(), follow=True)
    assert "The resource server invoices is created." in text(answer)
    assert Scope.objects.filter(full_name="invoices/read").exists()
    assert world.cognito.describe_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="invoices")


def test_create_resource_server_sent_twice_is_one(client, world):
    form = new_server()
    assert [client.post("/scopes/new/", form).status_code for _ in range(2)] == [302, 302]
    assert Operation.objects.filter(kind="resource_server:create").count() == 1


def test_creation_that_cognito_refuses_comes_back_as_typed_and_can_be_sent_again(client, world):
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="invoices", Name="Theirs", Scopes=[]
    )
    first = new_server()

    answer = client.post("/scopes/new/", first)

    form = form_of(answer, "/scopes/new/")
    assert answer.status_code == 422 and "Cognito refused to create it." in text(answer)
    sent = {name: values[0] for name, values in form.data().items()}
    assert sent.items() >= {name: value for name, value in first.items() if name != "operation_id"}.items()
    assert sent["operation_id"] != first["operation_id"]
    world.cognito.delete_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="invoices")
    assert "is created" in text(client.post("/scopes/new/", form.data(), follow=True))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"identifier": "with space"}, "printable ASCII"),
        ({"identifier": "orders"}, "has a resource server orders already"),
        ({"identifier": "a\x00b"}, "Null characters are not allowed"),
        ({"scope-1-name": "a/b", "scope-1-description": "x"}, "a/b: use printable"),
        ({"scope-1-name": "read", "scope-1-description": "again"}, "read stands twice"),
        ({"scope-1-name": "write"}, "write: describe it"),
        ({"api_kind": "rest", "api_url": "nowhere"}, "beginning with https://"),
    ],
)
def test_create_resource_server_refused_beside_its_field_keeps_what_was_typed(client, world, more, sentence):
    answer = client.post("/scopes/new/", new_server(**more))
    assert answer.status_code == 422 and sentence in text(answer) and "Read invoices" in text(answer)
    assert not Operation.objects.exists()


def test_adding_lines_keeps_what_was_typed(client):
    page = text(client.post("/scopes/new/", new_server(more="1")))
    assert "scope-7-name" in page and "Read invoices" in page and 'value="invoices"' in page


def test_what_was_retired_and_removed_stays_to_be_read(client, world):
    made = Retirement.objects.create(
        pool=world.pool, identifier="fleet", scope_names=["track"], state="done", reason="Nobody asks", started_by=world.people["operator"],
        finished_at=timezone.now(),
    )  # fmt: skip
    page = text(client.get("/scopes/"))
    assert reverse("retirement-page", args=[made.public_id]) in page and "fleet/track" in page and "Nobody asks" in page
    assert client.get(reverse("retirement-page", args=[made.public_id])).status_code == 200


def test_adopt_offers_what_is_there_and_not_here(client, world):
    scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}]
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="elsewhere", Name="Elsewhere", Scopes=scopes
    )
    page = text(client.get("/scopes/adopt/"))
    assert "elsewhere" in page and '<b class="mono wrap">orders</b>' not in page
    answer = client.post("/scopes/adopt/", {"pool": "prod", "identifier": "elsewhere"}, follow=True)
    assert "elsewhere is adopted" in text(answer) and Scope.objects.filter(full_name="elsewhere/read").exists()


def test_adopt_says_when_cognito_cannot_be_reached(client, world):
    world.sandbox.fault("ListResourceServers", "throttle")
    answer = client.get("/scopes/adopt/")
    assert answer.status_code == 200 and "could not be looked at" in text(answer)


def change(server, **more):
    return {
        "operation_id": new_ulid(), "generation": server.generation, "name": server.name, "rows": "4",
        "description:read": "See orders", "scope-0-name": "cancel", "scope-0-description": "Cancel orders",
    } | more  # fmt: skip


def test_change_is_reviewed_before_it_is_saved(client, orders):
    address = reverse("server-change", args=[orders.pk])
    review = text(client.post(address, change(orders)))
    assert "See orders" in review and "orders/cancel" in review and not Operation.objects.exists()
    client.post(address, change(orders, save="1"))
    assert dict(orders.scopes.values_list("name", "description"))["read"] == "See orders"
    assert orders.scopes.filter(name="cancel").exists()


def test_change_from_an_old_page_shows_both_sides(client, orders):
    address = reverse("server-change", args=[orders.pk])
    client.post(address, change(orders, save="1"))
    answer = client.post(address, change(orders, save="1", **{"scope-0-name": "refund"}))
    assert answer.status_code == 409 and ("orders/refund", "—", "—", "Cancel orders") in answer.context["differing"]
    assert "As it is now" in text(answer)


def test_change_of_the_api_reaches_the_row_and_a_stale_one_is_refused(client, orders):
    address = reverse("server-api", args=[orders.pk])
    form = {"generation": 1, "api_kind": "rest", "api_url": "https://api.example.com/orders", "api_method": "GET"}
    assert client.post(address, form).status_code == 302
    orders.refresh_from_db()
    assert (orders.api_kind, orders.api_method) == ("rest", "GET")
    assert client.post(address, form | {"api_method": "PUT"}).status_code == 409
    assert AuditEntry.objects.filter(action="resource_server:change_api").count() == 1


def test_which_scopes_only_read_is_told_beside_how_the_api_is_called(client, orders):
    address = reverse("server-api", args=[orders.pk])
    form = {"generation": 1, "api_kind": "none", "api_method": "POST", "reading:": "on", "reading:write": "on"}
    assert "checked" in client.get(address).content.decode()
    assert client.post(address, form).status_code == 302
    assert dict(orders.scopes.values_list("name", "is_read_only")) == {"read": False, "write": True}
    told = AuditEntry.objects.get(action="resource_server:change_api").detail
    assert told["before"]["read_only"] == ["read"] and told["after"]["read_only"] == ["write"]

    stale = client.post(address, form | {"reading:read": "on"})
    assert stale.status_code == 409 and 'name="reading:write" value="on"' in stale.content.decode()
    again = client.post(address, form | {"generation": 2, "edit": "1"}).content.decode()
    assert 'name="reading:write" checked' in again and 'name="reading:read" checked' not in again
    client.post(address, form | {"generation": 2, "reading:strange": "on"})
    assert AuditEntry.objects.filter(action="resource_server:change_api").count() == 1, "the same again is no act"


def test_retire_release_and_remove_on_guided_pages(client, world, orders):
    app_client = world.create(scopes=["orders/read", "orders/write"])
    answer = client.post(
        reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "nobody writes"}, follow=True
    )
    assert app_client.name in text(answer) and "Keeps its other scopes" in text(answer)
    going = Retirement.objects.get()
    page = reverse("retirement-page", args=[going.public_id])
    wrong = client.post(page, {"typed": "write", "release": "1"})
    assert wrong.status_code == 422 and "Type orders/write" in text(wrong)
    assert "It is going on" in text(client.post(page, {"typed": "orders/write", "release": "1"}, follow=True))
    work()
    done = text(client.get(page))
    assert "Removed from Cognito" in done and "released 1 of 1" in done
    assert not Scope.objects.filter(full_name="orders/write").exists()


def test_a_client_with_nothing_else_is_named_on_the_page(client, world, orders):
    world.create(scopes=["orders/write"])
    client.post(reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "x"})
    page = text(client.get(reverse("retirement-page", args=[Retirement.objects.get().public_id])))
    assert "It has no other scope" in page


def test_cancel_retirement_on_its_page(client, orders):
    client.post(reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "x"})
    page = reverse("retirement-page", args=[Retirement.objects.get().public_id])
    assert "Cancelled" in text(client.post(page, {"cancel": "1"}, follow=True))
    assert not Scope.objects.filter(retiring_at__isnull=False).exists()


@pytest.mark.parametrize(
    ("form", "sentence"), [({"reason": "x"}, "Choose scopes"), ({"scopes": ["write"], "reason": ""}, "required")]
)
def test_retire_refused_beside_its_field(client, orders, form, sentence):
    answer = client.post(reverse("server-retire", args=[orders.pk]), form)
    assert answer.status_code == 422 and sentence in text(answer) and not Retirement.objects.exists()


# --- Nothing is lost, nothing is silent ------------------------------------------------------------


def test_change_saved_twice_from_one_form_is_one_and_says_saved(client, orders):
    address, form = reverse("server-change", args=[orders.pk]), change(orders, save="1", **{"was:read": "read orders"})
    answers = [text(client.post(address, form, follow=True)) for _ in range(2)]
    assert all("The resource server is saved." in answer for answer in answers)
    assert Operation.objects.filter(kind="resource_server:change").count() == 1


def test_change_that_came_second_opens_again_with_what_was_typed_alone(client, orders):
    address = reverse("server-change", args=[orders.pk])
    first = change(orders, save="1", **{"was:read": "read orders", "scope-0-name": "", "scope-0-description": ""})
    second = first | {"operation_id": new_ulid(), "description:read": "read orders", "was:write": "write orders",
                      "description:write": "Change them", "name": "Orders"}  # fmt: skip
    client.post(address, first)
    conflict = client.post(address, second)
    assert conflict.status_code == 409 and "read" not in [name for name, *_ in conflict.context["differing"]]
    orders.refresh_from_db()
    carried = dict(conflict.context["carried"]) | {"operation_id": new_ulid(), "generation": orders.generation}
    form = text(client.post(address, carried | {"edit": "1"}))
    assert 'value="Change them"' in form and 'value="See orders"' in form and 'value="Orders"' in form
    client.post(address, carried | {"save": "1"})
    assert dict(orders.scopes.values_list("name", "description")) == {"read": "See orders", "write": "Change them"}


def test_change_of_a_scope_alone_keeps_a_name_given_in_cognito(client, world, orders):
    held = [{"ScopeName": name, "ScopeDescription": f"{name} orders"} for name in ("read", "write")]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="Renamed there", Scopes=held
    )
    client.post(reverse("server-change", args=[orders.pk]), change(orders, save="1", was=orders.name))
    orders.refresh_from_db()
    assert orders.name == "Renamed there"


def test_api_that_came_second_opens_again_with_what_was_typed(client, orders):
    address = reverse("server-api", args=[orders.pk])
    form = {"generation": 1, "api_kind": "rest", "api_url": "https://api.example.com/orders", "api_method": "GET"}
    client.post(address, form)
    conflict = client.post(address, form | {"api_method": "PUT"})
    again = text(client.post(address, dict(conflict.context["carried"]) | {"generation": "2", "edit": "1"}))
    assert '<option value="PUT" selected>' in again


def test_refused_scopes_are_marked_in_their_line(client, world, orders):
    page = text(client.post("/scopes/new/", new_server(**{"scope-1-name": "a/b", "scope-1-description": "x"})))
    assert 'aria-describedby="scope-1-error"' in page and 'id="scope-0-error"' not in page
    there = change(orders, **{"scope-0-name": "write", "scope-0-description": "x"})
    page = text(client.post(reverse("server-change", args=[orders.pk]), there))
    assert 'id="scope-0-error"' in page and "write exists already." in page


def test_an_unfinished_creation_and_change_stand_on_the_pages_until_done(client, world, orders):
    world.sandbox.fault("CreateResourceServer", "throttle", times=20)
    world.sandbox.fault("UpdateResourceServer", "throttle", times=20)
    assert "This is not finished yet" in text(client.post("/scopes/new/", new_server(), follow=True))
    client.post(reverse("server-change", args=[orders.pk]), change(orders, save="1"))
    listed, page = text(client.get("/scopes/")), text(client.get(reverse("server-page", args=[orders.pk])))
    assert "invoices</span> is not finished" in listed and "orders</span> is not finished" in listed
    assert "orders</span> is not finished" in page and "invoices" not in page
    operations = text(client.get("/operations/"))
    assert f'href="/scopes/{orders.pk}/">orders</a>' in operations and ">invoices</span>" in operations
    world.sandbox.clear()
    work()
    assert "is not finished" not in text(client.get("/scopes/"))


def test_a_refused_creation_is_over_once_the_server_was_adopted(client, world):
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="invoices", Name="theirs", Scopes=[]
    )
    client.post("/scopes/new/", new_server())
    assert "invoices</span> did not succeed" in text(client.get("/scopes/"))
    client.post("/scopes/adopt/", {"pool": "prod", "identifier": "invoices"})
    assert "did not succeed" not in text(client.get("/scopes/"))


def test_reading_again_brings_what_was_added_in_cognito(client, world, orders):
    held = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write", "void")]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=held
    )
    answer = client.post("/scopes/adopt/", {"pool": "prod", "identifier": "orders"}, follow=True)
    assert "orders stands here as in Cognito" in text(answer) and "orders/void" in text(answer)


def test_server_page_says_which_scopes_each_client_holds(client, world, orders):
    address = reverse("server-page", args=[orders.pk])
    world.create(name="first", scopes=["orders/read", "orders/write", "shipments/read"])
    with CaptureQueriesContext(connection) as few:
        page = text(client.get(address))
    assert "first" in page and "shipments" not in page
    for n in range(4):
        world.create(name=f"more{n}", scopes=["orders/read"])
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) == len(few)


def test_retirement_page_costs_the_same_for_many_clients(client, world, orders):
    client.post(reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "x"})
    Scope.objects.update(retiring_at=None)
    page = reverse("retirement-page", args=[Retirement.objects.get().public_id])
    world.create(name="first", scopes=["orders/read", "orders/write"])
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    for n in range(4):
        world.create(name=f"more{n}", scopes=["orders/read", "orders/write"])
    with CaptureQueriesContext(connection) as many:
        client.get(page)
    assert len(many) == len(few)


def test_retire_and_release_sent_twice_are_one_and_no_error(client, world, orders):
    world.create(scopes=["orders/read", "orders/write"])
    form = {"scopes": ["write"], "reason": "x"}
    pages = [client.post(reverse("server-retire", args=[orders.pk]), form, follow=True) for _ in range(2)]
    assert pages[0].redirect_chain == pages[1].redirect_chain and "alert" not in text(pages[1])
    page = reverse("retirement-page", args=[Retirement.objects.get().public_id])
    twice = [client.post(page, {"typed": "orders/write", "release": "1"}, follow=True) for _ in range(2)]
    assert all("It is going on by itself" in text(answer) for answer in twice) and "alert" not in text(twice[1])


def test_a_second_retirement_is_led_to_the_first_and_told(client, orders):
    address = reverse("server-retire", args=[orders.pk])
    client.post(address, {"scopes": ["write"], "reason": "x"})
    answer = client.post(address, {"scopes": ["read"], "reason": "x"}, follow=True)
    assert "is going on already" in text(answer) and "Retiring orders/write" in text(answer)


def test_typed_confirmation_is_wanted_while_clients_hold_it_and_only_then(client, world, orders):
    client.post(reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "x"})
    page = reverse("retirement-page", args=[Retirement.objects.get().public_id])
    assert 'name="typed"' not in text(client.get(page))
    Scope.objects.update(retiring_at=None)
    world.create(scopes=["orders/read", "orders/write"])
    body = text(client.get(page))
    assert re.search(r'name="typed"[^>]* required', body) and "optional" not in body
    assert client.post(page, {"release": "1"}).status_code == 422
    assert client.post(page, {"cancel": "1"}).status_code == 302


def test_scopes_of_an_empty_pool_lead_to_adopting_and_creating(client, world):
    Scope.objects.all().delete()
    page = text(client.get("/clients/new/?tenant=northwind"))
    assert 'href="/scopes/new/"' in page and 'href="/scopes/adopt/"' in page


def test_a_retiring_scope_is_offered_to_its_holder_only(client, world, orders):
    holder, other = world.create(name="a", scopes=["orders/write"]), world.create(name="b")
    client.post(reverse("server-retire", args=[orders.pk]), {"scopes": ["write"], "reason": "x"})
    assert "being retired" in text(client.get(reverse("client-scopes", args=[holder.public_id])))
    for page in (reverse("client-scopes", args=[other.public_id]), "/clients/new/?tenant=northwind"):
        assert "orders/write" not in text(client.get(page))


def test_clients_that_hold_a_scope_are_counted_as_far_as_the_page_says(client, world, orders, monkeypatch):
    monkeypatch.setattr("clients.views.catalogue.MOST", 2)
    monkeypatch.setattr("clients.templatetags.portal.MOST", 2)
    for name in ("one", "two"):
        world.create(name=name)
    assert ">2 clients<" in text(client.get("/scopes/")) and ">0<" not in text(client.get("/scopes/"))
    world.create(name="three")
    assert ">2+ clients<" in text(client.get("/scopes/"))
    page = text(client.get(reverse("server-page", args=[orders.pk])))
    assert '<span class="count">2+</span>' in page and ">2+ clients<" in page


def test_creation_refused_for_a_reason_of_no_field_keeps_all_and_can_be_sent_again(client, world):
    sent = new_server()
    client.post("/scopes/new/", sent)

    answer = client.post("/scopes/new/", sent | {"identifier": "returns", "scope-0-description": "Read returns"})

    again = form_of(answer, "/scopes/new/").data()
    assert answer.status_code == 409 and "already used for another change" in text(answer)
    assert again["operation_id"] != [sent["operation_id"]] and again["scope-0-description"] == ["Read returns"]
    client.post("/scopes/new/", again)
    assert Scope.objects.filter(full_name="returns/read").exists()
