"""What the worker does with rotations, and those that wait for staff."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import AlreadyShown, Conflict, InvalidInput
from clients.models import AuditEntry, Operation, Rotation, RotationState, Secret
from clients.models.ids import new_ulid
from clients.services import evidence, handovers, rotations, rotations_due, secrets
from tests.services.test_rotations import app_client, deliver, ids_there, said, start  # noqa: F401

# --- When the overlap is over ------------------------------------------------------------------------


def overdue(world, app_client, *, automatically):  # noqa: F811
    type(app_client.tenant).objects.update(removes_automatically=automatically)
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation)
    Rotation.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    return rotation


def test_an_overlap_that_is_over_only_reminds_by_default(world, app_client):  # noqa: F811
    overdue(world, app_client, automatically=False)
    rotations_due.advance_due()
    assert Rotation.objects.get().is_open and len(ids_there(world, app_client)) == 2


def test_an_overlap_that_is_over_ends_where_the_policy_says_so(world, app_client):  # noqa: F811
    overdue(world, app_client, automatically=True)
    rotations_due.advance_due()
    assert Rotation.objects.get().state == RotationState.FINISHED and len(ids_there(world, app_client)) == 1
    assert AuditEntry.objects.filter(action="secret:finish", via=rotations.AUTOMATICALLY).count() == 2


@pytest.mark.parametrize("missing", ["acknowledged_at", "tested_at"])
def test_nothing_is_removed_automatically_without_evidence(world, app_client, missing):  # noqa: F811
    overdue(world, app_client, automatically=True)
    Rotation.objects.update(**{missing: None})
    rotations_due.advance_due()
    assert Rotation.objects.get().is_open and len(ids_there(world, app_client)) == 2


def test_a_clock_a_day_ahead_removes_nothing(world, app_client, time_machine):  # noqa: F811
    type(app_client.tenant).objects.update(removes_automatically=True)
    start(world, app_client, overlap_hours=2)
    deliver(world, Rotation.objects.get())
    time_machine.move_to(timezone.now() + timedelta(days=1))
    assert Rotation.objects.get().is_over_time
    rotations_due.advance_due()
    assert Rotation.objects.get().is_open and len(ids_there(world, app_client)) == 2
    assert "clock" in Rotation.objects.get().last_error


# --- Asked for by whoever holds a link ---------------------------------------------------------------


def test_one_that_was_asked_for_is_begun_by_staff_as_the_same_one(world, app_client):  # noqa: F811
    asked = rotations.request_rotation(app_client.secrets.get(), "“This wasn’t me”")
    assert rotations.request_rotation(app_client.secrets.get(), "again") is None
    start(world, app_client)
    asked.refresh_from_db()
    assert asked.is_open and asked.reason == "“This wasn’t me”" and Rotation.objects.count() == 1


def test_one_that_was_asked_for_is_dismissed_with_a_reason(world, app_client):  # noqa: F811
    asked = rotations.request_rotation(app_client.secrets.get(), "“This wasn’t me”")
    with pytest.raises(InvalidInput):
        rotations.dismiss_request(asked, actor=world.people["support"], reason=" ")
    rotations.dismiss_request(asked, actor=world.people["support"], reason="It was a colleague of theirs")
    assert Rotation.objects.get().state == RotationState.CANCELLED and said("rotation:dismiss") == ["ok"]


def test_what_is_being_taken_away_is_shown_to_nobody(world, app_client):  # noqa: F811
    start(world, app_client)
    rotation, operator = Rotation.objects.get(), world.people["operator"]
    world.sandbox.fault("DeleteUserPoolClientSecret", "throttle", times=50)
    rotations.cancel_rotation(rotation, actor=operator, operation_id=new_ulid())
    new = Secret.objects.select_related("app_client").get(pk=rotation.new_secret_id)
    with pytest.raises(AlreadyShown):
        secrets.reveal_secret(new, actor=operator)

    world.sandbox.clear()
    Operation.objects.live().update(state="given_up", last_error="It was given up.")
    rotations_due.advance_due()
    new.refresh_from_db()
    assert Rotation.objects.get().is_open and new.can_be_shown, "both are there still, and it may be handed over"


def test_one_that_cannot_be_ended_is_not_tried_again_all_the_time(world, app_client):  # noqa: F811
    """The new secret was removed in the AWS console: each try is an operation and two entries."""
    rotation = overdue(world, app_client, automatically=True)
    world.cognito.delete_user_pool_client_secret(
        UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id,
        ClientSecretId=rotation.new_secret.cognito_secret_id,
    )  # fmt: skip
    for _ in range(5):
        rotations_due.advance_due()
    assert said("secret:finish") == ["started", "failed"]
    assert Rotation.objects.get().is_open and "does not hold the new secret" in Rotation.objects.get().last_error
    assert rotations_due.advance_due() == 0, "the worker has nothing left to do"


@pytest.mark.parametrize("order", [("stored", "alarm"), ("alarm", "stored")])
def test_a_link_in_wrong_hands_is_no_evidence(world, app_client, order):  # noqa: F811
    """Whoever had the link said "stored"; whom it was for says that it was not they, and holds the old secret only."""
    type(app_client.tenant).objects.update(removes_automatically=True)
    start(world, app_client)
    new = Secret.objects.select_related("app_client__tenant").get(pk=Rotation.objects.get().new_secret_id)
    offer = handovers.offer_by_link(new, hours=24, with_pin=False, actor=world.people["operator"])
    handovers.reveal_by_link(offer.handover, "", address="")
    for act in order:
        handovers.mark_stored(offer.handover, actor=None) if act == "stored" else handovers.sound_alarm(offer.handover)
    Rotation.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    rotations_due.advance_due()
    rotation = Rotation.objects.get()
    assert rotation.is_open and not rotation.has_evidence and len(ids_there(world, app_client)) == 2
    assert list(app_client.secrets.order_by("pk").values_list("state", flat=True)) == ["current", "new"]
    evidence.acknowledge(rotation, actor=world.people["manager"])
    assert Rotation.objects.get().has_evidence, "whoever is signed in may say so all the same"


# --- The customer's word -----------------------------------------------------------------------------


def test_said_by_two_the_second_may_go_on_with_it(world, app_client):  # noqa: F811
    start(world, app_client)
    seen = Rotation.objects.select_related("old_secret", "new_secret").get()
    deliver(world, Rotation.objects.get())
    evidence.acknowledge(seen, actor=world.people["manager"])
    assert seen.has_evidence and said("rotation:acknowledge") == ["ok"]
    finished = rotations.finish_rotation(seen, actor=world.people["manager"], operation_id=new_ulid())
    assert finished.state == "done"


def test_of_one_that_is_being_cancelled_nobody_is_thanked_for_it(world, app_client):  # noqa: F811
    start(world, app_client)
    rotation = Rotation.objects.get()
    deliver(world, rotation, stored=False)
    rotations.cancel_rotation(rotation, actor=world.people["operator"], operation_id=new_ulid())
    with pytest.raises(Conflict, match="cancelled"):
        evidence.acknowledge(rotation, actor=world.people["manager"])
    assert Rotation.objects.get().acknowledged_at is None
