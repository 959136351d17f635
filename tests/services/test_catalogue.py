"""Resource servers and scopes: created, changed without losing anybody's work, retired without stranding a client."""

import pytest
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, Operation, OperationState, Outcome, ResourceServer, Retirement, Scope
from clients.models.ids import new_ulid
from clients.services import catalogue, retirements
from clients.services.app_clients import change_settings
from clients.services.client_states import delete_client
from clients.services.operations import resume_due, retry_operation


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_WRITES_PER_SECOND = 0
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
    ],
)
def test_create_resource_server_refused_beside_its_field(world, more, field):
    world.sandbox.clear()
    with pytest.raises(InvalidInput) as refused:
        create(world, **more)
    assert list(refused.value.fields) == [field]
    assert world.sandbox.writes() == [] and not Operation.objects.exists()


def test_change_keeps_the_scope_somebody_added_elsewhere(world):
    held = [{"ScopeName": n, "ScopeDescription": n} for n in ("read", "write", "made-elsewhere")]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=held
    )
    done = change(world, orders(world), name="Orders", descriptions={"read": "See"}, added={"cancel": "Cancel"})
    assert done.state == OperationState.DONE
    wanted = {"read": "See", "write": "write", "made-elsewhere": "made-elsewhere", "cancel": "Cancel"}
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


def retire(world, names, **more):
    wanted = {"actor": world.people["operator"], "scope_names": names, "reason": "nobody needs it"}
    return retirements.start_retirement(orders(world), **wanted | more)


def work():
    Retirement.objects.update(next_try_at=timezone.now())
    Operation.objects.live().update(next_try_at=timezone.now())
    while resume_due() + retirements.advance_due():
        pass


def test_a_retiring_scope_is_given_to_nobody_new_and_kept_by_its_holders(world):
    app_client = world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    with pytest.raises(InvalidInput, match="being retired"):
        world.create(name="another", scopes=["orders/write"])
    assert list(retirements.holders(retirement)) == [app_client]
    assert "orders/write" in world.describe(app_client.client_id)["AllowedOAuthScopes"]


def test_retire_scope_releases_each_client_and_removes_it_last(world):
    clients = [world.create(name=f"c{n}", scopes=["orders/read", "orders/write"]) for n in range(3)]
    retirement = retire(world, ["write"])
    world.sandbox.clear()
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    work()
    assert [world.describe(c.client_id)["AllowedOAuthScopes"] for c in clients] == [["orders/read"]] * 3
    writes = [w for w in world.sandbox.writes() if "Update" in w]
    assert writes == ["UpdateUserPoolClient"] * 3 + ["UpdateResourceServer"]
    assert "write" not in remote(world, "orders")[1] and not Scope.objects.filter(full_name="orders/write").exists()
    retirement.refresh_from_db()
    assert retirement.state == "done"
    assert AuditEntry.objects.filter(action="client:change", outcome=Outcome.OK).count() == 3


def test_release_wants_the_name_typed_while_clients_hold_it(world):
    world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    with pytest.raises(InvalidInput, match="Type orders/write"):
        retirements.release_holders(retirement, actor=world.people["operator"], typed="write")


def test_a_client_with_nothing_else_stops_the_removal_and_is_named(world):
    only = world.create(name="only-writes", scopes=["orders/write"])
    other = world.create(name="both", scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    work()
    retirement.refresh_from_db()
    assert retirement.state == "releasing" and "only-writes" in retirement.last_error
    assert world.describe(other.client_id)["AllowedOAuthScopes"] == ["orders/read"]
    assert world.describe(only.client_id)["AllowedOAuthScopes"] == ["orders/write"]
    assert "write" in remote(world, "orders")[1]


def test_a_release_that_has_not_reached_cognito_keeps_the_scope(world):
    world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    assert retirements.advance_due() == 1 and retirements.advance_due() == 0
    retirement.refresh_from_db()
    assert "has not reached Cognito" in retirement.last_error and "write" in remote(world, "orders")[1]
    work()
    assert "write" not in remote(world, "orders")[1]


def test_cancel_lets_the_scope_be_given_out_again(world):
    retirement = retire(world, ["write"])
    retirements.cancel_retirement(retirement, actor=world.people["operator"])
    assert world.create(scopes=["orders/write"]).status == "active"
    with pytest.raises(Conflict):
        retirements.cancel_retirement(retirement, actor=world.people["operator"])


def test_all_scopes_retired_is_the_server_retired(world):
    app_client = world.create(scopes=["orders/read", "shipments/read"])
    retirement = retire(world, ["read", "write"])
    assert retirement.whole_server
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders")
    work()
    with pytest.raises(world.cognito.exceptions.ResourceNotFoundException):
        remote(world, "orders")
    assert not ResourceServer.objects.filter(identifier="orders").exists()
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["shipments/read"]
    assert Retirement.objects.get().state == "done"


def test_two_retirements_of_one_server_are_refused(world):
    retire(world, ["write"])
    with pytest.raises(Conflict, match="going on"):
        retire(world, ["read"])


@pytest.mark.parametrize(
    ("names", "reason", "field"), [(["write"], " ", "reason"), (["nope"], "x", "scopes"), ([], "x", "scopes")]
)
def test_retirement_refused(world, names, reason, field):
    with pytest.raises(InvalidInput) as refused:
        retire(world, names, reason=reason)
    assert list(refused.value.fields) == [field] and not Retirement.objects.exists()


def test_adopting_again_drops_a_scope_that_is_gone_but_not_one_that_is_held(world):
    world.create(scopes=["orders/write"])
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=[]
    )
    catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
    assert list(orders(world).scopes.values_list("name", flat=True)) == ["write"]


