"""F8, F9, F11: the same operation in two hands, two people at one client, clocks a day wrong; over real processes."""

from itertools import combinations_with_replacement

import pytest

from clients.models import AppClient, AuditEntry, Operation, OperationState, UserPool
from clients.services import operations
from tests.prove import harness
from tests.prove.processes import acting, answer_of, hold, let_go, start, together, wait_for_call

DAY = 86_400
# Settling only follows an unknown outcome.
# An emergency publishes its denial before its operation begins, and is tried again by its own process while that lives.
BEFORE_ITS_OPERATION, BY_ITSELF = ("secret:revoke", "deny"), "secret:revoke"
STEPS = [each for each in harness.REMOTE_CALL if each[1] != "settle" and each != BEFORE_ITS_OPERATION]


def settled_and_green(world):
    harness.reconcile()
    assert harness.is_settled(), list(Operation.objects.values())
    assert harness.broken_invariants(world) == []


# --- F8: delivered twice ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", harness.chosen(sorted({*operations.KINDS} - {BY_ITSELF})))
def test_two_workers_at_once_make_one_call_and_one_story(lasting_world, kind):
    world, call = lasting_world, harness.REMOTE_CALL[kind, operations.KINDS[kind][0].name]
    harness.prepare(world, kind)
    world.sandbox.fault(call, "throttle")
    assert answer_of(start(acting(world, kind))) == "done"
    operation = Operation.objects.get(kind=kind)
    assert operation.state == OperationState.WAITING
    harness.let_time_pass()
    world.sandbox.clear()
    world.sandbox.fault(call, "slow", seconds=0.5)

    assert together(acting(world, "worker"), acting(world, "worker")) == ["done", "done"]

    story = AuditEntry.objects.filter(operation_id=operation.pk).order_by("sequence")
    assert list(story.values_list("outcome", flat=True)) == ["started", "ok"]
    # A document due is also put by the worker's other job: conditional, so it may come twice.
    assert call == "PutItem" or world.sandbox.writes().count(call) == 1
    settled_and_green(world)


@pytest.mark.parametrize(("kind", "step"), harness.chosen(STEPS))
def test_a_lease_that_runs_out_during_the_call_leaves_one_result_and_one_story(lasting_world, kind, step):
    """The first process hangs in its call, its lease ends, a worker takes over and is done, then the first one's call
    is answered: it may have been applied, but is not written down."""
    world, call = lasting_world, harness.REMOTE_CALL[kind, step]
    harness.prepare(world, kind)
    world.sandbox.clear()
    world.sandbox.fault(call, "slow", times=2, seconds=1.5)
    late = start(acting(world, kind))
    wait_for_call(world, call, late)
    harness.drain()
    assert operations_of(kind) == [OperationState.DONE]
    entries = AuditEntry.objects.count()

    assert answer_of(late) == "done" and "lease lost" in late.said[1]
    assert AuditEntry.objects.count() == entries
    settled_and_green(world)


def operations_of(kind):
    return list(Operation.objects.filter(kind=kind).values_list("state", flat=True))


# --- F11: a clock a day wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["the first process a day behind", "the worker a day ahead"])
@pytest.mark.parametrize("kind", ["client:create", "client:change", "client:attributes"])
def test_a_clock_a_day_wrong_takes_over_and_nothing_is_done_twice(lasting_world, kind, wrong):
    """Either way the lease seems to have run out while its holder is in the middle of its call."""
    world, call = lasting_world, harness.REMOTE_CALL[kind, operations.KINDS[kind][0].name]
    behind, ahead = (-DAY, 0) if "behind" in wrong else (0, DAY)
    harness.prepare(world, kind)
    harness.let_time_pass()  # the pace of writing to the pool is the pool's own, see test_quota
    world.sandbox.clear()
    world.sandbox.fault(call, "slow", times=2, seconds=1)
    late = hold(acting(world, kind), PROVE_CLOCK_SHIFT=str(behind))
    worker = hold(acting(world, "worker"), PROVE_CLOCK_SHIFT=str(ahead))
    let_go(late)
    wait_for_call(world, call, late)
    UserPool.objects.update(lease_until=0)
    let_go(worker)
    assert answer_of(worker) == answer_of(late) == "done"
    assert "lease lost" in late.said[1]

    harness.drain()
    assert operations_of(kind) == [OperationState.DONE]
    settled_and_green(world)


# --- F9: two people at one client ------------------------------------------------------------------

FORMS = {
    "client:change": {"generation": 1},
    "settings": {"generation": 1},
    "client:attributes": {"generation": 1},
    "client:pause": {},
    "client:delete": {},
    "reveal": {},
}
PAIRS = list(combinations_with_replacement(FORMS, 2))


@pytest.mark.parametrize("pair", harness.chosen(PAIRS), ids="+".join)
def test_two_people_at_once_the_second_is_told(lasting_world, pair):
    world = lasting_world
    harness.prepare(world, "client:change")
    world.sandbox.clear()
    for call in ("UpdateUserPoolClient", "PutItem"):
        world.sandbox.fault(call, "slow", seconds=0.4)  # so that the first is at it when the second comes

    answers = together(*[acting(world, act, **FORMS[act]) for act in pair])

    told = dict(zip(pair, answers, strict=True)) if pair[0] != pair[1] else {pair[0]: "done"}
    assert_legal(pair, answers)
    acted = [act for act, answer in zip(pair, answers, strict=True) if answer == "done"]
    assert AuditEntry.objects.filter(action="secret:show").count() == acted.count("reveal")
    assert Operation.objects.exclude(kind="client:create").count() == len(acted) - acted.count("reveal")
    settled_and_green(world)
    if "client:delete" not in acted:
        assert_kept(world, {act for act, answer in told.items() if answer == "done"})


def assert_legal(pair, answers):
    """Of two forms that saw the same state one wins; beside a showing, and after a pause, both may."""
    refusals = [answer for answer in answers if answer != "done"]
    assert len(refusals) < 2 and set(refusals) <= {"conflict", "already_shown"}, answers
    if pair[0] == pair[1] or all(FORMS[act] for act in pair):
        assert len(refusals) == 1, answers
    if "reveal" in pair and not {"client:delete"} & {*pair} and pair[0] != pair[1]:
        assert refusals == []


def assert_kept(world, acted):
    """What was said to be done stands here and in Cognito; what was refused left nothing."""
    app_client = AppClient.objects.get()
    remote, document = world.describe(app_client.client_id), world.document(app_client.client_id)
    scopes = ["orders/write", "shipments/read"] if "client:change" in acted else ["orders/read"]
    assert sorted(remote["AllowedOAuthScopes"]) == scopes
    name = "renamed" if "settings" in acted else "northwind-orders-prod"
    assert (app_client.name, remote["ClientName"]) == (name, app_client.cognito_name)
    assert remote["AccessTokenValidity"] == (600 if "settings" in acted else 3600)
    if "client:pause" not in acted:
        assert ('"rate_limit":240' in document["claims"]["S"]) == ("client:attributes" in acted)
    assert remote.get("AllowedOAuthFlowsUserPoolClient", False) == ("client:pause" not in acted)
