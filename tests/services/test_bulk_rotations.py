"""Many rotations: each client once, those that cannot are named, people's own changes go first."""

import pytest

from clients.errors import InvalidInput
from clients.models import AppClient, AuditEntry, BulkItem, BulkRun, Operation, Priority, Rotation, Status, User
from clients.models.ids import new_ulid
from clients.services import bulk_rotations, client_states


def begin(world, app_clients, **changes):
    wanted = {
        "actor": world.people["support"], "overlap_hours": 168, "reason": "Yearly", "run_id": new_ulid(),
    } | changes  # fmt: skip
    return bulk_rotations.start_run(app_clients, **wanted)


@pytest.fixture
def three(world):
    return [world.create(name=f"c{number}") for number in range(3)]


def test_each_client_gets_one_rotation(world, three):
    run = begin(world, three)
    assert bulk_rotations.progress_of(run).waiting == 3 and not Rotation.objects.exists()
    while bulk_rotations.advance_due():
        pass
    run.refresh_from_db()
    progress = bulk_rotations.progress_of(run)
    assert run.finished_at and (progress.done, progress.refused, progress.waiting, progress.going) == (3, 0, 0, 0)
    assert set(AppClient.objects.values_list("status", flat=True)) == {Status.ROTATING}
    assert set(Operation.objects.filter(kind="secret:rotate").values_list("priority", flat=True)) == {Priority.BULK}
    assert AuditEntry.objects.get(action="bulk:rotate").detail["clients"] == 3


def test_one_that_cannot_is_named_and_the_others_go_on(world, three):
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "the tenant asked"}
    client_states.pause_client(three[0], **said)
    run = begin(world, three)
    while bulk_rotations.advance_due():
        pass
    assert "paused" in BulkItem.objects.get(app_client=three[0]).refusal
    progress = bulk_rotations.progress_of(run)
    assert (progress.done, progress.refused, progress.over) == (2, 1, 3)


def test_a_worker_that_died_in_between_begins_the_same_one(world, three):
    begin(world, three[:1])
    bulk_rotations.advance_due()
    BulkItem.objects.update(begun_at=None)
    BulkRun.objects.update(finished_at=None)
    bulk_rotations.advance_due()
    assert Rotation.objects.count() == 1 and BulkItem.objects.get().refusal == ""


def test_stopped_it_begins_no_more(world, three):
    run = begin(world, three)
    bulk_rotations.advance_due()
    bulk_rotations.stop_run(run, actor=world.people["support"])
    assert bulk_rotations.advance_due() == 0 and Rotation.objects.count() == 1


def test_one_whose_starter_may_not_any_more_is_stopped(world, three):
    run = begin(world, three)
    bulk_rotations.advance_due()
    User.objects.filter(pk=run.started_by_id).update(is_active=False)
    while bulk_rotations.advance_due():
        pass
    run.refresh_from_db()
    assert run.stopped_at and Rotation.objects.count() == 1
    entry = AuditEntry.objects.get(action="bulk:stop")
    assert entry.actor is None and entry.detail == {"run": run.public_id} and "may not" in entry.reason


def test_the_same_form_twice_is_one_run(world, three):
    wanted = {"run_id": new_ulid()}
    assert begin(world, three, **wanted).pk == begin(world, three, **wanted).pk
    assert BulkItem.objects.count() == 3


@pytest.mark.parametrize(("field", "changes"), [("reason", {"reason": " "}), ("overlap_hours", {"overlap_hours": 0})])
def test_refused_beside_its_field(world, three, field, changes):
    with pytest.raises(InvalidInput) as refused:
        begin(world, three, **changes)
    assert list(refused.value.fields) == [field] and not BulkRun.objects.exists()


def test_none_or_too_many_are_refused(world, three):
    for chosen in ([], three * 200):
        with pytest.raises(InvalidInput):
            begin(world, chosen)
