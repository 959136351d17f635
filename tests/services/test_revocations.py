"""Emergencies: the leaked secret is gone, a replacement waits, tokens stop when they should, and the trail says why."""

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import (
    AppClient,
    AuditEntry,
    Operation,
    OperationState,
    Priority,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
)
from clients.models.ids import new_ulid
from clients.services import (
    client_changes,
    client_states,
    operations,
    revocations,
    rotations_due,
    secret_steps,
)
from clients.services import secret_records as records
from clients.services.secret_steps import accepts
from tests.services.test_rotations import app_client, deliver, ids_there, let_time_pass, start, states  # noqa: F401


def revoke(world, secret, **changes):
    wanted = {
        "actor": world.people["support"], "operation_id": new_ulid(), "reason": "It stood in a public repository",
        "typed": secret.ending, "stop_now": False,
    } | changes  # fmt: skip
    return revocations.revoke_secret(secret, **wanted)


def writes(world):
    """Each once, in their order, but for what the asking for tokens does."""
    return list(dict.fromkeys(name for name in world.sandbox.writes() if name not in ("UpdateItem", "Token")))


def test_the_only_secret_is_replaced_before_it_is_removed(world, app_client):  # noqa: F811
    leaked = app_client.secrets.get()
    world.sandbox.clear()
    rotation = revoke(world, leaked)

    assert rotation.state == RotationState.FINISHED and rotation.is_emergency and rotation.removed_at
    assert writes(world) == ["AddUserPoolClientSecret", "DeleteUserPoolClientSecret"]
    new = Secret.objects.exclude(pk=leaked.pk).get()
    assert ids_there(world, app_client) == {new.cognito_secret_id}
    assert states(app_client) == [SecretState.RETIRED, SecretState.CURRENT]
    assert new.can_be_shown and accepts(app_client, new) and rotation.tested_at
    row = AppClient.objects.get()
    assert row.status == Status.ACTIVE and row.expires_at == new.expires_at
    entries = AuditEntry.objects.filter(reason="It stood in a public repository").order_by("sequence")
    assert [(e.action, e.outcome) for e in entries] == [
        ("secret:emergency", "ok"), ("secret:revoke", "started"), ("secret:revoke", "ok"),
    ]  # fmt: skip
    assert Operation.objects.get(kind="secret:revoke").priority == Priority.EMERGENCY


def rotating(world, app_client):  # noqa: F811
    """Both work, and the customer has stored the new one."""
    start(world, app_client)
    rotation = Rotation.objects.select_related("old_secret", "new_secret").get()
    deliver(world, rotation)
    return rotation


def assert_replaced(world, app_client, emergency):  # noqa: F811
    emergency.refresh_from_db()
    assert emergency.state == RotationState.FINISHED and emergency.tested_at and emergency.new_secret.can_be_shown
    assert ids_there(world, app_client) == {emergency.new_secret.cognito_secret_id}
    assert Secret.objects.get(pk=emergency.old_secret_id).state == SecretState.RETIRED


def test_of_two_the_last_one_cognito_holds_is_replaced_first(world, app_client):  # noqa: F811
    """Two stand here, and somebody removed the other one in the console: Cognito would refuse to remove its last."""
    rotation = rotating(world, app_client)
    world.cognito.delete_user_pool_client_secret(
        UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id,
        ClientSecretId=rotation.old_secret.cognito_secret_id,
    )  # fmt: skip
    assert_replaced(world, app_client, revoke(world, rotation.new_secret))


@pytest.mark.parametrize("ends", [records.FINISH, records.CANCEL])
def test_what_ends_while_the_emergency_waits_leaves_a_replacement_to_make(world, app_client, monkeypatch, ends):  # noqa: F811
    """Two were there at the click; when its turn comes the leaked one is the last."""
    monkeypatch.setattr(revocations, "PATIENCE", 0)
    rotation = rotating(world, app_client)
    gone, leaked = rotation.old_secret, rotation.new_secret
    if ends == records.CANCEL:
        gone, leaked = leaked, gone
    busy = Operation.objects.create(
        kind=ends, target=f"client:{app_client.public_id}", pool=world.pool, app_client=app_client, step="remove",
        lease_until=operations.timezone.now() + operations.timedelta(seconds=30), attempts=1, params_hash="x",
        actor=world.people["operator"], state=OperationState.RUNNING, aspect="secrets",
    )  # fmt: skip
    emergency = revoke(world, leaked)
    assert emergency.state == RotationState.REVOKING and emergency.new_secret is None
    secret_steps.remove(app_client, gone.cognito_secret_id)  # what was under way ends
    records.record_removed(rotation, ends)
    Operation.objects.filter(pk=busy.pk).update(state=OperationState.DONE)
    let_time_pass()
    rotations_due.advance_due()
    assert_replaced(world, app_client, emergency)


