"""Resource servers and scopes: created, changed without losing anybody's work, retired without stranding a client."""

import pytest
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, Operation, OperationState, Outcome, ResourceServer, Scope
from clients.models.ids import new_ulid
from clients.services import catalogue
from clients.services.operations import resume_due


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0


def create(world, **more):
    wanted = {
        "actor": world.people["operator"], "operation_id": new_ulid(), "identifier": "invoices", "name": "Invoices",
        "scopes": {"read": "Read invoices", "pay": "Pay them"},
    }  # fmt: skip
    return catalogue.create_resource_server(world.pool, **wanted | more)


def remote(world, identifier):
    answer = world.cognito.describe_resource_server(UserPoolId=world.pool.user_pool_id, Identifier=identifier)
    server = answer["ResourceServer"]
    return server["Name"], {item["ScopeName"]: item["ScopeDescription"] for item in server["Scopes"]}


def change(world, server, **more):
    wanted = {
        "actor": world.people["operator"], "operation_id": new_ulid(), "generation": server.generation,
        "name": server.name, "descriptions": {}, "added": {},
    }  # fmt: skip
    return catalogue.change_resource_server(server, **wanted | more)


def orders(world):
    return ResourceServer.objects.get(pool=world.pool, identifier="orders")


def test_create_resource_server_done(world):
    done = create(world, api=catalogue.Api("rest", "https://api.example.com/invoices", "GET"))
    assert done.state == OperationState.DONE
    assert remote(world, "invoices") == ("Invoices", {"read": "Read invoices", "pay": "Pay them"})
    server = ResourceServer.objects.get(identifier="invoices")
    assert server.api_url == "https://api.example.com/invoices"
    assert set(Scope.objects.filter(resource_server=server).values_list("full_name", "is_read_only")) == {
        ("invoices/read", True),
        ("invoices/pay", False),
    }
    story = AuditEntry.objects.filter(operation_id=done.pk).order_by("sequence").values_list("outcome", flat=True)
    assert list(story) == [Outcome.STARTED, Outcome.OK]


def test_create_resource_server_with_a_lost_answer_is_found_again(world):
    world.sandbox.fault("CreateResourceServer", "lose_answer")
    waiting = create(world)
    assert waiting.state == OperationState.WAITING
    Operation.objects.update(next_try_at=timezone.now())
    assert resume_due() == 1
    waiting.refresh_from_db()
    assert waiting.state == OperationState.DONE
    assert AuditEntry.objects.get(operation_id=waiting.pk, outcome=Outcome.OK).detail["adopted"] is True


def test_a_resource_server_made_outside_is_not_taken_over(world):
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="invoices", Name="theirs", Scopes=[]
    )
    refused = create(world)
    assert refused.state == OperationState.REFUSED and "Adopt it instead" in refused.last_error
    assert remote(world, "invoices") == ("theirs", {}) and not ResourceServer.objects.filter(name="Invoices").exists()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"identifier": "with space"}, "identifier"),
        ({"identifier": "ü"}, "identifier"),
        ({"identifier": "nul\0"}, "identifier"),
        ({"identifier": "x" * 257, "scopes": {}}, "identifier"),
        ({"identifier": "orders"}, "identifier"),
        ({"name": "a/b"}, "name"),
        ({"name": " "}, "name"),
        ({"scopes": {"a/b": "x"}}, "scopes"),
        ({"scopes": {"ok": ""}}, "scopes"),
        ({"scopes": {"ok": "x" * 257}}, "scopes"),
        ({"scopes": {"ok": "two\nlines"}}, "scopes"),
        ({"identifier": "x" * 250, "scopes": {"longer": "x"}}, "scopes"),
        ({"scopes": {f"s{n}": "x" for n in range(101)}}, "scopes"),
        ({"api": catalogue.Api("rest", "no address")}, "api_url"),
        ({"api": catalogue.Api("rest", "https://user:pw@api.example")}, "api_url"),
        ({"api": catalogue.Api("rest", "https://@api.example")}, "api_url"),
    ],
)
def test_create_resource_server_refused_beside_its_field(world, more, field):
    world.sandbox.clear()
    with pytest.raises(InvalidInput) as refused:
        create(world, **more)
    assert list(refused.value.fields) == [field]
    assert world.sandbox.writes() == [] and not Operation.objects.exists()


