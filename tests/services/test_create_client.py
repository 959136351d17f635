"""Creating a client: done, each refusal, Cognito failing; rows, the sandbox's state and the audit trail."""

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Operation, OperationState, Outcome, Secret, SecretState, Status
from clients.models.ids import new_ulid
from clients.services import operations
from clients.services.audit import first_broken_entry


@pytest.fixture(autouse=True)
def quick(settings):
    """Unknown outcomes are looked at after half a second instead of a quarter of a minute."""
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0


def story(app_client):
    found = AuditEntry.objects.filter(app_client=app_client, action="client:create").order_by("sequence")
    return list(found.values_list("outcome", flat=True))


def make_due(app_client):
    from django.utils import timezone

    app_client.operations.update(next_try_at=timezone.now())


@pytest.mark.asvs("10.4.4")
def test_create_client_done(world):
    app_client = world.create(attributes={"rate_limit": "120"})

    assert app_client.status == Status.ACTIVE and app_client.is_published
    [remote] = world.remote_clients()
    assert remote["ClientId"] == app_client.client_id
    assert remote["ClientName"] == f"northwind-orders-prod op-{app_client.op_tag}"
    assert remote["AllowedOAuthFlows"] == ["client_credentials"] and remote["AllowedOAuthFlowsUserPoolClient"] is True
    assert remote["AllowedOAuthScopes"] == ["orders/read"]
    assert remote["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert (remote["AccessTokenValidity"], remote["TokenValidityUnits"]["AccessToken"]) == (3600, "seconds")
    secret = app_client.secrets.get()
    assert secret.state == SecretState.CURRENT and secret.cognito_secret_id.startswith(app_client.client_id)
    assert (
        world.document(app_client.client_id)["claims"]["S"]
        == '{"rate_limit":120,"tenant_id":"northwind","tier":"gold"}'
    )
    assert story(app_client) == [Outcome.STARTED, Outcome.OK]
    assert first_broken_entry() is None


def test_create_client_clicked_twice_is_one_client(world):
    operation_id = new_ulid()
    first, second = world.create(operation_id=operation_id), world.create(operation_id=operation_id)
    assert first == second and len(world.remote_clients()) == 1


def test_create_client_same_form_other_content_is_refused(world):
    operation_id = new_ulid()
    world.create(operation_id=operation_id)
    with pytest.raises(Conflict):
        world.create(operation_id=operation_id, name="another")
    assert AppClient.objects.count() == 1


@pytest.mark.asvs("2.2.1", "2.2.2")
@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "münchen"}, "name", "does not accept ü"),
        ({"name": "a/b"}, "name", "does not accept /"),
        ({"name": "x" * 98}, "name", "At most 97"),
        ({"name": "two\nlines"}, "name", "one line"),
        ({"name": ""}, "name", "Give the client a name"),
        ({"scopes": []}, "scopes", "at least one scope"),
        ({"scopes": ["openid"]}, "scopes", "people signing in"),
        ({"scopes": ["orders/nothing"]}, "scopes", "no scope orders/nothing"),
        ({"scopes": [f"orders/{n}" for n in range(51)]}, "scopes", "At most 50"),
        ({"scopes": ["orders/" + "x" * 250]}, "scopes", "longer than 256"),
        ({"attributes": {"rate_limit": "many"}}, "attribute:rate_limit", "whole number"),
        ({"attributes": {"tier": "silver"}}, "attribute:tier", "set on the tenant"),
        ({"attributes": {"sub": "x"}}, "attribute:sub", "no attribute sub"),
        ({"access_token_seconds": 299}, "access_token_seconds", "5 minutes to 24 hours"),
        ({"access_token_seconds": 86_401}, "access_token_seconds", "5 minutes to 24 hours"),
        ({"lifetime_days": None}, "secret_lifetime", "needs a reason"),
        ({"lifetime_days": 7}, "secret_lifetime", "90, 180 or 365"),
    ],
)
def test_create_client_bad_input_is_refused_before_anything_is_written(world, changes, field, words):
    entries = AuditEntry.objects.count()
    with pytest.raises(InvalidInput) as refused:
        world.create(**changes)
    assert words in " ".join(refused.value.fields[field])
    assert not AppClient.objects.exists() and not Secret.objects.exists() and not Operation.objects.exists()
    assert AuditEntry.objects.count() == entries
    assert world.remote_clients() == []


def test_create_client_name_taken_is_refused(world):
    world.create()
    with pytest.raises(InvalidInput) as refused:
        world.create(name="Northwind-Orders-PROD")
    assert "already has a client" in refused.value.sentence


def test_create_client_throttled_stands_as_creating_and_the_worker_goes_on(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    app_client = world.create()
    assert app_client.status == Status.CREATING and world.remote_clients() == []
    operation = app_client.operations.get()
    assert operation.state == OperationState.WAITING and "slow down" in operation.last_error

    make_due(app_client)
    operations.resume_due()
    app_client.refresh_from_db()
    assert app_client.status == Status.ACTIVE and len(world.remote_clients()) == 1
    assert story(app_client) == [Outcome.STARTED, Outcome.OK]


@pytest.mark.parametrize("fault", ["lose_answer", "drop", "error_500"])
def test_create_client_without_an_answer_looks_and_leaves_one_client(world, fault):
    world.sandbox.fault("CreateUserPoolClient", fault)
    app_client = world.create()
    assert app_client.status == Status.CREATING

    make_due(app_client)
    operations.resume_due()
    app_client.refresh_from_db()
    assert app_client.status == Status.ACTIVE
    [remote] = world.remote_clients()
    assert remote["ClientId"] == app_client.client_id
    assert story(app_client) == [Outcome.STARTED, Outcome.UNKNOWN, Outcome.RESOLVED, Outcome.OK]


def test_create_client_refused_by_cognito_is_visible_and_can_be_retried(world):
    world.cognito.delete_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="orders")
    app_client = world.create()
    operation = app_client.operations.get()
    assert operation.state == OperationState.REFUSED and "does not know one of the scopes" in operation.last_error
    assert story(app_client) == [Outcome.STARTED, Outcome.FAILED]

    scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}]
    world.cognito.create_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders", Scopes=scopes
    )
    operations.retry_operation(operation, actor=world.people["support"])
    app_client.refresh_from_db()
    assert app_client.status == Status.ACTIVE


def test_create_client_that_cannot_be_audited_does_not_happen(world, monkeypatch):
    from clients.services import audit

    def broken(entry):
        raise OSError("disk full")

    monkeypatch.setattr(audit, "_hash", broken)
    with pytest.raises(OSError, match="disk full"):
        world.create()
    assert world.remote_clients() == [] and not AppClient.objects.exists()