def test_stop_now_pauses_before_all_else(world, app_client):  # noqa: F811
    world.sandbox.clear()
    revoke(world, app_client.secrets.get(), stop_now=True)
    assert writes(world) == [
        "PutItem", "UpdateUserPoolClient", "AddUserPoolClientSecret", "DeleteUserPoolClientSecret"
    ]  # fmt: skip
    row = AppClient.objects.get()
    assert row.status == Status.PAUSED and row.before_pause["AllowedOAuthFlowsUserPoolClient"] is True
    assert world.document(row.client_id)["state"]["S"] == "paused"
    assert not world.describe(row.client_id).get("AllowedOAuthFlowsUserPoolClient")

    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "the new one is there"}
    client_states.resume_client(row, **said)
    row.refresh_from_db()
    assert row.status == Status.ACTIVE and world.describe(row.client_id)["AllowedOAuthFlowsUserPoolClient"]


def test_one_of_two_is_removed_and_the_other_stays(world, app_client):  # noqa: F811
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    emergency = revoke(world, rotation.old_secret)
    assert emergency.new_secret is None and ids_there(world, app_client) == {rotation.new_secret.cognito_secret_id}
    assert states(app_client) == [SecretState.RETIRED, SecretState.CURRENT]
    rotation.refresh_from_db()
    assert rotation.state == RotationState.CANCELLED and "emergency" in rotation.last_error
    assert AppClient.objects.get().status == Status.ACTIVE


def test_the_new_one_of_a_rotation_may_be_the_leaked_one(world, app_client):  # noqa: F811
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    revoke(world, rotation.new_secret)
    assert ids_there(world, app_client) == {rotation.old_secret.cognito_secret_id}
    assert states(app_client) == [SecretState.CURRENT, SecretState.RETIRED]


def test_it_takes_over_from_a_rotation_that_waits_for_its_test(world, app_client):  # noqa: F811
    leaked = app_client.secrets.get()
    world.sandbox.settings(secret_delay_seconds=3600)
    try:
        start(world, app_client)
        revoke(world, leaked)
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    overtaken = Operation.objects.get(kind="secret:rotate")
    assert overtaken.state == OperationState.GIVEN_UP and "emergency" in overtaken.last_error
    assert leaked.cognito_secret_id not in ids_there(world, app_client) and len(ids_there(world, app_client)) == 1
    assert Secret.objects.count() == 2, "the one that was just added is the replacement"
    assert states(app_client)[0] == SecretState.RETIRED


def test_it_adopts_what_an_overtaken_rotation_may_have_added(world, app_client):  # noqa: F811
    leaked = app_client.secrets.get()
    world.sandbox.fault("AddUserPoolClientSecret", "lose_answer")
    start(world, app_client)
    rotation = revoke(world, leaked)
    assert rotation.state == RotationState.FINISHED
    assert ids_there(world, app_client) == {rotation.new_secret.cognito_secret_id}
    assert accepts(app_client, rotation.new_secret) and states(app_client) == [SecretState.RETIRED, SecretState.CURRENT]


def test_behind_a_change_that_is_being_done_the_worker_begins_it(world, app_client, monkeypatch):  # noqa: F811
    monkeypatch.setattr(revocations, "PATIENCE", 0)
    Operation.objects.create(
        kind="client:change", target=f"client:{app_client.public_id}", pool=world.pool, app_client=app_client,
        step="update", lease_until=operations.timezone.now() + operations.timedelta(seconds=30), attempts=1,
        actor=world.people["operator"], params_hash="x", state=OperationState.RUNNING, aspect="secrets",
    )  # fmt: skip
    leaked = app_client.secrets.get()
    rotation = revoke(world, leaked, stop_now=True)
    assert rotation.state == RotationState.REVOKING and len(ids_there(world, app_client)) == 1
    assert world.document(app_client.client_id)["state"]["S"] == "paused", "tokens stop at once all the same"

    Operation.objects.filter(kind="client:change").update(state=OperationState.DONE)
    let_time_pass()
    rotations_due.advance_due()
    rotation.refresh_from_db()
    assert rotation.state == RotationState.FINISHED and leaked.cognito_secret_id not in ids_there(world, app_client)


