"""The faults that strike between the steps: F1, F10, F12, F13, and requests that arrive late (failure_model.md 2)."""

import time
from contextlib import closing, contextmanager

import psycopg
import pytest
from django.db import connection

from clients.errors import PortalError
from clients.models import AppClient, AuditEntry, Operation, OperationState, Outcome, Secret, UserPool
from clients.models.ids import new_ulid
from clients.services import client_changes, operations, secrets
from tests.environment import random_keys
from tests.prove import harness
from tests.prove.processes import KILLED, WORKER, acting, answer_of, database_url, finish, run, start, wait_for_call

KINDS = ["client:create", "client:change", "client:attributes"]


def first_call(kind):
    return harness.REMOTE_CALL[kind, operations.KINDS[kind][0].name]


def settled_and_green(world):
    harness.reconcile()
    assert harness.is_settled(), list(Operation.objects.values())
    assert harness.broken_invariants(world) == []


def everything_here():
    """All that an act writes, to be compared."""
    rows = (AppClient, AuditEntry, Operation, Secret)
    return [list(model.objects.order_by("pk").values()) for model in rows] + [
        list(AppClient.scopes.through.objects.values())
    ]


def story(operation):
    entries = AuditEntry.objects.filter(operation_id=operation.pk, action=operation.kind).order_by("sequence")
    return list(entries.values_list("outcome", flat=True))


# --- F1: dead before the intent is committed -------------------------------------------------------


@pytest.mark.parametrize("kind", harness.chosen(sorted(operations.KINDS)))
def test_dead_before_the_intent_is_committed_nothing_happened(lasting_world, kind):
    world = lasting_world
    harness.prepare(world, kind)
    world.sandbox.clear()
    before, form = everything_here(), {"operation_id": new_ulid()}
    assert run(acting(world, kind, **form), PROVE_DIE_IN_INTENT="1") == KILLED
    assert everything_here() == before
    assert world.sandbox.calls() == []

    assert answer_of(start(acting(world, kind, **form))) == "done"
    assert Operation.objects.get(pk=form["operation_id"]).state == OperationState.DONE
    settled_and_green(world)


# --- F10: somebody at the console in the middle ----------------------------------------------------


def stopped_halfway(world, call, act):
    """The act, stopped before `call` is applied; its operation, which a worker will take up."""
    world.sandbox.fault(call, "throttle")
    act()
    world.sandbox.clear()
    return Operation.objects.live().get()


def change_scopes(world, scopes):
    app_client = AppClient.objects.select_related("pool", "tenant").get()
    client_changes.change_scopes(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), generation=app_client.generation, scopes=scopes
    )  # fmt: skip


def delete_in_console(world):
    there = {"UserPoolId": world.pool.user_pool_id, "ClientId": AppClient.objects.get().client_id}
    world.cognito.delete_user_pool_client(**there)


def assert_ended_refused(world, operation, drift):
    """Visibly, in the row and in the trail, the difference reported, and never taken up again."""
    harness.reconcile()
    operation.refresh_from_db()
    assert operation.state == OperationState.REFUSED and operation.last_error
    assert story(operation)[-1] == Outcome.FAILED and story(operation).count(Outcome.STARTED) == 1
    assert AppClient.objects.get().drift == drift
    world.sandbox.clear()
    harness.reconcile()
    assert world.sandbox.writes() == []


def test_client_deleted_in_the_console_during_a_change_is_refused_and_reported(world):
    world.create()
    operation = stopped_halfway(world, "UpdateUserPoolClient", lambda: change_scopes(world, ["orders/write"]))
    delete_in_console(world)
    assert_ended_refused(world, operation, ["missing"])


def test_client_deleted_in_the_console_during_its_creation_is_refused_and_stays_visible(world):
    operation = stopped_halfway(world, "ListUserPoolClientSecrets", world.create)
    delete_in_console(world)
    assert_ended_refused(world, operation, [])
    assert AppClient.objects.needs_attention().get().status == "creating"
    assert Secret.objects.get().sealed_value


def test_client_deleted_in_the_console_while_attributes_are_published_is_reported(world):
    """Publishing does not ask Cognito: the document arrives, and the comparison finds the client missing."""
    world.create()
    world.sandbox.fault("PutItem", "throttle")
    assert run_attributes(world).is_live
    delete_in_console(world)
    harness.reconcile()
    assert Operation.objects.get(kind="client:attributes").state == OperationState.DONE
    assert AppClient.objects.get().drift == ["missing"]


def run_attributes(world):
    from clients.services.attributes import change_attributes

    form = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": 1}
    return change_attributes(AppClient.objects.get(), values={"rate_limit": "7"}, **form)


def remove_scope_in_console(world, identifier, left):
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in left]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier=identifier, Name=identifier, Scopes=scopes
    )