def test_a_retirement_cancelled_behind_the_workers_back_goes_no_further(world):
    app_client = world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    stale = Retirement.objects.select_related("resource_server__pool", "pool", "started_by").get()
    retirements.cancel_retirement(retirement, actor=world.people["operator"])
    assert [retirements.advance(stale) for _ in range(3)] == [False, False, False]
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/read", "orders/write"]
    assert "write" in remote(world, "orders")[1]


def test_a_scope_given_out_again_is_not_removed(world):
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    Scope.objects.update(retiring_at=None)  # as a cancelled retirement leaves it
    world.create(scopes=["orders/write"])
    refused = retirements.drive(retirements._begin_removal(retirement))
    assert refused.state == OperationState.REFUSED and "held by a client again" in refused.last_error
    assert "write" in remote(world, "orders")[1]


def test_adopting_again_leaves_how_the_api_is_called(world):
    actor, api = world.people["operator"], catalogue.Api("rest", "https://api.example.com/orders")
    catalogue.adopt_resource_server(world.pool, actor=actor, identifier="orders", api=api)
    catalogue.adopt_resource_server(world.pool, actor=actor, identifier="orders")
    assert orders(world).api_url == "https://api.example.com/orders"
    with pytest.raises(InvalidInput):
        catalogue.adopt_resource_server(
            world.pool, actor=actor, identifier="orders", api=catalogue.Api("rest", "javascript:alert(1)")
        )


def test_a_server_without_scopes_is_retired_itself(world):
    create(world, scopes={})
    server = ResourceServer.objects.get(identifier="invoices")
    retirement = retirements.start_retirement(server, actor=world.people["operator"], scope_names=[], reason="unused")
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    work()
    with pytest.raises(world.cognito.exceptions.ResourceNotFoundException):
        remote(world, "invoices")
    assert not ResourceServer.objects.filter(identifier="invoices").exists()


def test_a_server_with_scopes_nobody_knows_here_is_not_removed(world):
    retirement = retire(world, ["read", "write"])
    held = [{"ScopeName": n, "ScopeDescription": n} for n in ("read", "write", "made-elsewhere")]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=held
    )
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    work()
    retirement.refresh_from_db()
    assert retirement.state == "releasing" and "made-elsewhere" in retirement.last_error
    assert "made-elsewhere" in remote(world, "orders")[1]
    retirements.cancel_retirement(retirement, actor=world.people["operator"])


def test_removing_a_scope_keeps_a_name_given_in_cognito(world):
    retirement = retire(world, ["write"])
    held = [{"ScopeName": n, "ScopeDescription": n} for n in ("read", "write")]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="Renamed there", Scopes=held
    )
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    work()
    assert remote(world, "orders") == ("Renamed there", {"read": "read"})


# --- What counts as made good --------------------------------------------------------------------


def give_up(world, operation, api="UpdateUserPoolClient"):
    Operation.objects.filter(pk=operation.pk).update(attempts=24, next_try_at=timezone.now())
    world.sandbox.fault(api, "throttle")
    resume_due()
    operation.refresh_from_db()
    assert operation.state == OperationState.GIVEN_UP


def rename(world, app_client, name):
    app_client.refresh_from_db()
    return change_settings(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), generation=app_client.generation,
        name=name, access_token_seconds=3600, contact=None, notes="",
    )  # fmt: skip


def test_a_new_name_does_not_make_good_a_release_that_never_arrived(world):
    """Else the scope would be removed while a client in Cognito still holds it."""
    app_client = world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    retirements.advance_due()
    release = Operation.objects.get(kind="client:change")
    give_up(world, release)
    assert rename(world, app_client, "renamed").state == OperationState.DONE
    work()
    retirement.refresh_from_db()
    assert retirement.is_going_on and "stopped trying" in retirement.last_error
    assert "write" in remote(world, "orders")[1]
    assert list(Operation.objects.stuck()) == [release]

    retry_operation(release, actor=world.people["support"])
    work()
    retirement.refresh_from_db()
    assert not retirement.is_going_on and "write" not in remote(world, "orders")[1]
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/read"]


def test_a_client_deleted_after_its_release_was_refused_holds_nothing_up(world):
    app_client = world.create(scopes=["orders/read", "orders/write"])
    retirement = retire(world, ["write"])
    world.cognito.delete_user_pool_client(UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id)
    retirements.release_holders(retirement, actor=world.people["operator"], typed="orders/write")
    work()
    retirement.refresh_from_db()
    assert retirement.is_going_on and "not tried again by itself" in retirement.last_error
    app_client.refresh_from_db()
    delete_client(app_client, actor=world.people["operator"], operation_id=new_ulid(), reason="gone there")
    work()
    retirement.refresh_from_db()
    assert not retirement.is_going_on and "write" not in remote(world, "orders")[1]


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
