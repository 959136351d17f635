"""Every invariant the matrix checks is shown to be able to fail: a planted defect turns its check red."""

import json
import time
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from django.core.management import call_command
from django.db import connection

from clients import sealing
from clients.aws import claims_table, cognito, sessions
from clients.models import AuditEntry, Outcome, Secret, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, attributes, audit, claims, client_changes, client_states, operations, secrets
from tests import local_aws, support
from tests.prove import harness


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


def rows_read_and_written_carelessly(read, write):
    """In the place of `Secret` in our own reveal_secret: `read(pk)` fetches the row, `write(rows, changes)` stores it,
    `rows` being found by their key alone, without the condition that nobody was faster."""

    class Rows:
        def select_related(self, *names):
            return SimpleNamespace(get=read)

        def filter(self, pk, **conditions):
            return SimpleNamespace(update=lambda **changes: write(Secret.objects.filter(pk=pk), changes))

    return SimpleNamespace(objects=Rows())


def read_row(pk):
    return Secret.objects.select_related("app_client__pool", "app_client__tenant").get(pk=pk)


def store(rows, changes):
    return rows.update(**changes)


def test_i3_our_own_reveal_shows_a_secret_once(lasting_world):
    secret = lasting_world.create().secrets.get()
    assert harness.shown_twice(lasting_world, secret, rounds=20) == []


def test_i3_a_row_read_beforehand_and_stored_without_a_condition_shows_it_to_all(lasting_world, monkeypatch):
    """Planted: reveal_secret decides on the row as the page had read it, and its update asks only for the key."""
    secret = lasting_world.create().secrets.get()
    stale = read_row(secret.pk)
    monkeypatch.setattr(secrets, "Secret", rows_read_and_written_carelessly(lambda pk: stale, store))
    found = harness.shown_twice(lasting_world, secret, rounds=1, people=4)
    assert "I3: round 0: the secret was shown 4 times" in found


def test_i3_without_the_condition_a_secret_is_shown_twice_on_either_database(lasting_world, monkeypatch):
    """Planted: the condition of the update is dropped. It is the one guard: the value is opened before the transaction,
    so that not even SQLite's queue of writers keeps a second one from it."""
    secret = lasting_world.create().secrets.get()

    def read_and_dawdle(pk):
        row = read_row(pk)
        time.sleep(0.1)
        return row

    monkeypatch.setattr(secrets, "Secret", rows_read_and_written_carelessly(read_and_dawdle, store))
    found = harness.shown_twice(lasting_world, secret, rounds=1)
    assert any(sentence.startswith("I3") for sentence in found), found


def test_i3_a_sealed_copy_that_is_not_erased_is_seen(lasting_world, monkeypatch):
    """Planted: the update reports success and stores nothing, so that delivery and erasing are skipped."""
    secret = lasting_world.create().secrets.get()
    monkeypatch.setattr(secrets, "Secret", rows_read_and_written_carelessly(read_row, lambda rows, changes: 1))
    found = harness.shown_twice(lasting_world, secret, rounds=1, people=3)
    assert {"I3: round 0: the secret was shown 3 times", "I3: round 0: the sealed copy outlived its showing"} <= {
        *found
    }


@pytest.mark.parametrize("written", [0, 2])
def test_i6_a_showing_with_no_entry_or_two_is_seen(lasting_world, monkeypatch, written):
    """Planted: the trail is told of a showing never, or twice."""
    secret, honest = lasting_world.create().secrets.get(), audit.append
    monkeypatch.setattr(audit, "append", lambda *told, **rest: [honest(*told, **rest) for _ in range(written)])
    found = harness.shown_twice(lasting_world, secret, rounds=1, people=3)
    assert found == [f"I6: round 0: 1 shown, {written} entries"]


