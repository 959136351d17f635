"""Retiring scopes and resource servers: nobody new, clients released one by one, removed last."""

import pytest
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, Operation, OperationState, Outcome, ResourceServer, Retirement, Scope
from clients.models.ids import new_ulid
from clients.services import retirements
from clients.services.client_changes import change_scopes, change_settings
from clients.services.client_states import delete_client
from clients.services.operations import resume_due, retry_operation
from clients.services.pool_sync import observe
from tests.services.test_catalogue import create, orders, quick, remote  # noqa: F401  (one is a fixture)


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


def test_a_scope_somebody_is_just_taking_from_a_client_waits_until_cognito_knows(world):
    app_client = world.create(scopes=["orders/read", "orders/write"])
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": app_client.generation}
    waiting = change_scopes(app_client, scopes=["orders/read"], **said)
    assert waiting.is_live
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    Retirement.objects.update(next_try_at=timezone.now())
    assert not retirements.advance_due() and "write" in remote(world, "orders")[1]
    retirement.refresh_from_db()
    assert f"{app_client.name}: it holds orders/write in Cognito" in retirement.last_error
    work()
    retirement.refresh_from_db()
    assert retirement.state == "done" and world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/read"]


def test_a_scope_given_to_a_client_in_the_console_stops_the_removal_and_is_named(world):
    app_client = world.create(scopes=["orders/read"])
    Gateway(world.pool.region, world.pool.user_pool_id).change_client(
        app_client.client_id, lambda observed: {"AllowedOAuthScopes": ["orders/read", "orders/write"]}
    )
    observe(app_client)
    retirement = retire(world, ["write"])
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    work()
    retirement.refresh_from_db()
    assert "it holds orders/write in Cognito, though not here" in retirement.last_error
    assert "write" in remote(world, "orders")[1]
    app_client.refresh_from_db()
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": app_client.generation}
    change_scopes(app_client, scopes=["orders/read"], **said)
    work()
    retirement.refresh_from_db()
    assert retirement.state == "done"


def test_a_removal_that_was_refused_does_not_say_that_it_goes_on(world, client):
    retirement = retire(world, ["read", "write"])
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders",
        Scopes=[{"ScopeName": key, "ScopeDescription": key} for key in ("read", "write", "strange")],
    )  # fmt: skip
    retirements.release_holders(retirement, actor=world.people["operator"], typed="")
    client.force_login(world.people["operator"])
    address = f"/scopes/retirements/{retirement.public_id}/"
    assert "It is going on by itself." in client.get(address).content.decode()
    work()
    page = client.get(address).content.decode()
    assert "It does not go on by itself." in page and "It is going on" not in page and "Next try" not in page
