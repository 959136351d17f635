"""Rotating a secret: done, refused, Cognito failing; each looks at rows, at Cognito and at the trail."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import Conflict, InvalidInput, NotReady
from clients.models import (
    AppClient,
    AuditEntry,
    Handover,
    Operation,
    OperationState,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
)
from clients.models.ids import new_ulid
from clients.services import client_states, evidence, operations, rotations, rotations_due, secrets
from clients.services.secret_steps import accepts


def start(world, app_client, **changes):
    wanted = {"actor": world.people["support"], "operation_id": new_ulid(), "overlap_hours": 168} | changes
    return rotations.start_rotation(app_client, **wanted)


@pytest.fixture
def app_client(world):
    """A client whose customer holds its secret."""
    made = world.create()
    secrets.reveal_secret(made.secrets.get(), actor=world.people["operator"])
    return made


def deliver(world, rotation, *, stored=True):
    new = Secret.objects.select_related("app_client").get(pk=rotation.new_secret_id)
    secrets.reveal_secret(new, actor=world.people["operator"])
    if stored:
        evidence.mark_stored(new, actor=world.people["manager"])
    rotation.refresh_from_db()


def ids_there(world, app_client):
    pool = world.pool.user_pool_id
    listed = world.cognito.list_user_pool_client_secrets(UserPoolId=pool, ClientId=app_client.client_id)
    return {item["ClientSecretId"] for item in listed["ClientSecrets"]}


def states(app_client):
    return list(app_client.secrets.order_by("pk").values_list("state", flat=True))


def said(action):
    return list(AuditEntry.objects.filter(action=action).order_by("sequence").values_list("outcome", flat=True))


def let_time_pass():
    past = timezone.now() - timedelta(minutes=10)
    Operation.objects.live().update(next_try_at=past, lease_until=past)
    Rotation.objects.update(next_try_at=past)


# --- Start ---------------------------------------------------------------------------------------


def test_start_adds_a_tested_secret_beside_the_old_one(world, app_client):
    operation = start(world, app_client)

    assert operation.state == OperationState.DONE
    rotation = Rotation.objects.get()
    assert rotation.is_open and rotation.tested_at and rotation.started_by == world.people["support"]
    assert rotation.ends_at - rotation.tested_at == timedelta(days=7)
    assert states(app_client) == [SecretState.CURRENT, SecretState.NEW]
    new = rotation.new_secret
    assert new.can_be_shown and accepts(app_client, new)
    assert ids_there(world, app_client) == {s.cognito_secret_id for s in app_client.secrets.all()}
    app_client.refresh_from_db()
    assert app_client.status == Status.ROTATING
    assert said("secret:rotate") == ["started", "ok"]


def test_the_same_form_twice_is_one_rotation(world, app_client):
    wanted = {"operation_id": new_ulid()}
    assert start(world, app_client, **wanted).pk == start(world, app_client, **wanted).pk
    assert Rotation.objects.count() == 1 and len(ids_there(world, app_client)) == 2


def test_two_secrets_there_already_are_named(world, app_client):
    start(world, app_client)
    old, new = app_client.secrets.order_by("pk")
    with pytest.raises(Conflict) as refused:
        start(world, app_client)
    assert f"…{old.ending}" in refused.value.sentence and f"…{new.ending}" in refused.value.sentence
    assert Rotation.objects.count() == 1 and Secret.objects.count() == 2


@pytest.mark.parametrize("hours", [0, -1, 721, 10**6])
def test_an_overlap_outside_the_policy_is_refused_beside_its_field(world, app_client, hours):
    with pytest.raises(InvalidInput) as refused:
        start(world, app_client, overlap_hours=hours)
    assert list(refused.value.fields) == ["overlap_hours"]
    assert not Rotation.objects.exists() and said("secret:rotate") == []


def test_none_starts_on_a_paused_client(world, app_client):
    client_states.pause_client(
        app_client, actor=world.people["support"], operation_id=new_ulid(), reason="the tenant asked"
    )
    with pytest.raises(Conflict, match="paused"):
        start(world, app_client)
    assert len(ids_there(world, app_client)) == 1


def test_none_starts_where_it_could_not_be_tested(world, app_client):
    type(world.pool).objects.update(token_url="")
    with pytest.raises(NotReady, match="token URL"):
        start(world, app_client)
    assert Secret.objects.count() == 1


def test_a_secret_somebody_else_made_is_named_and_left(world, app_client):
    pool = world.pool.user_pool_id
    world.cognito.add_user_pool_client_secret(UserPoolId=pool, ClientId=app_client.client_id)
    before = ids_there(world, app_client)

    operation = start(world, app_client)
    assert operation.state == OperationState.REFUSED and "did not make" in operation.last_error

    rotations_due.advance_due()
    assert Rotation.objects.get().state == RotationState.CANCELLED
    assert ids_there(world, app_client) == before
    assert states(app_client) == [SecretState.CURRENT, SecretState.RETIRED]
    assert AppClient.objects.get().status == Status.ACTIVE


# --- Waiting for Cognito ---------------------------------------------------------------------------


def test_a_secret_that_needs_a_moment_is_not_handed_over_before_it_works(world, app_client):
    world.sandbox.settings(secret_delay_seconds=1.5)
    try:
        operation = start(world, app_client)
        assert operation.state == OperationState.WAITING and operation.step == "test"
        new = Secret.objects.get(state=SecretState.PENDING)
        assert not new.can_be_shown and Rotation.objects.get().state == RotationState.STARTING
        for _ in range(40):
            let_time_pass()
            operations.resume_due()
            if Rotation.objects.get().is_open:
                break
            time.sleep(0.1)
        new.refresh_from_db()
        assert new.can_be_shown
    finally:
        world.sandbox.settings(secret_delay_seconds=0)


def test_one_that_never_works_is_taken_away_and_the_old_one_untouched(world, app_client, settings):
    settings.SECRET_TEST_SECONDS = 0
    world.sandbox.settings(secret_delay_seconds=3600)
    try:
        start(world, app_client)
        rotations_due.advance_due()
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    rotation = Rotation.objects.get()
    assert rotation.state == RotationState.CANCELLED and "never accepted" in rotation.last_error
    old = app_client.secrets.order_by("pk").first()
    assert ids_there(world, app_client) == {old.cognito_secret_id}
    assert states(app_client) == [SecretState.CURRENT, SecretState.RETIRED]
    assert not Secret.objects.exclude(pk=old.pk).get().sealed_value
    assert said("secret:cancel") == ["started", "ok"]


def test_a_refusal_by_the_trigger_proves_that_the_secret_was_accepted(world, app_client):
    """The flow is off in Cognito: `invalid_grant` comes after the secret was checked."""
    pool = world.pool.user_pool_id
    held = world.describe(app_client.client_id)
    kept = {k: v for k, v in held.items() if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}
    world.cognito.update_user_pool_client(**kept | {"AllowedOAuthFlowsUserPoolClient": False, "UserPoolId": pool})
    assert start(world, app_client).state == OperationState.DONE
    assert Rotation.objects.get().is_open


def test_a_lost_answer_to_the_adding_leaves_one_new_secret(world, app_client):
    world.sandbox.fault("AddUserPoolClientSecret", "lose_answer")
    operation = start(world, app_client)
    assert operation.state == OperationState.WAITING and operation.was_unknown
    let_time_pass()
    operations.resume_due()
    rotation = Rotation.objects.get()
    assert rotation.is_open and len(ids_there(world, app_client)) == 2
    assert rotation.new_secret.cognito_secret_id in ids_there(world, app_client)


def test_after_a_lost_answer_a_stranger_is_not_taken_for_ours(world, app_client, settings):
    settings.SECRET_TEST_SECONDS = 0
    world.sandbox.fault("AddUserPoolClientSecret", "drop")
    operation = start(world, app_client)
    assert operation.was_unknown
    pool = world.pool.user_pool_id
    world.cognito.add_user_pool_client_secret(UserPoolId=pool, ClientId=app_client.client_id)
    before = ids_there(world, app_client)
    let_time_pass()
    operations.resume_due()
    operation.refresh_from_db()
    assert operation.state == OperationState.REFUSED
    rotations_due.advance_due()
    assert Rotation.objects.get().state == RotationState.CANCELLED
    assert ids_there(world, app_client) == before


# --- While both work -------------------------------------------------------------------------------


def test_stored_says_that_the_new_one_is_in_use_and_counts_the_overlap_anew(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    Rotation.objects.update(ends_at=timezone.now() + timedelta(hours=1))
    deliver(world, rotation)
    assert rotation.acknowledged_at and rotation.ends_at > timezone.now() + timedelta(days=6)
    assert states(app_client) == [SecretState.RETIRING, SecretState.CURRENT]
    assert said("rotation:acknowledge") == ["ok"]


def test_stored_by_staff_is_not_the_customers_word(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation, stored=False)
    evidence.mark_stored(Secret.objects.get(pk=rotation.new_secret_id), actor=world.people["operator"])
    rotation.refresh_from_db()
    assert rotation.acknowledged_at is None and not rotation.has_evidence
    assert states(app_client) == [SecretState.CURRENT, SecretState.NEW]
    assert said("secret:stored") == ["ok"] and said("rotation:acknowledge") == []


def test_nobody_can_say_so_before_it_was_shown(world, app_client):
    start(world, app_client)
    with pytest.raises(Conflict, match="shown"):
        evidence.acknowledge(Rotation.objects.get(), actor=world.people["manager"])
    assert Rotation.objects.get().acknowledged_at is None


def test_extend_until_the_last_second_and_within_the_policy(world, app_client):
    start(world, app_client, overlap_hours=1)
    Rotation.objects.update(ends_at=timezone.now() - timedelta(hours=1))
    until = rotations.extend_overlap(Rotation.objects.get(), hours=24, actor=world.people["manager"])
    assert Rotation.objects.get().ends_at == until > timezone.now() + timedelta(hours=23)
    with pytest.raises(InvalidInput):
        rotations.extend_overlap(Rotation.objects.get(), hours=720, actor=world.people["manager"])
    assert Rotation.objects.get().ends_at == until and said("rotation:extend") == ["ok"]


def test_other_changes_go_on_during_the_overlap(world, app_client):
    start(world, app_client)
    said_so = {"actor": world.people["support"], "reason": "the tenant asked"}
    for act, status in ((client_states.pause_client, Status.PAUSED), (client_states.resume_client, Status.ROTATING)):
        operation = act(AppClient.objects.get(), operation_id=new_ulid(), **said_so)
        assert operation.state == OperationState.DONE and AppClient.objects.get().status == status


# --- Finish and cancel -----------------------------------------------------------------------------


def finish(world, rotation, **changes):
    wanted = {"actor": world.people["operator"], "operation_id": new_ulid()} | changes
    return rotations.finish_rotation(rotation, **wanted)


def cancel(world, rotation, **changes):
    wanted = {"actor": world.people["operator"], "operation_id": new_ulid()} | changes
    return rotations.cancel_rotation(rotation, **wanted)


def test_finish_on_evidence_removes_the_old_one(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)

    assert finish(world, rotation).state == OperationState.DONE

    rotation.refresh_from_db()
    assert rotation.state == RotationState.FINISHED and rotation.removed_at
    assert states(app_client) == [SecretState.RETIRED, SecretState.CURRENT]
    assert ids_there(world, app_client) == {rotation.new_secret.cognito_secret_id}
    row = AppClient.objects.get()
    assert row.status == Status.ACTIVE and row.expires_at == rotation.new_secret.expires_at
    assert said("secret:finish") == ["started", "ok"]


def test_finish_without_evidence_asks_for_the_ending_and_a_reason(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation, stored=False)
    with pytest.raises(InvalidInput) as refused:
        finish(world, rotation)
    assert set(refused.value.fields) == {"typed", "reason"} and len(ids_there(world, app_client)) == 2
    operation = finish(world, rotation, typed=rotation.old_secret.ending, reason="They called")
    assert operation.state == OperationState.DONE and operation.reason == "They called"
    assert len(ids_there(world, app_client)) == 1


def test_the_only_one_the_customer_holds_is_never_removed(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    with pytest.raises(Conflict, match="all the customer has"):
        finish(world, rotation, typed=rotation.old_secret.ending, reason="in a hurry")
    assert len(ids_there(world, app_client)) == 2 and said("secret:finish") == []


def test_finish_refuses_when_the_new_one_is_gone_from_cognito(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    pool, new_id = world.pool.user_pool_id, rotation.new_secret.cognito_secret_id
    world.cognito.delete_user_pool_client_secret(UserPoolId=pool, ClientId=app_client.client_id, ClientSecretId=new_id)
    assert finish(world, rotation).state == OperationState.REFUSED
    assert ids_there(world, app_client) == {rotation.old_secret.cognito_secret_id}
    rotations_due.advance_due()
    rotation.refresh_from_db()
    assert rotation.is_open and "does not hold the new secret" in rotation.last_error


def test_finish_after_a_lost_answer_is_done_once(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    world.sandbox.fault("DeleteUserPoolClientSecret", "lose_answer")
    assert finish(world, rotation).state == OperationState.WAITING
    let_time_pass()
    operations.resume_due()
    assert Rotation.objects.get().state == RotationState.FINISHED and len(ids_there(world, app_client)) == 1


def test_cancel_takes_the_new_one_away(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    assert cancel(world, rotation).state == OperationState.DONE
    rotation.refresh_from_db()
    assert rotation.state == RotationState.CANCELLED
    assert states(app_client) == [SecretState.CURRENT, SecretState.RETIRED]
    assert ids_there(world, app_client) == {rotation.old_secret.cognito_secret_id}
    assert AppClient.objects.get().status == Status.ACTIVE and said("secret:cancel") == ["started", "ok"]


def test_cancel_of_one_in_use_asks_for_its_ending_and_a_reason(world, app_client):
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    with pytest.raises(InvalidInput):
        cancel(world, rotation)
    assert cancel(world, rotation, typed=rotation.new_secret.ending, reason="wrong one").state == OperationState.DONE
    assert states(app_client) == [SecretState.CURRENT, SecretState.RETIRED]


def test_finish_and_cancel_at_once_is_one_of_them(world, app_client):
    start(world, app_client)
    rotation, same = Rotation.objects.get(), Rotation.objects.get()
    cancel(world, rotation)
    with pytest.raises((Conflict, InvalidInput)):
        finish(world, same, typed=same.old_secret.ending, reason="late")
    assert ids_there(world, app_client) == {rotation.old_secret.cognito_secret_id}


def test_what_a_manager_started_waits_for_that_manager(world, app_client):
    manager = world.people["manager"]
    assert start(world, app_client, actor=manager).state == OperationState.DONE
    offered = Handover.objects.get()
    assert (offered.member, offered.secret) == (manager, Rotation.objects.get().new_secret) and offered.is_open
    assert said("handover:create") == ["ok"]


def test_cancel_leaves_nobody_without_a_secret(world):
    app_client = world.create()  # nobody was shown its first one
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation, stored=False)
    with pytest.raises(Conflict, match="only one anybody was shown"):
        cancel(world, rotation)
    assert len(ids_there(world, app_client)) == 2 and Rotation.objects.get().is_open


def test_cancel_of_one_that_came_into_use_meanwhile_asks_again(world, app_client):
    start(world, app_client)
    seen = Rotation.objects.get()
    deliver(world, Rotation.objects.get())
    with pytest.raises(Conflict, match="changed just now"):
        cancel(world, seen)
    assert len(ids_there(world, app_client)) == 2 and Rotation.objects.get().is_open and said("secret:cancel") == []
