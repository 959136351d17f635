"""The engine among others: two workers, two clicks, a lease lost, giving up."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from clients.errors import Conflict, PortalError
from clients.models import AppClient, AuditEntry, Operation, OperationState, Outcome
from clients.models.ids import new_ulid
from clients.services import app_clients, client_changes, operations


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0


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
        return client_changes.change_scopes(
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
    assert operation.last_error == "AWS asks to slow down. After 2 attempts the portal has stopped trying."
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


def test_a_request_believed_lost_that_arrives_later_leaves_one_client(world):
    """The first create is applied although nobody saw it in time, the second one too: the recorded client stays."""
    from clients.aws.cognito import Gateway

    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    app_client = world.create()
    honest, looks = Gateway.find_clients_by_tag, []

    def late(self, tag):
        looks.append(honest(self, tag))
        return [] if len(looks) == 1 else looks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "find_clients_by_tag", late)
        Operation.objects.update(next_try_at=timezone.now())
        operations.resume_due()
    app_client.refresh_from_db()
    assert app_client.status == "active" and len(looks) == 2
    assert [c["ClientId"] for c in world.remote_clients()] == [app_client.client_id]
    detail = AuditEntry.objects.get(action="client:create", outcome=Outcome.OK).detail
    assert detail["step"] == "publish"


def test_what_cannot_be_written_down_is_looked_for_later(world, monkeypatch):
    """Cognito has created it, our own writing breaks: not lost, not created twice, not handed out for ever."""
    honest, calls = app_clients.AppClient.objects.filter, []

    def breaking(*args, **named):
        if "client_id__isnull" in named and not calls:
            calls.append(named)
            raise ZeroDivisionError("a defect while recording")
        return honest(*args, **named)

    monkeypatch.setattr(app_clients.AppClient.objects, "filter", breaking)
    app_client = world.create()
    waiting = Operation.objects.get()
    assert (waiting.state, waiting.step, waiting.last_error_code) == (OperationState.WAITING, "create", "unknown")
    Operation.objects.update(next_try_at=timezone.now())
    assert operations.resume_due() == 1
    app_client.refresh_from_db()
    assert app_client.status == "active" and len(world.remote_clients()) == 1


def test_one_operation_that_cannot_be_driven_leaves_the_others_their_turn(world, monkeypatch):
    world.sandbox.fault("CreateUserPoolClient", "throttle", times=2)
    first, second = world.create(name="first"), world.create(name="second")
    Operation.objects.update(next_try_at=timezone.now())
    honest = operations.claim

    def failing(operation):
        if operation.app_client_id == first.pk:
            raise ZeroDivisionError("a defect")
        return honest(operation)

    monkeypatch.setattr(operations, "claim", failing)
    assert operations.resume_due() == 1
    second.refresh_from_db()
    assert second.status == "active"


def test_a_step_of_another_version_waits_for_a_worker_that_knows_it(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    world.create()
    Operation.objects.update(next_try_at=timezone.now(), step="a-step-of-tomorrow")
    assert operations.resume_due() == 1
    waiting = Operation.objects.get()
    assert waiting.state == OperationState.WAITING and "Another worker" in waiting.last_error


def test_a_real_double_click_is_one_change_for_both(lasting_world):
    """Both posts arrive at the same moment: neither is told that somebody else was faster."""
    world, same = lasting_world, new_ulid()
    world.create()

    def change():
        return client_changes.change_scopes(
            AppClient.objects.select_related("pool", "tenant").get(), actor=world.people["operator"], operation_id=same,
            generation=1, scopes=["orders/write"],
        )  # fmt: skip

    results = at_once(*[change] * 4)
    assert {getattr(r, "pk", r) for r in results} == {same}
    assert Operation.objects.filter(kind="client:change").count() == 1
