"""Resource servers that somebody changes in Cognito while people work on them here."""

import pytest
from django.urls import reverse

from clients.models import ResourceServer
from tests.views.forms import form_of


@pytest.fixture(autouse=True)
def operator(world, client):
    client.force_login(world.people["operator"])


@pytest.fixture
def orders(world):
    return ResourceServer.objects.get(identifier="orders")


def text(answer):
    return answer.content.decode()


def held(world, identifier="orders"):
    answer = world.cognito.describe_resource_server(UserPoolId=world.pool.user_pool_id, Identifier=identifier)
    return {item["ScopeName"]: item["ScopeDescription"] for item in answer["ResourceServer"]["Scopes"]}


def in_console(world, scopes, name="orders"):
    """What somebody does to the server `orders` past the portal."""
    described = [{"ScopeName": key, "ScopeDescription": told} for key, told in scopes.items()]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name=name, Scopes=described
    )


def read_again(client):
    return client.post("/scopes/adopt/", {"pool": "prod", "identifier": "orders"}, follow=True)


def opened(client, server):
    address = reverse("server-change", args=[server.pk])
    return address, form_of(client.get(address), address)


def reviewed(client, server, **typed):
    """The form of the review, as it would be sent."""
    address, form = opened(client, server)
    return address, form_of(client.post(address, form.data(**typed)), address, "save")


# --- Somebody else reads the server again ------------------------------------------------------------


def test_reading_again_is_a_change_for_whoever_has_the_form_open(client, world, orders):
    address, form = opened(client, orders)
    in_console(world, {"read": "By the console", "write": "write orders"})
    read_again(client)

    conflict = client.post(address, form.data(**{"description:read": "By the portal"}))

    assert conflict.status_code == 409
    assert conflict.context["differing"] == [("read", "By the console", "By the portal")]


def test_reading_again_is_a_change_for_whoever_looks_at_the_review(client, world, orders):
    address, form = reviewed(client, orders, **{"description:read": "By the portal"})
    in_console(world, {"read": "By the console", "write": "write orders"})
    read_again(client)

    conflict = client.post(address, form.data(save="1"))

    assert conflict.status_code == 409 and "By the console" in text(conflict)
    assert held(world)["read"] == "By the console"


def test_reading_again_what_stands_here_already_disturbs_nobody(client, world, orders):
    address, form = reviewed(client, orders, **{"description:read": "By the portal"})
    read_again(client)
    client.post(address, form.data(save="1"))
    assert held(world)["read"] == "By the portal"


def test_what_the_form_showed_counts_and_not_what_stands_here_by_now(client, world, orders):
    """However the row came by the new text: whoever saves has not seen it."""
    address, form = reviewed(client, orders, **{"description:read": "By the portal"})
    in_console(world, {"read": "By the console", "write": "write orders"})
    orders.scopes.filter(name="read").update(description="By the console")

    client.post(address, form.data(save="1"))

    assert held(world)["read"] == "By the console"
