"""Changing scopes, settings and attributes: nothing else is touched, nothing is lost, nobody overwrites unseen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, OperationState, Outcome, Rotation
from clients.models.ids import new_ulid
from clients.services import attributes, claims, client_changes, revocations, secrets
from clients.services.operations import resume_due


def settings_of(app_client, **changes):
    return {
        "name": app_client.name,
        "access_token_seconds": 3600,
        "contact": None,
        "notes": "",
        "operation_id": new_ulid(),
        "generation": app_client.generation,
    } | changes


def test_change_settings_leaves_every_other_field_as_it_was(world):
    app_client = world.create()
    elsewhere = {
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthScopes": ["shipments/read"],
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "IdTokenValidity": 30,
        "RefreshTokenValidity": 3,
        "TokenValidityUnits": {"AccessToken": "seconds", "IdToken": "minutes", "RefreshToken": "days"},
        "AccessTokenValidity": 7200,
        "PreventUserExistenceErrors": "LEGACY",
        "EnableTokenRevocation": False,
        "AuthSessionValidity": 9,
    }
    world.cognito.update_user_pool_client(
        UserPoolId=world.pool.user_pool_id,
        ClientId=app_client.client_id,
        ClientName=app_client.cognito_name,
        **elsewhere,
    )
    before = world.describe(app_client.client_id)
    changes = settings_of(app_client, name="renamed", access_token_seconds=7200)
    done = client_changes.change_settings(app_client, actor=world.people["operator"], **changes)

    assert done.state == OperationState.DONE
    after = world.describe(app_client.client_id)
    assert after["ClientName"] == f"renamed op-{app_client.op_tag}"
    ignored = {"ClientName", "LastModifiedDate"}
    assert {k: v for k, v in after.items() if k not in ignored} == {k: v for k, v in before.items() if k not in ignored}


def test_change_scopes_done(world):
    app_client = world.create()
    done = client_changes.change_scopes(
        app_client,
        actor=world.people["operator"],
        operation_id=new_ulid(),
        generation=1,
        scopes=["orders/write", "shipments/track"],
    )
    assert done.state == OperationState.DONE
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/write", "shipments/track"]
    entry = AuditEntry.objects.get(operation_id=done.pk, outcome=Outcome.OK)
    assert entry.detail["before"]["AllowedOAuthScopes"] == ["orders/read"]


def test_change_scopes_from_an_old_page_is_refused(world):
    app_client = world.create()
    both = {"actor": world.people["operator"], "generation": 1}
    client_changes.change_scopes(app_client, operation_id=new_ulid(), scopes=["orders/write"], **both)
    with pytest.raises(Conflict):
        client_changes.change_scopes(app_client, operation_id=new_ulid(), scopes=["orders/read"], **both)
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/write"]


def test_change_attributes_is_published(world):
    app_client = world.create()
    attributes.change_attributes(
        app_client, operation_id=new_ulid(), actor=world.people["operator"], generation=1, values={"rate_limit": "7"}
    )
    assert '"rate_limit":7' in world.document(app_client.client_id)["claims"]["S"]
    app_client.refresh_from_db()
    assert app_client.published_version == app_client.document_version == 2


def test_change_attributes_unpublished_is_made_good_by_the_worker(world):
    app_client = world.create()
    world.sandbox.fault("PutItem", "throttle")
    waiting = attributes.change_attributes(
        app_client, operation_id=new_ulid(), actor=world.people["operator"], generation=1, values={"rate_limit": "7"}
    )
    app_client.refresh_from_db()
    assert not app_client.is_published and "slow down" in waiting.last_error
    type(waiting).objects.update(next_try_at=timezone.now())
    assert resume_due() == 1
    assert '"rate_limit":7' in world.document(app_client.client_id)["claims"]["S"]


def test_publishing_late_does_not_overwrite_what_is_newer(world):
    from clients.aws import claims_table

    app_client = world.create()
    late = claims.document_for(app_client)
    attributes.change_attributes(
        app_client, operation_id=new_ulid(), actor=world.people["operator"], generation=1, values={"rate_limit": "7"}
    )
    held = claims_table.put_document(world.pool.region, world.pool.claims_table, late)
    assert held.version == 2 and '"rate_limit":7' in world.document(app_client.client_id)["claims"]["S"]


@pytest.mark.parametrize(
    "damage",
    [{"version": {"S": "2"}}, {"version": {"N": "1" + "0" * 23}}, {"digest": {"S": "x"}}, {"claims": {"N": "1"}}],
    ids=["version-as-text", "absurd-version", "digest", "claims"],
)
def test_publishing_goes_over_what_somebody_else_put_there(world, damage):
    app_client = world.create()
    theirs = world.document(app_client.client_id) | {"claims": {"S": '{"tenant_id":"acme-robotics"}'}} | damage
    world.sandbox.aws("dynamodb").put_item(TableName=world.pool.claims_table, Item=theirs)
    done = attributes.change_attributes(
        app_client, operation_id=new_ulid(), actor=world.people["operator"], generation=1, values={"rate_limit": "7"}
    )
    assert done.state == OperationState.DONE
    assert '"tenant_id":"northwind"' in world.document(app_client.client_id)["claims"]["S"]


def test_attributes_too_large_are_refused(world):
    admin = world.people["administrator"]
    for number in range(20):
        attributes.define_attribute(actor=admin, claim_name=f"note{number}", type="string", is_overridable=True)
    app_client = world.create()
    values = {f"note{number}": "x" * 250 for number in range(20)}
    with pytest.raises(InvalidInput, match="at most 4096 fit"):
        attributes.change_attributes(app_client, operation_id=new_ulid(), actor=admin, generation=1, values=values)


@pytest.mark.parametrize("name", ["sub", "iss", "scope", "cognito:groups", "custom:x", "tenant_id", "1st", "a b", "ü"])
def test_reserved_and_malformed_claim_names_are_refused(world, name):
    with pytest.raises(InvalidInput):
        attributes.define_attribute(actor=world.people["administrator"], claim_name=name, type="string")


def test_somebody_changing_the_client_at_the_same_moment_is_seen_and_our_part_written_again(world, monkeypatch):
    """Between our update and our look another one takes our name away: the engine writes it again."""
    from clients.aws.cognito import Gateway

    app_client, honest, calls = world.create(), Gateway._call, []

    def disturbed(self, method, **params):
        answer = honest(self, method, **params)
        if method == "update_user_pool_client" and not calls:
            calls.append(method)
            honest(self, method, **params | {"ClientName": "taken away"})
        return answer

    monkeypatch.setattr(Gateway, "_call", disturbed)
    waiting = client_changes.change_settings(
        app_client, actor=world.people["operator"], **settings_of(app_client, name="renamed")
    )
    assert waiting.state == OperationState.WAITING and "at the same moment" in waiting.last_error
    type(waiting).objects.update(next_try_at=timezone.now())
    assert resume_due() == 1
    waiting.refresh_from_db()
    assert waiting.state == OperationState.DONE
    assert world.describe(app_client.client_id)["ClientName"] == f"renamed op-{app_client.op_tag}"


def test_a_change_of_contact_and_notes_is_in_the_trail_without_the_notes(world):
    app_client, operator = world.create(), world.people["operator"]
    done = client_changes.change_settings(
        app_client, actor=operator, **settings_of(app_client, contact=operator, notes="call Mrs Svensson first")
    )
    assert AuditEntry.objects.get(operation_id=done.pk, outcome=Outcome.OK).detail["notes_changed"] is True
    (entry,) = AuditEntry.objects.filter(action="client:set_contact")
    assert entry.actor == operator and entry.detail == {"before": {"contact": None}, "after": {"contact": operator.pk}}
    assert "Svensson" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_shorter_validity_shortens_no_token_that_is_out_already(world):
    app_client = world.create(access_token_seconds=86_400)
    secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])
    changes = settings_of(app_client, access_token_seconds=300)
    done = client_changes.change_settings(app_client, actor=world.people["operator"], **changes)
    assert done.state == OperationState.DONE
    app_client.refresh_from_db()
    assert app_client.access_token_seconds == 300 and app_client.token_minutes == 24 * 60
    leaked = app_client.secrets.get()
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "reason": "published"}
    revocations.revoke_secret(leaked, typed=leaked.ending, stop_now=False, **said)
    rotation = Rotation.objects.get()
    day = timedelta(days=1) - timedelta(minutes=1)
    assert rotation.tokens_until - rotation.removed_at > day, "the last one was issued before the validity was changed"
    AppClient.objects.update(older_tokens_until=timezone.now())
    app_client.refresh_from_db()
    assert app_client.token_minutes == 5
