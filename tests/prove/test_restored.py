"""A database restored to an earlier hour while AWS went on: every difference is listed, nothing is changed there."""

from django.core.management import call_command

from clients.models import AppClient, UserPool
from clients.models.ids import new_ulid
from clients.services import attributes, client_changes, client_states, restores, rotations, secrets
from tests.prove import harness


def backup(path):
    call_command("dumpdata", "clients", output=str(path), exclude=["clients.auditentry", "clients.auditorigin"])


def restore(path):
    """The rows as they were; the trail is not part of what is compared here."""
    call_command("flush", interactive=False, verbosity=0)
    call_command("loaddata", str(path), verbosity=0)


def test_every_difference_is_listed_and_nothing_is_done_about_it(lasting_world, tmp_path):
    world, operator = lasting_world, lasting_world.people["operator"]
    names = ("deleted", "scopes", "renamed", "paused", "values", "rotated", "revealed")
    clients = {name: world.create(name=name) for name in names}
    for name in names[:-1]:
        secrets.reveal_secret(clients[name].secrets.get(), actor=operator)
    backup(tmp_path / "backup.json")

    def said():
        return {"actor": operator, "operation_id": new_ulid()}

    client_states.delete_client(clients["deleted"], reason="over", **said())
    client_changes.change_scopes(clients["scopes"], generation=1, scopes=["orders/write"], **said())
    settings = {"name": "other", "access_token_seconds": 600, "contact": None, "notes": "", "generation": 1}
    client_changes.change_settings(clients["renamed"], **settings, **said())
    client_states.pause_client(clients["paused"], reason="over", **said())
    attributes.change_attributes(clients["values"], generation=1, values={"rate_limit": "9"}, **said())
    rotations.start_rotation(clients["rotated"], overlap_hours=24, **said())
    secrets.reveal_secret(clients["revealed"].secrets.get(), actor=operator)
    made = world.create(name="made-later")

    restore(tmp_path / "backup.json")
    restores.enter(reason="Backup of an hour ago", actor=None, via="test")
    world.sandbox.clear()
    harness.reconcile()

    found = {(each.kind, each.app_client.name if each.app_client else each.foreign["client_id"])
             for each in restores.differences()}  # fmt: skip
    assert found == {
        ("missing", "deleted"), ("differs", "scopes"), ("differs", "renamed"), ("differs", "paused"),
        ("differs", "values"), ("secret", "rotated"), ("sealed", "revealed"), ("client", made.client_id),
    }  # fmt: skip
    assert world.sandbox.writes() == [] and world.sandbox.calls() != []
    assert AppClient.objects.count() == len(names) and restores.not_compared() == 0
    assert UserPool.objects.get().foreign_clients[0]["ours"] is True


def test_planted_without_restore_mode_something_is_written(lasting_world, tmp_path):
    world = lasting_world
    app_client = world.create(name="values")
    backup(tmp_path / "backup.json")
    said = {"actor": world.people["operator"], "operation_id": new_ulid(), "generation": 1}
    attributes.change_attributes(app_client, values={"rate_limit": "9"}, **said)
    restore(tmp_path / "backup.json")
    world.sandbox.clear()
    harness.reconcile()  # it looks
    harness.reconcile()  # and publishes
    assert "PutItem" in world.sandbox.writes()
