"""Requests that arrive after their sender gave up, clocks a day ahead, names taken in between, many at once."""

import threading
import time
from types import SimpleNamespace

import pytest
from django.db import connection

from clients.errors import PortalError
from clients.models import AppClient, Operation, OperationState, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, client_changes, operations
from tests.prove import harness
from tests.prove.processes import KILLED, acting, answer_of, run, start, wait_for_call
from tests.prove.test_fault_alphabet import refusing_audit

A_DAY = "86400"


def at_once(*acts):
    """What each returned or raised, started together in threads."""
    results, barrier = [None] * len(acts), threading.Barrier(len(acts))

    def one(number, act):
        barrier.wait()
        try:
            results[number] = act()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_creations_of_one_tenant_at_once_never_deadlock(lasting_world):
    def several(number):
        return [lasting_world.create(name=f"client-{number}-{turn}") for turn in range(5)]

    results = at_once(*[lambda n=n: several(n) for n in range(4)])
    assert [r for r in results if not isinstance(r, list)] == []


@pytest.mark.parametrize("both_slow", [False, True], ids=["after-the-look", "twins"])
def test_our_own_late_resource_server_is_taken_for_ours(lasting_world, both_slow):
    world = lasting_world
    if both_slow:
        world.sandbox.fault("CreateResourceServer", "slow", times=2, seconds=1.5)
    else:
        world.sandbox.fault("CreateResourceServer", "slow", seconds=3)
        world.sandbox.fault("CreateResourceServer", "slow", seconds=1.5)
    late = start(acting(world, "resource_server:create"))
    if both_slow:
        wait_for_call(world, "CreateResourceServer", late)
        harness.drain()
        answer_of(late)
    else:
        answer_of(late)
        harness.drain()
    operation = Operation.objects.get(kind="resource_server:create")
    assert operation.state == OperationState.DONE, operation.last_error
    assert harness.broken_invariants(world) == []


def test_pool_written_by_a_process_a_day_ahead_is_not_closed_for_a_day(lasting_world):
    world = lasting_world
    answer_of(start(acting(world, "client:create"), PROVE_CLOCK_SHIFT=A_DAY))
    done = client_changes.change_scopes(
        AppClient.objects.get(), actor=world.people["operator"], operation_id=new_ulid(), generation=1,
        scopes=["orders/write"],
    )  # fmt: skip
    assert done.state == OperationState.DONE, done.last_error


def test_operation_left_by_a_process_a_day_ahead_goes_on(lasting_world):
    died = run(acting(lasting_world, "client:create"), crash="answered:client:create:create", PROVE_CLOCK_SHIFT=A_DAY)
    assert died == KILLED
    UserPool.objects.update(lease_until=0, next_write_at=0)
    time.sleep(3)  # the lost request's time is over
    assert operations.resume_due() == 1
    assert AppClient.objects.get().status == "active"


def test_two_clients_renamed_to_one_name_the_second_is_told(lasting_world, monkeypatch):
    both = [lasting_world.create(name=name) for name in ("one", "two")]
    honest = app_clients.transaction.atomic

    def dawdling(*args, **named):  # between the look for the name and the write
        time.sleep(0.3)
        return honest(*args, **named)

    monkeypatch.setattr(app_clients, "transaction", SimpleNamespace(atomic=dawdling))

    def rename(app_client):
        return client_changes.change_settings(
            AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk), generation=1, name="same",
            actor=lasting_world.people["operator"], operation_id=new_ulid(), access_token_seconds=3600, contact=None,
            notes="",
        )  # fmt: skip

    results = at_once(*[lambda c=c: rename(c) for c in both])
    assert sorted(isinstance(r, Operation) for r in results) == [False, True]
    assert [type(r).__name__ for r in results if isinstance(r, PortalError)] == ["InvalidInput"]


def test_a_trail_that_cannot_be_written_is_not_called_a_taken_name(lasting_world):
    with refusing_audit(), pytest.raises(Exception) as caught:
        lasting_world.create()
    assert "already has a client" not in str(caught.value)
