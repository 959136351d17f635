"""Changing scopes, settings and attributes: nothing else is touched, nothing is lost, nobody overwrites unseen."""

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, OperationState, Outcome
from clients.models.ids import new_ulid
from clients.services import app_clients, claims


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_WRITES_PER_SECOND = 0


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
    done = app_clients.change_settings(app_client, actor=world.people["operator"], **changes)

    assert done.state == OperationState.DONE
    after = world.describe(app_client.client_id)
    assert after["ClientName"] == f"renamed op-{app_client.op_tag}"
    ignored = {"ClientName", "LastModifiedDate"}
    assert {k: v for k, v in after.items() if k not in ignored} == {k: v for k, v in before.items() if k not in ignored}


def test_change_scopes_done(world):
    app_client = world.create()
    done = app_clients.change_scopes(
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
    app_clients.change_scopes(app_client, operation_id=new_ulid(), scopes=["orders/write"], **both)
    with pytest.raises(Conflict):
        app_clients.change_scopes(app_client, operation_id=new_ulid(), scopes=["orders/read"], **both)
    assert world.describe(app_client.client_id)["AllowedOAuthScopes"] == ["orders/write"]


def test_change_attributes_is_published(world):
    app_client = world.create()
    claims.set_overrides(app_client, actor=world.people["operator"], generation=1, values={"rate_limit": "7"})
    assert '"rate_limit":7' in world.document(app_client.client_id)["claims"]["S"]
    app_client.refresh_from_db()
    assert app_client.published_version == app_client.document_version == 2


def test_change_attributes_unpublished_is_made_good_by_the_worker(world):
    app_client = world.create()
    world.sandbox.fault("PutItem", "throttle")
    claims.set_overrides(app_client, actor=world.people["operator"], generation=1, values={"rate_limit": "7"})
    app_client.refresh_from_db()
    assert not app_client.is_published and "slow down" in app_client.publish_error
    type(app_client).objects.update(publish_after=None)
    assert claims.publish_due() == 1
    assert '"rate_limit":7' in world.document(app_client.client_id)["claims"]["S"]


def test_publishing_late_does_not_overwrite_what_is_newer(world):
    from clients.aws import claims_table

    app_client = world.create()
    newer = claims_table.Document(app_client.client_id, 9, "active", '{"tenant_id":"northwind"}')
    claims_table.put_document(world.pool.region, world.pool.claims_table, newer)
    claims.publish(app_client)
    assert world.document(app_client.client_id)["version"]["N"] == "9"


def test_attributes_too_large_are_refused(world):
    admin = world.people["administrator"]
    for number in range(20):
        claims.define_attribute(actor=admin, claim_name=f"note{number}", type="string", is_overridable=True)
    app_client = world.create()
    values = {f"note{number}": "x" * 250 for number in range(20)}
    with pytest.raises(InvalidInput, match="at most 4096 fit"):
        claims.set_overrides(app_client, actor=admin, generation=1, values=values)


@pytest.mark.parametrize("name", ["sub", "iss", "scope", "cognito:groups", "custom:x", "tenant_id", "1st", "a b", "ü"])
def test_reserved_and_malformed_claim_names_are_refused(world, name):
    with pytest.raises(InvalidInput):
        claims.define_attribute(actor=world.people["administrator"], claim_name=name, type="string")