def test_i5_a_third_secret_of_our_own_making_is_seen(world):
    """Planted: our sealing is called for an active client with two rows, as a rotation that does not count would."""
    app_client = world.create()
    secrets.seal_new_secret(app_client, actor=world.people["operator"]).save(force_insert=True)
    assert not any(sentence.startswith("I5") for sentence in harness.broken_invariants(world))
    secrets.seal_new_secret(app_client, actor=world.people["operator"]).save(force_insert=True)
    red(world, "I5")


def test_i5_three_secrets_in_cognito_are_seen(db, tmp_path, monkeypatch):
    """Planted: Cognito itself breaks its limit of two, which no call can bring about: a third one is written into the
    saved state of a sandbox of this test's own, between its end and its next start."""
    with own_sandbox(tmp_path, monkeypatch) as sandbox:
        world = support.make_world(sandbox)
        app_client = world.create()
        pool = {"UserPoolId": world.pool.user_pool_id, "ClientId": app_client.client_id}
        world.cognito.add_user_pool_client_secret(**pool)
        with pytest.raises(world.cognito.exceptions.LimitExceededException):
            world.cognito.add_user_pool_client_secret(**pool)
        assert not any(sentence.startswith("I5") for sentence in harness.broken_invariants(world))
    add_third_secret(tmp_path / "cognito.json", app_client.client_id)
    with own_sandbox(tmp_path, monkeypatch) as sandbox:
        world.sandbox, world.cognito = sandbox, sandbox.aws("cognito-idp")
        moved = sandbox.endpoint + urlsplit(world.pool.token_url).path  # it listens on another port
        UserPool.objects.update(token_url=moved)
        red(world, "I5")


@contextmanager
def own_sandbox(folder, monkeypatch):
    with local_aws.sandbox(folder) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        sessions.aws_client.cache_clear()
        try:
            yield support.Sandbox(endpoint, folder)
        finally:
            sessions.aws_client.cache_clear()


def add_third_secret(path, client_id):
    def visit(node):
        if isinstance(node, dict) and node.get("ClientId") == client_id and "_secrets" in node:
            node["_secrets"].append(node["_secrets"][1] | {"id": f"{client_id}--3"})
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            visit(child)

    state = json.loads(path.read_text())
    visit(state)
    path.write_text(json.dumps(state))


def test_i6_an_outcome_without_an_entry_is_seen(world, monkeypatch):
    honest = audit.append

    def forgetful(action, outcome, **rest):
        return None if outcome == Outcome.OK else honest(action, outcome, **rest)

    monkeypatch.setattr(audit, "append", forgetful)
    world.create()
    red(world, "I6")


def test_i6_a_changed_entry_is_seen(world):
    world.create()
    support.drop_audit_triggers(connection)
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
    item["state"] = {"S": "active"}
    sessions.aws_client("dynamodb", world.pool.region).put_item(TableName=world.pool.claims_table, Item=item)
    red(world, "I7")


def test_i7_a_bare_delete_lets_a_late_worker_bring_a_deleted_client_back(world, monkeypatch):
    """Planted: the tombstone is no document but a deletion, after which the conditional put of a late worker passes."""
    app_client = world.create()
    late = claims.document_for(app_client)
    client_states.delete_client(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), reason="the tenant asked"
    )
    claims_table.put_document(world.pool.region, world.pool.claims_table, late)
    assert harness.broken_invariants(world) == [], "the tombstone's version refuses the late one"

    key = {"client_id": {"S": late.client_id}}
    sessions.aws_client("dynamodb", world.pool.region).delete_item(TableName=world.pool.claims_table, Key=key)
    red(world, "I7")
    claims_table.put_document(world.pool.region, world.pool.claims_table, late)
    assert world.document(late.client_id)["state"] == {"S": "active"}
    red(world, "I7")


def test_i8_an_update_without_merging_resets_what_it_omits(world, monkeypatch):
    def bare(self, client_id, changes):
        return self._call("update_user_pool_client", ClientId=client_id, ClientName="renamed")["UserPoolClient"]

    app_client = world.create()
    monkeypatch.setattr(cognito.Gateway, "change_client", bare)
    client_changes.change_settings(
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
