"""Restore mode: everything is compared, nothing is changed in AWS, and a person ends it."""

import pytest
from django.core.management import CommandError, call_command

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Operation, Restore, UserPool
from clients.models.ids import new_ulid
from clients.services import client_changes, handovers, pool_sync, restores, revocations, secrets
from clients.services.claims import publish_due
from clients.services.operations import resume_due


@pytest.fixture
def restored(world):
    app_client = world.create()
    restores.enter(reason="Backup of noon", actor=world.people["administrator"], via="test")
    return app_client


def compare():
    pool_sync.compare_due()
    pool_sync.observe_due(limit=50)


def test_nothing_is_changed_in_aws(world, restored):
    row = AppClient.objects.get()
    said = {"actor": world.people["operator"], "operation_id": new_ulid()}
    secret = restored.secrets.get()
    acts = [
        lambda: client_changes.change_scopes(row, generation=row.generation, scopes=["orders/write"], **said),
        lambda: world.create(name="another"),
        lambda: secrets.reveal_secret(secret, actor=world.people["operator"]),
        lambda: handovers.offer_by_link(secret, hours=24, with_pin=True, actor=world.people["operator"]),
        lambda: revocations.revoke_secret(secret, reason="x", typed=secret.ending, stop_now=True, **said),
    ]
    world.sandbox.clear()
    for act in acts:
        with pytest.raises(Conflict, match="restored from a backup"):
            act()
    AppClient.objects.update(document_version=9)
    assert publish_due() == 0 and resume_due() == 0
    compare()
    assert world.sandbox.writes() == [] and AppClient.objects.count() == 1
    assert Operation.objects.count() == 1


def test_every_kind_of_difference_is_listed_and_left(world, restored):
    pool = world.pool.user_pool_id
    missing = AppClient.objects.get()
    Restore.objects.all().delete()
    changed, secret, document = (world.create(name=name) for name in ("changed", "secret", "document"))
    restores.enter(reason="Backup of noon", actor=None, via="test")
    world.cognito.delete_user_pool_client(UserPoolId=pool, ClientId=missing.client_id)
    kept = {k: v for k, v in world.describe(changed.client_id).items()
            if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}  # fmt: skip
    world.cognito.update_user_pool_client(**kept | {"AllowedOAuthScopes": ["orders/write"]})
    world.cognito.add_user_pool_client_secret(UserPoolId=pool, ClientId=secret.client_id)
    world.cognito.create_user_pool_client(UserPoolId=pool, ClientName=f"later op-{new_ulid()}")
    AppClient.objects.filter(pk=document.pk).update(document_version=7, published_version=7)
    world.sandbox.clear()

    compare()

    found = {(d.kind, d.app_client.name if d.app_client else d.foreign["name"][:5]) for d in restores.differences()}
    assert {("missing", "northwind-orders-prod"), ("differs", "changed"), ("secret", "secret"), ("client", "later"),
            ("differs", "document"), ("sealed", "changed")} <= found  # fmt: skip
    assert world.sandbox.writes() == []


def test_it_ends_once_everything_was_compared_and_with_a_reason(world, restored):
    said = {"actor": world.people["administrator"]}
    with pytest.raises(InvalidInput):
        restores.leave(reason=" ", **said)
    with pytest.raises(Conflict, match="to go"):
        restores.leave(reason="All looked at", **said)
    UserPool.objects.update(compared_at=None)
    compare()
    restores.leave(reason="All looked at", **said)
    assert not restores.is_on()
    assert [e.action for e in AuditEntry.objects.filter(action__startswith="restore:")] != []
    secrets.reveal_secret(restored.secrets.get(), actor=world.people["operator"])


def test_the_command_turns_it_on_and_says_what_is_next(world, capsys):
    wanted = ["--actor", "administrator@portal.example", "--reason", "Backup of noon"]
    call_command("restore_mode", *wanted)
    assert "Restore mode is on" in capsys.readouterr().out and restores.is_on()
    with pytest.raises(CommandError, match="on already"):
        call_command("restore_mode", *wanted)
    with pytest.raises(CommandError, match="may not"):
        call_command("restore_mode", "--actor", "support@portal.example", "--reason", "x")