def test_a_resuming_asked_for_before_does_not_lift_the_stop(world, app_client):  # noqa: F811
    said = {"actor": world.people["support"], "reason": "the tenant asked"}
    client_states.pause_client(app_client, operation_id=new_ulid(), **said)
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    client_states.resume_client(AppClient.objects.get(), operation_id=new_ulid(), **said)
    revoke(world, app_client.secrets.get(), stop_now=True)
    resumed = Operation.objects.get(kind="client:resume")
    assert resumed.state == OperationState.GIVEN_UP and AppClient.objects.get().status == Status.PAUSED


def test_throttled_it_goes_on_by_itself_while_the_person_waits(world, app_client):  # noqa: F811
    for name in ("PutItem", "AddUserPoolClientSecret", "DeleteUserPoolClientSecret"):
        world.sandbox.fault(name, "throttle", times=2)
    assert revoke(world, app_client.secrets.get()).state == RotationState.FINISHED


@pytest.mark.parametrize(("field", "value"), [("reason", "  "), ("typed", "nope"), ("typed", "")])
def test_without_reason_or_ending_nothing_happens(world, app_client, field, value):  # noqa: F811
    with pytest.raises(InvalidInput) as refused:
        revoke(world, app_client.secrets.get(), **{field: value})
    assert list(refused.value.fields) == [field]
    assert not Rotation.objects.exists() and states(app_client) == [SecretState.CURRENT]


def test_a_removed_one_and_one_nobody_has_seen_are_refused(world, app_client):  # noqa: F811
    leaked = app_client.secrets.get()
    revoke(world, leaked)
    with pytest.raises(Conflict, match="removed before"):
        revoke(world, leaked)
    world.sandbox.settings(secret_delay_seconds=3600)
    try:
        start(world, AppClient.objects.select_related("pool", "tenant").get())
        unseen = Secret.objects.select_related("app_client").get(state=SecretState.PENDING)
        with pytest.raises(Conflict, match="Cancel its rotation"):
            revoke(world, unseen)
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    assert Rotation.objects.filter(is_emergency=True).count() == 1


def test_the_same_form_twice_is_one_emergency(world, app_client):  # noqa: F811
    wanted = {"operation_id": new_ulid()}
    leaked = app_client.secrets.get()
    assert revoke(world, leaked, **wanted).pk == revoke(world, leaked, **wanted).pk
    assert Rotation.objects.count() == 1 and len(ids_there(world, app_client)) == 1


def test_another_change_goes_on_afterwards(world, app_client):  # noqa: F811
    revoke(world, app_client.secrets.get())
    row = AppClient.objects.get()
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": row.generation}
    assert client_changes.change_scopes(row, scopes=["orders/write"], **said).state == OperationState.DONE


def test_a_change_of_scopes_that_waits_goes_on_beside_it(world, app_client):  # noqa: F811
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    row = AppClient.objects.get()
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": row.generation}
    assert client_changes.change_scopes(row, scopes=["orders/write"], **said).state == OperationState.WAITING

    assert revoke(world, app_client.secrets.get()).state == RotationState.FINISHED

    let_time_pass()
    operations.resume_due()
    assert Operation.objects.get(kind="client:change").state == OperationState.DONE
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/write"]


def test_a_pausing_that_waits_goes_on_beside_it(world, app_client):  # noqa: F811
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "the tenant asked"}
    assert client_states.pause_client(app_client, **said).state == OperationState.WAITING
    assert revoke(world, app_client.secrets.get(), stop_now=True).state == RotationState.FINISHED
    let_time_pass()
    operations.resume_due()
    row = AppClient.objects.get()
    assert row.status == Status.PAUSED and row.before_pause["AllowedOAuthFlowsUserPoolClient"] is True
    assert not world.describe(row.client_id).get("AllowedOAuthFlowsUserPoolClient")