def test_scope_deleted_in_the_console_during_a_change_is_refused_and_reported(world):
    world.create()
    operation = stopped_halfway(world, "UpdateUserPoolClient", lambda: change_scopes(world, ["orders/write"]))
    remove_scope_in_console(world, "orders", ["read"])
    assert_ended_refused(world, operation, ["scopes"])
    assert "ScopeDoesNotExist" in operation.technical


def test_scope_deleted_in_the_console_during_a_creation_is_refused_and_can_be_retried(world):
    operation = stopped_halfway(world, "CreateUserPoolClient", lambda: world.create(scopes=["orders/write"]))
    remove_scope_in_console(world, "orders", ["read"])
    assert_ended_refused(world, operation, [])
    assert world.remote_clients() == []

    remove_scope_in_console(world, "orders", ["read", "write"])  # put back
    operations.retry_operation(operation, actor=world.people["operator"])
    harness.reconcile()
    assert AppClient.objects.get().status == "active" and len(world.remote_clients()) == 1


def test_console_edit_beside_a_change_survives_and_is_reported(world):
    client_id = world.create().client_id
    stopped_halfway(world, "UpdateUserPoolClient", lambda: change_scopes(world, ["orders/write"]))
    there = world.describe(client_id)
    kept = {k: v for k, v in there.items() if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}
    mine = {"AccessTokenValidity": 900, "RefreshTokenValidity": 7, "AllowedOAuthScopes": ["shipments/read"]}
    world.cognito.update_user_pool_client(**kept | mine)
    harness.reconcile()
    there = world.describe(client_id)
    assert (there["AccessTokenValidity"], there["RefreshTokenValidity"]) == (900, 7)
    assert there["AllowedOAuthScopes"] == ["orders/write"], "what was asked for here is ours to write"
    assert AppClient.objects.get().drift == ["access_token_seconds"]
    detail = AuditEntry.objects.get(action="client:change", outcome=Outcome.OK).detail
    assert detail["before"]["AllowedOAuthScopes"] == ["shipments/read"], "the trail says what was overwritten"


# --- F12: the database does not take it -------------------------------------------------------------


@contextmanager
def locked_database():
    """Another connection holds what every writer needs, for as long as this lasts."""
    if connection.vendor == "sqlite":
        import sqlite3

        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(database_url()) as other:
            other.execute("LOCK TABLE clients_operation IN EXCLUSIVE MODE")
            yield
            other.rollback()


