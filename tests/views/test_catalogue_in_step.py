"""Resource servers that somebody changes in Cognito while people work on them here."""

import pytest
from django.urls import reverse

from clients.errors import InvalidInput
from clients.models import Operation, ResourceServer, Scope
from clients.services import catalogue_sync, retirements
from tests.views.forms import form_of

pytestmark = pytest.mark.usefixtures("operator")


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
    assert conflict.context["differing"] == [("orders/read", "read orders", "By the console", "By the portal")]


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


# --- Somebody changes it in Cognito, and nobody has read it --------------------------------------------


def test_what_cognito_holds_by_now_is_shown_beside_all_that_was_typed(client, world, orders):
    typed = {"description:read": "See", "description:write": "Change", "name": "Orders",
             "scope-0-name": "cancel", "scope-0-description": "Cancel"}  # fmt: skip
    address, form = reviewed(client, orders, **typed)
    in_console(world, {"read": "By the console", "write": "write orders"})

    conflict = client.post(address, form.data(save="1"))

    assert conflict.status_code == 409 and "This was not saved" in text(conflict)
    assert "Cognito refused" not in text(conflict) and held(world)["read"] == "By the console"
    assert conflict.context["changed_by"] is None, "whoever it was, nobody here"
    assert set(conflict.context["differing"]) == {
        ("Name", "orders", "orders", "Orders"), ("orders/read", "read orders", "By the console", "See"),
        ("orders/write", "write orders", "write orders", "Change"), ("orders/cancel", "—", "—", "Cancel"),
    }  # fmt: skip
    again = form_of(client.post(address, form_of(conflict, address).data(edit="1")), address)
    review = form_of(client.post(address, again.data()), address, "save")
    client.post(address, review.data(save="1"))
    assert held(world) == {"read": "See", "write": "Change", "cancel": "Cancel"}


def overruled(client, world, orders):
    address, form = reviewed(client, orders, **{"description:read": "See"})
    in_console(world, {"read": "By the console", "write": "write orders"})
    client.post(address, form.data(save="1"))
    return Operation.objects.get(kind="resource_server:change")


def test_a_change_that_was_overruled_in_cognito_is_over_and_waits_for_nobody(client, world, orders):
    operation = overruled(client, world, orders)
    retry = reverse("operation-retry", args=[operation.pk])
    assert operation.last_error not in text(client.get("/operations/"))
    assert operation.last_error in text(client.get("/operations/?view=all"))
    for page in ("/", "/scopes/", "/operations/?view=all", reverse("server-page", args=[orders.pk])):
        assert retry not in text(client.get(page)) and "did not" not in text(client.get(page))


def test_trying_again_what_was_overruled_in_cognito_is_refused(client, world, orders):
    operation = overruled(client, world, orders)
    answer = client.post(reverse("operation-retry", args=[operation.pk]), follow=True)
    assert "There was a later change to this" in text(answer)
    operation.refresh_from_db()
    assert operation.state == "refused" and held(world)["read"] == "By the console"


def test_describing_a_scope_that_is_gone_by_now_is_not_said_to_be_saved(client, world, orders):
    world.create(scopes=["orders/write"])
    address, form = reviewed(client, orders, **{"description:write": "Change"})
    in_console(world, {"read": "read orders"})
    answer = client.post(address, form.data(save="1"))
    assert answer.status_code == 409 and "Cognito has no scope write any more" in text(answer)


def test_what_was_typed_stays_when_cognito_cannot_be_read_after_the_refusal(client, world, orders):
    address, form = reviewed(client, orders, **{"description:read": "See"})
    in_console(world, {"read": "By the console", "write": "write orders"})
    world.sandbox.fault("DescribeResourceServer", "throttle", skip=1)
    answer = client.post(address, form.data(save="1"))
    assert answer.status_code == 409 and "“By the console” by now" in text(answer)
    assert form_of(answer, address).data()["description:read"] == ["See"]
    assert "By the console" in text(client.post(address, form.data(save="1")))


# --- A scope is gone in Cognito ------------------------------------------------------------------------


@pytest.fixture
def holder(world):
    return world.create(scopes=["orders/read", "orders/write"])


def test_reading_again_names_a_scope_that_is_gone_and_marks_it_with_its_one_act(client, world, orders, holder):
    in_console(world, {"read": "read orders"})
    page = text(read_again(client))
    retire = f"{reverse('server-retire', args=[orders.pk])}?scopes=write"
    assert "Gone in Cognito though clients hold it: orders/write." in page and "stands here as in Cognito" not in page
    for shown in (page, text(client.get("/scopes/"))):
        assert shown.count("Gone in Cognito</span>") == 1 and f'href="{retire}"' in shown
    assert form_of(client.get(retire), reverse("server-retire", args=[orders.pk])).data()["scopes"] == ["write"]


