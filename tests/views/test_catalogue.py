"""Resource servers and scopes on their pages."""

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import AuditEntry, Operation, ResourceServer, Retirement, Scope
from clients.models.ids import new_ulid
from clients.services import retirements
from clients.services.operations import resume_due


@pytest.fixture(autouse=True)
def operator(world, client, settings):
    settings.COGNITO_WRITES_PER_SECOND = 0
    client.force_login(world.people["operator"])


@pytest.fixture
def orders(world):
    return ResourceServer.objects.get(identifier="orders")


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


def test_adopt_offers_what_is_there_and_not_here(client, world):
    scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}]
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="elsewhere", Name="Elsewhere", Scopes=scopes
    )
    page = text(client.get("/scopes/adopt/"))
    assert "elsewhere" in page and '<b class="mono">orders</b>' not in page
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
    assert answer.status_code == 409 and "refund: Cancel orders" in text(answer) and "What it is now" in text(answer)


def test_change_of_the_api_reaches_the_row_and_a_stale_one_is_refused(client, orders):
    address = reverse("server-api", args=[orders.pk])
    form = {"generation": 1, "api_kind": "rest", "api_url": "https://api.example.com/orders", "api_method": "GET"}
    assert client.post(address, form).status_code == 302
    orders.refresh_from_db()
    assert (orders.api_kind, orders.api_method) == ("rest", "GET")
    assert client.post(address, form | {"api_method": "PUT"}).status_code == 409
    assert AuditEntry.objects.filter(action="resource_server:change_api").count() == 1


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
    assert "Removed from Cognito" in done and "1 released" in done
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
