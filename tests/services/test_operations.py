"""The engine among others: two workers, two clicks, a lease lost, giving up."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from clients.errors import Conflict, PortalError
from clients.models import AppClient, AuditEntry, Operation, OperationState, Outcome
from clients.models.ids import new_ulid
from clients.services import app_clients, operations


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0
    settings.COGNITO_WRITES_PER_SECOND = 0


def at_once(*acts):
    """Runs the acts in threads that start together; returns what each returned or raised."""
    results, start = [None] * len(acts), threading.Barrier(len(acts))

    def run(number, act):
        start.wait()
        try:
            results[number] = act()
        except PortalError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_same_form_sent_by_eight_threads_creates_one_client(lasting_world):
    operation_id = new_ulid()
    results = at_once(*[lambda: lasting_world.create(operation_id=operation_id)] * 8)
    assert len({r.pk for r in results}) == 1 and len(lasting_world.remote_clients()) == 1


def test_same_name_by_two_operators_at_once_creates_one_client(lasting_world):
    results = at_once(lasting_world.create, lasting_world.create)
    assert sorted(isinstance(r, AppClient) for r in results) == [False, True]
    assert len(lasting_world.remote_clients()) == 1


def test_two_operators_changing_scopes_at_once_one_wins_the_other_is_told(lasting_world):
    world = lasting_world
    app_client = world.create()

    def change(scope):
        fresh = AppClient.objects.select_related("pool", "tenant").get()
        return app_clients.change_scopes(
            fresh,
            actor=world.people["operator"],
            operation_id=new_ulid(),
            generation=app_client.generation,
            scopes=[scope],
        )

    results = at_once(lambda: change("orders/write"), lambda: change("shipments/read"))
    won = [r for r in results if isinstance(r, Operation)]
    assert len(won) == 1 and sum(isinstance(r, Conflict) for r in results) == 1
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == won[0].params["scopes"]


def test_two_workers_take_an_operation_once(lasting_world):
    lasting_world.sandbox.fault("CreateUserPoolClient", "throttle")
    lasting_world.create()
    Operation.objects.update(next_try_at=timezone.now())
    assert sorted(at_once(operations.resume_due, operations.resume_due)) == [0, 1]
    assert len(lasting_world.remote_clients()) == 1


def test_a_late_worker_cannot_record(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    app_client = world.create()
    operation = app_client.operations.get()
    Operation.objects.update(next_try_at=timezone.now())
    operation.refresh_from_db()
    late = Operation.objects.get(pk=operation.pk)
    assert operations.claim(operation) is False
    late.lease_token = "somebody else's"
    entries = AuditEntry.objects.count()
    operations.drive(late)
    assert AuditEntry.objects.count() == entries
    operation.refresh_from_db()
    assert operation.is_live and operation.step == "create"


def test_giving_up_is_visible_frees_the_target_and_can_be_retried(world, monkeypatch):
    monkeypatch.setattr(operations, "MOST_ATTEMPTS", 2)
    world.sandbox.fault("CreateUserPoolClient", "throttle", times=2)
    app_client = world.create()
    Operation.objects.update(next_try_at=timezone.now())
    operations.resume_due()
    operation = app_client.operations.get()
    assert operation.state == OperationState.GIVEN_UP
    assert AuditEntry.objects.filter(operation_id=operation.pk, outcome=Outcome.FAILED).count() == 1

    operations.retry_operation(operation, actor=world.people["support"])
    app_client.refresh_from_db()
    assert app_client.status == "active"


def test_retry_while_the_lost_request_may_be_on_its_way_is_refused(world):
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    operation = world.create().operations.get()
    with pytest.raises(Conflict, match="may still be on its way"):
        operations.retry_operation(operation, actor=world.people["operator"])


def test_waiting_operation_is_not_taken_before_its_time(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    world.create()
    Operation.objects.update(next_try_at=timezone.now() + timedelta(seconds=30))
    assert operations.resume_due() == 0