def test_a_scope_that_is_gone_cannot_be_described(client, world, orders, holder):
    in_console(world, {"read": "read orders"})
    read_again(client)
    address, form = opened(client, orders)
    assert "description:write" not in form.names and "Gone in Cognito</span>" in text(client.get(address))
    answer = client.post(address, form.data(save="1", **{"description:write": "Change", "was:write": "write orders"}))
    assert answer.status_code == 422 and "write is gone in Cognito" in text(answer)


def test_a_scope_that_is_gone_is_offered_to_its_holders_alone(client, world, orders, holder):
    other = world.create(name="other", scopes=["orders/read"])
    in_console(world, {"read": "read orders"})
    read_again(client)
    page = text(client.get(reverse("client-scopes", args=[holder.public_id])))
    assert "Gone in Cognito</span>" in page and "Tokens come without it." in page
    for address in (reverse("client-scopes", args=[other.public_id]), "/clients/new/?tenant=northwind"):
        assert "orders/write" not in text(client.get(address))
    with pytest.raises(InvalidInput, match="orders/write is gone in Cognito"):
        world.create(name="third", scopes=["orders/write"])


def test_a_scope_that_comes_back_in_cognito_loses_its_mark(client, world, orders, holder):
    in_console(world, {"read": "read orders"})
    read_again(client)
    in_console(world, {"read": "read orders", "write": "back again"})
    page = text(read_again(client))
    assert "orders stands here as in Cognito" in page and "Gone in Cognito" not in page and "back again" in page


def test_a_scope_that_is_gone_can_be_added_again_here(client, world, orders, holder):
    in_console(world, {"read": "read orders"})
    read_again(client)
    address, form = reviewed(client, orders, **{"scope-0-name": "write", "scope-0-description": "Change"})
    client.post(address, form.data(save="1"))
    assert held(world) == {"read": "read orders", "write": "Change"}
    assert "Gone in Cognito" not in text(client.get("/scopes/"))


def test_a_scope_that_is_gone_is_retired_like_any_other(client, world, orders, holder):
    in_console(world, {"read": "read orders"})
    read_again(client)
    going = retirements.start_retirement(orders, actor=world.people["operator"], scope_names=["write"], reason="gone")
    retirements.release_holders(going, actor=world.people["operator"], typed="orders/write")
    while retirements.advance_due():
        pass
    assert list(orders.scopes.values_list("name", flat=True)) == ["read"]
    assert world.describe(holder.client_id)["AllowedOAuthScopes"] == ["orders/read"]


# --- What adopting leads to ----------------------------------------------------------------------------


def empty_pool(world):
    for identifier in ("orders", "shipments"):
        world.cognito.delete_resource_server(UserPoolId=world.pool.user_pool_id, Identifier=identifier)
    Scope.objects.all().delete()
    ResourceServer.objects.all().delete()


def test_adopting_where_cognito_has_no_resource_server_leads_to_creating_one(client, world):
    empty_pool(world)
    page = text(client.get("/scopes/adopt/"))
    assert "Cognito has no resource server in this pool yet." in page and "is here already" not in page
    assert 'href="/scopes/new/"' in page


def test_adopting_a_server_without_scopes_leads_to_adding_some(client, world):
    empty_pool(world)
    world.cognito.create_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="bare", Name="Bare", Scopes=[])
    answer = client.post("/scopes/adopt/", {"pool": "prod", "identifier": "bare"}, follow=True)
    change = reverse("server-change", args=[ResourceServer.objects.get().pk])
    assert "bare is adopted. It has no scopes yet" in text(answer) and f'href="{change}"' in text(answer)
    page = text(client.get("/scopes/adopt/"))
    assert "bare</b> is here, without a scope" in page and f'href="{change}"' in page


# --- What the worker's comparison found ------------------------------------------------------------------


def test_a_server_out_of_sync_says_what_differs_and_offers_to_read_it_again(client, world, orders):
    in_console(world, {"read": "By the console", "void": "Void"}, name="Renamed")
    catalogue_sync.compare_servers(world.pool)
    server = reverse("server-page", args=[orders.pk])
    for address in ("/scopes/", server):
        page = text(client.get(address))
        assert page.count("Out of sync") == 1 and "Read again from Cognito" in page
        for told in ("Gone there: write.", "Added there: void.", "read (“By the console”)", "Named “Renamed” there."):
            assert told in page
    read_again(client)
    assert "Out of sync" not in text(client.get(server)) and "Out of sync" not in text(client.get("/scopes/"))


def test_a_server_that_is_gone_in_cognito_is_offered_to_be_retired(client, world, orders):
    world.cognito.delete_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="orders")
    catalogue_sync.compare_servers(world.pool)
    page = text(client.get("/scopes/"))
    assert "Cognito does not have it any more" in page and f"{reverse('server-retire', args=[orders.pk])}?all=1" in page


def test_out_of_sync_is_shown_without_an_act_to_who_may_not_change_it(client, world, orders):
    in_console(world, {"read": "read orders"})
    catalogue_sync.compare_servers(world.pool)
    client.force_login(world.people["support"])
    page = text(client.get("/scopes/"))
    assert "Out of sync" in page and "Read again" not in page and "?scopes=write" not in page
