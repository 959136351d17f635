"""Every invariant the matrix checks is shown to be able to fail: a planted defect turns its check red."""

import pytest
from botocore.config import Config
from django.core.management import call_command
from django.utils import timezone

from clients import sealing
from clients.aws import claims_table, cognito, sessions
from clients.models import AuditEntry, Outcome, Secret
from clients.models.ids import new_ulid
from clients.services import app_clients, attributes, audit, claims, operations, secrets
from tests.prove import harness


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0
    settings.COGNITO_WRITES_PER_SECOND = 0


def red(world, code):
    found = harness.broken_invariants(world)
    assert any(sentence.startswith(code) for sentence in found), found


def test_without_a_defect_all_are_green(world):
    world.create()
    assert harness.broken_invariants(world) == []


def test_i1_default_sdk_retries_leave_an_orphan(world, monkeypatch):
    import boto3

    def retrying(service, region):
        return boto3.client(service, region_name=region, config=Config(retries={"mode": "standard"}, read_timeout=2))

    monkeypatch.setattr(cognito, "aws_client", retrying)
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    world.create()
    assert len(world.remote_clients()) == 2
    red(world, "I1")


def test_i1_not_looking_after_a_lost_answer_leaves_an_orphan(world, monkeypatch):
    monkeypatch.setattr(cognito.Gateway, "find_clients_by_tag", lambda self, tag: [])
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    world.create()
    harness.drain()
    red(world, "I1")


def test_i2_sealing_another_value_than_cognito_gets_loses_the_secret(world, monkeypatch):
    monkeypatch.setattr(app_clients.secrets, "open_for_cognito", lambda secret: sealing.generate("prod"))
    world.create()
    monkeypatch.undo()
    red(world, "I2")


def test_i2_a_secret_nobody_recorded_is_seen(world):
    app_client = world.create()
    world.cognito.add_user_pool_client_secret(UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id)
    red(world, "I2")


def test_i3_reading_then_saving_shows_a_secret_twice(world):
    secret = world.create().secrets.get()

    def naive(stale):
        value = secrets.open_for_cognito(stale)
        stale.sealed_value, stale.delivered_at = None, timezone.now()
        stale.save()
        return value

    first, second = Secret.objects.get(pk=secret.pk), Secret.objects.get(pk=secret.pk)
    shown = [naive(first).reveal(), naive(second).reveal()]
    assert len(shown) == 2 and shown[0] == shown[1], "two stale reads both show: what compare-and-set prevents"


def test_i6_an_outcome_without_an_entry_is_seen(world, monkeypatch):
    honest = audit.append

    def forgetful(action, outcome, **rest):
        return None if outcome == Outcome.OK else honest(action, outcome, **rest)

    monkeypatch.setattr(audit, "append", forgetful)
    world.create()
    red(world, "I6")


def test_i6_a_changed_entry_is_seen(world):
    world.create()
    from django.db import connection

    from tests.support import drop_audit_triggers

    drop_audit_triggers(connection)
    AuditEntry.objects.filter(sequence=2).update(reason="nothing happened")
    red(world, "I6")


def test_i7_recording_before_publishing_is_seen(world, monkeypatch):
    monkeypatch.setattr(claims_table, "put_document", lambda *a: None)
    world.create()
    red(world, "I7")


def test_i7_an_unconditional_put_lets_a_late_worker_overwrite(world, monkeypatch):
    app_client = world.create()
    late = claims.document_for(app_client)
    attributes.change_attributes(
        app_client, operation_id=new_ulid(), actor=world.people["operator"], generation=1, values={"rate_limit": "7"}
    )
    claims_table.put_document(world.pool.region, world.pool.claims_table, late)
    assert harness.broken_invariants(world) == [], "the conditional put refuses the late one"

    item = {"client_id": {"S": late.client_id}, "version": {"N": str(late.version)}, "claims": {"S": late.claims}}
    sessions.aws_client("dynamodb", world.pool.region).put_item(TableName=world.pool.claims_table, Item=item)
    red(world, "I7")


def test_i8_an_update_without_merging_resets_what_it_omits(world, monkeypatch):
    def bare(self, client_id, changes):
        return self._call("update_user_pool_client", ClientId=client_id, ClientName="renamed")["UserPoolClient"]

    app_client = world.create()
    monkeypatch.setattr(cognito.Gateway, "change_client", bare)
    app_clients.change_settings(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), generation=1, name="renamed",
        access_token_seconds=3600, contact=None, notes="",
    )  # fmt: skip
    red(world, "I8")


def test_i9_a_secret_in_the_clear_is_found_in_a_dump(world, capsys):
    app_client = world.create()
    value = secrets.open_for_cognito(app_client.secrets.get()).reveal()

    def dump():
        call_command("dumpdata", "clients")
        return capsys.readouterr().out

    assert harness.plaintext_in_database([value], dump()) == []
    type(app_client).objects.update(notes=f"the secret is {value}")
    assert harness.plaintext_in_database([value], dump()) != []


def test_a_step_that_the_matrix_does_not_know_is_red(monkeypatch):
    monkeypatch.setitem(operations.KINDS, "client:new-act", [operations.Step("new", lambda o, u: dict, True)])
    steps = {(kind, step.name) for kind, found in operations.KINDS.items() for step in found}
    assert steps != set(harness.REMOTE_CALL)