@contextmanager
def refusing_audit(condition="1 = 1"):
    """The database refuses entries that meet the condition, as a full disk would."""
    table = "clients_auditentry"
    if connection.vendor == "sqlite":
        make = f"CREATE TRIGGER refusing BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        drop = "DROP TRIGGER refusing"
    else:
        make = f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$;
            CREATE TRIGGER refusing BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"""
        drop = f"DROP TRIGGER refusing ON {table}; DROP FUNCTION refuse()"
    with connection.cursor() as cursor:
        cursor.execute(make)
        try:
            yield
        finally:
            cursor.execute(drop)


TROUBLES = {"locked": locked_database, "audit": refusing_audit}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("kind", KINDS)
def test_database_that_does_not_take_the_intent_nothing_happened(lasting_world, kind, trouble):
    world = lasting_world
    harness.prepare(world, kind)
    world.sandbox.clear()
    before, form = everything_here(), {"operation_id": new_ulid()}
    with TROUBLES[trouble]():
        process = start(acting(world, kind, **form), PROVE_LOCK_WAIT="0.3")
        assert finish(process) == 1 or process.said[0] != '"done"\n', process.said
    assert everything_here() == before
    assert world.sandbox.calls() == []

    assert answer_of(start(acting(world, kind, **form))) == "done"
    settled_and_green(world)


@pytest.mark.parametrize("kind", KINDS)
def test_database_locked_when_the_answer_comes_is_resolved_later(lasting_world, kind):
    world = lasting_world
    harness.prepare(world, kind)
    world.sandbox.clear()
    world.sandbox.fault(first_call(kind), "slow", seconds=1)
    process = start(acting(world, kind), PROVE_LOCK_WAIT="0.3")
    wait_for_call(world, first_call(kind), process)
    with locked_database():
        assert finish(process) == 1, "it could not write down anything, not even that"
    operation = Operation.objects.get(kind=kind)
    assert operation.is_live and story(operation) == [Outcome.STARTED]

    settled_and_green(world)
    assert story(operation) == [Outcome.STARTED, Outcome.RESOLVED, Outcome.OK]
    assert len(world.remote_clients()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_audit_that_refuses_the_outcome_is_resolved_later(lasting_world, kind):
    world = lasting_world
    harness.prepare(world, kind)
    with refusing_audit("NEW.outcome <> 'started'"):
        act_here(world, kind)  # says what is not known, instead of that nothing was done
        for _ in range(2):  # while it lasts, workers may come by as often as they like
            harness.let_time_pass()
            operations.resume_due()
    operation = Operation.objects.get(kind=kind)
    assert operation.is_live and story(operation) == [Outcome.STARTED]
    settled_and_green(world)
    assert story(operation) == [Outcome.STARTED, Outcome.RESOLVED, Outcome.OK]
    assert len(world.remote_clients()) == 1


def act_here(world, kind):
    from tests.prove import actor

    actor.ACTS[kind](world.pool, {"actor": world.people["operator"], "operation_id": new_ulid()})


# --- F13: the key is gone, or wrong ------------------------------------------------------------------


@pytest.mark.parametrize("key_id", ["test", "another"], ids=["wrong", "missing"])
def test_wrong_key_when_a_creation_is_resumed_is_refused_until_it_is_back(lasting_world, key_id):
    world = lasting_world
    operation = stopped_halfway(world, "CreateUserPoolClient", world.create)
    harness.let_time_pass()
    assert run(WORKER, SEALING_KEYS=random_keys(key_id)) == 0
    operation.refresh_from_db()
    assert (operation.state, operation.last_error_code) == (OperationState.REFUSED, "seal_broken")
    assert "key" in operation.last_error or "does not open" in operation.last_error
    assert story(operation) == [Outcome.STARTED, Outcome.FAILED]
    assert Secret.objects.get().sealed_value and world.remote_clients() == []

    operations.retry_operation(operation, actor=world.people["operator"])
    settled_and_green(world)
    assert len(world.remote_clients()) == 1


def test_wrong_key_after_a_lost_answer_adopts_what_is_there(lasting_world):
    """Adopting needs no key, so the client becomes active; showing its secret waits for the right one."""
    world = lasting_world
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    world.create()
    harness.let_time_pass()
    assert run(WORKER, SEALING_KEYS=random_keys("another")) == 0
    settled_and_green(world)
    assert len(world.remote_clients()) == 1 and Secret.objects.get().can_be_shown


def test_wrong_key_when_a_secret_is_shown_spends_nothing(lasting_world, settings):
    world, right = lasting_world, settings.SEALING_KEYS
    secret = world.create().secrets.get()
    settings.SEALING_KEYS = random_keys("another")
    with pytest.raises(PortalError):
        secrets.reveal_secret(secret, actor=world.people["operator"])
    assert not AuditEntry.objects.filter(action="secret:show").exists()
    settings.SEALING_KEYS = right
    assert harness.shown_twice(world, secret, rounds=1) == []


# --- Requests that arrive late -----------------------------------------------------------------------


def test_create_applied_only_after_the_worker_looked_leaves_one_client(lasting_world):
    """The sandbox keeps the request for six seconds, longer than its sender waits. The worker looks, sees nothing and
    creates; the first request is applied while the second one is under way; settling removes one."""
    world = lasting_world
    world.sandbox.fault("CreateUserPoolClient", "slow", seconds=6)
    world.sandbox.fault("CreateUserPoolClient", "slow", seconds=1.7)
    assert answer_of(start(acting(world, "client:create"))) == "done"
    (sent,) = [call["at"] for call in world.sandbox.calls() if call["operation"] == "CreateUserPoolClient"]
    time.sleep(max(sent + 4.8 - time.time(), 0))  # by the sandbox's clock: how long a process takes to end is no matter
    assert Operation.objects.get().was_unknown and world.remote_clients() == []
    harness.drain()
    assert world.sandbox.writes().count("CreateUserPoolClient") == 2
    assert world.sandbox.writes().count("DeleteUserPoolClient") == 1
    settled_and_green(world)
    assert len(world.remote_clients()) == 1


def test_create_applied_after_everything_was_settled_is_reported_as_ours(lasting_world):
    """Later than any margin: nothing can be waiting for it any more. The comparison names the client, with our tag;
    a client the portal does not know it never touches."""
    world = lasting_world
    world.sandbox.fault("CreateUserPoolClient", "slow", seconds=8)
    assert answer_of(start(acting(world, "client:create"))) == "done"
    harness.drain()
    assert harness.is_settled() and len(world.remote_clients()) == 1
    deadline = time.monotonic() + 20
    while len(world.remote_clients()) == 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    world.sandbox.clear()
    harness.reconcile()
    known, found = AppClient.objects.get(), UserPool.objects.get().foreign_clients
    assert [(item["ours"], item["name"]) for item in found] == [(True, known.cognito_name)]
    assert found[0]["client_id"] != known.client_id and world.sandbox.writes() == []
    assert AuditEntry.objects.filter(action="pool:compare").count() == 1
    assert [s[:2] for s in harness.broken_invariants(world)] == ["I1"], "and the harness does not overlook it"