def test_change_keeps_the_scope_somebody_added_elsewhere(world):
    held = {"read": "read orders", "write": "changed elsewhere", "made-elsewhere": "made elsewhere"}
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders",
        Scopes=[{"ScopeName": name, "ScopeDescription": text} for name, text in held.items()],
    )  # fmt: skip
    done = change(world, orders(world), name="Orders", descriptions={"read": "See"}, added={"cancel": "Cancel"})
    assert done.state == OperationState.DONE
    wanted = held | {"read": "See", "cancel": "Cancel"}
    assert remote(world, "orders") == ("Orders", wanted)
    assert dict(orders(world).scopes.values_list("name", "description")) == wanted


def test_change_from_an_old_page_is_refused(world):
    server = orders(world)
    change(world, server, added={"cancel": "Cancel"})
    with pytest.raises(Conflict):
        change(world, server, generation=1, added={"refund": "Refund"})
    assert "refund" not in remote(world, "orders")[1]


def test_somebody_changing_it_at_the_same_moment_is_seen(world, monkeypatch):
    honest, calls = Gateway._call, []

    def disturbed(self, method, **params):
        answer = honest(self, method, **params)
        if method == "update_resource_server" and not calls:
            calls.append(method)
            honest(self, method, **params | {"Scopes": []})
        return answer

    monkeypatch.setattr(Gateway, "_call", disturbed)
    waiting = change(world, orders(world), added={"cancel": "Cancel"})
    assert waiting.state == OperationState.WAITING and "at the same moment" in waiting.last_error
    Operation.objects.update(next_try_at=timezone.now())
    resume_due()
    assert "cancel" in remote(world, "orders")[1]


# --- Retiring --------------------------------------------------------------------------------------


def test_adopting_again_drops_a_scope_that_is_gone_but_not_one_that_is_held(world):
    world.create(scopes=["orders/write"])
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=[]
    )
    catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
    assert list(orders(world).scopes.values_list("name", flat=True)) == ["write"]


def test_adopting_again_leaves_how_the_api_is_called(world):
    actor, api = world.people["operator"], catalogue.Api("rest", "https://api.example.com/orders")
    catalogue.adopt_resource_server(world.pool, actor=actor, identifier="orders", api=api)
    catalogue.adopt_resource_server(world.pool, actor=actor, identifier="orders")
    assert orders(world).api_url == "https://api.example.com/orders"
    with pytest.raises(InvalidInput):
        catalogue.adopt_resource_server(
            world.pool, actor=actor, identifier="orders", api=catalogue.Api("rest", "javascript:alert(1)")
        )


# --- What counts as made good --------------------------------------------------------------------


def test_a_form_opened_while_a_change_waited_is_told_what_came_of_it(world):
    server = orders(world)
    world.sandbox.fault("UpdateResourceServer", "throttle")
    waiting = change(world, server, descriptions={"read": "AAA"})
    assert waiting.state == OperationState.WAITING
    opened = orders(world)  # as whoever opens the form now: still the old text
    Operation.objects.update(next_try_at=timezone.now())
    resume_due()
    assert remote(world, "orders")[1]["read"] == "AAA"
    with pytest.raises(Conflict):
        change(world, opened, descriptions={"read": "BBB"})
    assert remote(world, "orders")[1]["read"] == "AAA"


def test_what_the_console_wrote_where_we_were_to_write_is_not_overwritten_unseen(world):
    server = orders(world)
    name, scopes = remote(world, "orders")
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name=name,
        Scopes=[{"ScopeName": key, "ScopeDescription": "By the console"} for key in [*scopes, "cancel"]],
    )  # fmt: skip
    for more in ({"descriptions": {"read": "By the portal"}}, {"added": {"cancel": "By the portal"}}):
        server.refresh_from_db()
        refused = change(world, server, **more)
        assert refused.state == OperationState.REFUSED and "described as “By the console” by now" in refused.last_error
    assert set(remote(world, "orders")[1].values()) == {"By the console"}
    catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
    server.refresh_from_db()
    assert change(world, server, descriptions={"read": "By the portal"}).state == OperationState.DONE
    assert remote(world, "orders")[1]["read"] == "By the portal"


def test_reading_a_server_that_was_changed_here_meanwhile_is_refused(world, monkeypatch):
    """What was read is older than what stands here now."""
    look = Gateway.find_resource_server

    def late(self, identifier):
        found = look(self, identifier)
        monkeypatch.setattr(Gateway, "find_resource_server", look)
        change(world, orders(world), descriptions={"read": "By the portal"})
        return found

    monkeypatch.setattr(Gateway, "find_resource_server", late)
    with pytest.raises(Conflict):
        catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
    assert orders(world).scopes.get(name="read").description == "By the portal"