def test_a_client_that_is_being_deleted_needs_no_emergency(world, app_client):  # noqa: F811
    world.sandbox.fault("DeleteUserPoolClient", "throttle")
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "over"}
    client_states.delete_client(app_client, **said)
    with pytest.raises(Conflict, match="being deleted"):
        revoke(world, app_client.secrets.get())


# --- Somebody was at the client in the AWS console ---------------------------------------------------


def test_where_the_other_one_was_removed_in_the_console_a_replacement_comes_first(world, app_client):  # noqa: F811
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    leaked, other = rotation.old_secret, rotation.new_secret
    pool = world.pool.user_pool_id
    there = {"UserPoolId": pool, "ClientId": app_client.client_id}
    world.cognito.delete_user_pool_client_secret(**there, ClientSecretId=other.cognito_secret_id)
    world.sandbox.clear()

    emergency = revoke(world, leaked)

    assert emergency.state == RotationState.FINISHED and emergency.removed_at
    assert writes(world) == ["AddUserPoolClientSecret", "DeleteUserPoolClientSecret"]
    new = app_client.secrets.alive().get()
    assert new == emergency.new_secret and new.pk not in (leaked.pk, other.pk)
    assert ids_there(world, app_client) == {new.cognito_secret_id} and new.can_be_shown and accepts(app_client, new)
    missing = AuditEntry.objects.get(action="secret:missing")
    assert missing.detail == {"ending": other.ending} and missing.app_client == app_client


@pytest.mark.parametrize("unsure", [False, True])
def test_beside_a_foreign_secret_the_leaked_one_goes_first(world, app_client, unsure):  # noqa: F811
    leaked = app_client.secrets.get()
    there = {"UserPoolId": world.pool.user_pool_id, "ClientId": app_client.client_id}
    made = world.cognito.add_user_pool_client_secret(**there)["ClientSecretDescriptor"]
    world.sandbox.clear()
    if unsure:  # an answer is lost on the way, so that afterwards nobody knows whose the foreign one may be
        world.sandbox.fault("ListUserPoolClientSecrets", "lose_answer", skip=1)

    revoke(world, leaked)
    let_time_pass()
    operations.resume_due()

    emergency = Rotation.objects.get()
    assert emergency.state == RotationState.FINISHED and emergency.removed_at
    assert writes(world) == ["DeleteUserPoolClientSecret", "AddUserPoolClientSecret"]
    new = app_client.secrets.alive().get()
    assert ids_there(world, app_client) == {made["ClientSecretId"], new.cognito_secret_id}, "the foreign one is left"
    assert new.can_be_shown and accepts(app_client, new)
    assert AppClient.objects.get().foreign_secrets == [made["ClientSecretId"]]
    assert Operation.objects.get(kind="secret:revoke").was_unknown == unsure


def test_a_replacement_that_needs_some_seconds_is_waited_for(world, app_client):  # noqa: F811
    """It is tried again many times a second at first, and that is not what tires it out."""
    world.sandbox.settings(secret_delay_seconds=6)
    try:
        rotation = revoke(world, app_client.secrets.get())
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    assert rotation.state == RotationState.FINISHED and rotation.tested_at and rotation.new_secret.can_be_shown


def test_a_client_deleted_beside_it_gets_no_secret_back(world, app_client, settings):  # noqa: F811
    """The deletion comes through between the removal of the leaked one and the test of its replacement."""
    world.sandbox.settings(secret_delay_seconds=3600)
    try:
        rotation = revoke(world, app_client.secrets.get())
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    assert Operation.objects.get(kind="secret:revoke").step == "test"
    Operation.objects.filter(kind="secret:revoke").update(target=f"client:{app_client.public_id}:emergency")
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "over"}
    client_states.delete_client(AppClient.objects.get(), **said)

    settings.SECRET_TEST_SECONDS = 0
    let_time_pass()
    operations.resume_due()

    rotation.refresh_from_db()
    assert rotation.state == RotationState.CANCELLED and not app_client.secrets.alive().exists()
    assert Operation.objects.get(kind="secret:revoke").state == OperationState.DONE, "the leaked one is gone"
