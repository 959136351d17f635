"""Comparing with Cognito: what differs is named, nothing is repaired behind anybody's back."""

import pytest

from clients.models import AppClient, AuditEntry
from clients.services import claims, pool_sync


def observed(app_client):
    AppClient.objects.update(observe_after=None)
    pool_sync.observe_due()
    app_client.refresh_from_db()
    return app_client.drift


def change_elsewhere(world, app_client, **fields):
    """As in the AWS console: everything sent, the fields changed."""
    held = world.describe(app_client.client_id)
    keep = {k: v for k, v in held.items() if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}
    world.cognito.update_user_pool_client(**keep | fields)


def test_a_client_as_created_is_in_sync(world):
    app_client = world.create()
    assert observed(app_client) == [] and app_client.observed_at is not None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"AllowedOAuthScopes": ["shipments/read"]}, ["scopes"]),
        ({"ClientName": "something else"}, ["name"]),
        ({"AccessTokenValidity": 10, "TokenValidityUnits": {"AccessToken": "minutes"}}, ["access_token_seconds"]),
        ({"AllowedOAuthFlowsUserPoolClient": False}, ["flow"]),
    ],
)
def test_a_change_outside_the_portal_is_named_once_and_not_undone(world, fields, named):
    app_client = world.create()
    change_elsewhere(world, app_client, **fields)
    world.sandbox.clear()
    assert observed(app_client) == named
    assert observed(app_client) == named
    assert world.sandbox.writes() == []
    assert AuditEntry.objects.filter(action="client:observe").count() == 1


def test_the_same_validity_in_another_unit_is_no_drift(world):
    app_client = world.create()
    change_elsewhere(world, app_client, AccessTokenValidity=1, TokenValidityUnits={"AccessToken": "hours"})
    assert observed(app_client) == []


def test_a_client_deleted_outside_is_missing(world):
    app_client = world.create()
    world.cognito.delete_user_pool_client(UserPoolId=world.pool.user_pool_id, ClientId=app_client.client_id)
    assert observed(app_client) == ["missing"]


def test_cognito_out_of_reach_leaves_what_was_known(world):
    app_client = world.create()
    observed(app_client)
    before = app_client.observed_at
    world.sandbox.fault("DescribeUserPoolClient", "throttle")
    assert observed(app_client) == [] and app_client.observed_at == before


def test_a_missing_pool_is_one_finding_and_no_drift(world):
    app_client = world.create()
    domain = world.cognito.describe_user_pool(UserPoolId=world.pool.user_pool_id)["UserPool"]["Domain"]
    world.cognito.delete_user_pool_domain(Domain=domain, UserPoolId=world.pool.user_pool_id)
    world.cognito.delete_user_pool(UserPoolId=world.pool.user_pool_id)
    assert observed(app_client) == []
    world.pool.refresh_from_db()
    assert world.pool.is_missing


def test_clients_nobody_knows_are_named_once_and_never_touched(world):
    world.create()
    pool, made = world.pool, []
    for name in ("made in the console", f"lost op-{'0' * 26}"):
        created = world.cognito.create_user_pool_client(UserPoolId=pool.user_pool_id, ClientName=name)
        made.append((created["UserPoolClient"]["ClientId"], name))
    world.sandbox.clear()
    found = pool_sync.compare_pool(pool)
    assert sorted((f["client_id"], f["name"]) for f in found) == sorted(made)
    assert {f["name"]: f["ours"] for f in found} == {made[0][1]: False, made[1][1]: True}
    pool.refresh_from_db()
    assert pool_sync.compare_pool(pool) == found and world.sandbox.writes() == []
    assert AuditEntry.objects.filter(action="pool:compare").count() == 1


def test_a_client_being_created_is_not_foreign(world):
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    world.create()
    assert len(world.remote_clients()) == 1 and pool_sync.compare_pool(world.pool) == []


def test_a_failing_client_does_not_starve_the_others(world):
    first, second = world.create(name="first"), world.create(name="second")
    AppClient.objects.update(observe_after=None)
    world.sandbox.fault("DescribeUserPoolClient", "error_500")
    assert pool_sync.observe_due(limit=1) == 1
    assert pool_sync.observe_due(limit=1) == 1 and pool_sync.observe_due(limit=1) == 0
    seen = dict(AppClient.objects.values_list("pk", "observed_at"))
    assert seen[first.pk] is None and seen[second.pk] is not None


@pytest.mark.parametrize("what", ["edited", "removed", "newer"])
def test_a_document_changed_outside_is_named_and_published_again(world, what):
    app_client = world.create()
    table, key = world.pool.claims_table, {"client_id": {"S": app_client.client_id}}
    dynamodb, right = world.sandbox.aws("dynamodb"), world.document(app_client.client_id)
    if what == "removed":
        dynamodb.delete_item(TableName=table, Key=key)
    else:
        version = {"N": "9"} if what == "newer" else right["version"]
        dynamodb.put_item(
            TableName=table, Item=right | {"claims": {"S": '{"tenant_id":"somebody"}'}, "version": version}
        )
    observed(app_client)
    repaired = AuditEntry.objects.filter(action="attributes:repair")
    assert repaired.count() == 1
    assert claims.publish_due() == 1
    assert world.document(app_client.client_id)["claims"] == right["claims"]
    told = repaired.count()
    observed(app_client)
    assert repaired.count() == told


def test_a_document_that_cannot_be_read_is_not_repaired(world):
    app_client = world.create()
    world.sandbox.fault("GetItem", "throttle")
    assert pool_sync.check_document(app_client) and not AuditEntry.objects.filter(action="attributes:repair").exists()


def test_a_secret_somebody_made_in_the_console_is_named_and_left(world):
    app_client = world.create()
    pool = world.pool.user_pool_id
    made = world.cognito.add_user_pool_client_secret(UserPoolId=pool, ClientId=app_client.client_id)
    stranger = made["ClientSecretDescriptor"]["ClientSecretId"]
    world.sandbox.clear()

    assert pool_sync.observe(app_client) == ["strangers"]

    app_client.refresh_from_db()
    assert app_client in AppClient.objects.out_of_sync() and app_client in AppClient.objects.needs_attention()
    assert app_client.foreign_secrets == [stranger] and world.sandbox.writes() == []
    entry = AuditEntry.objects.filter(action="client:observe").latest("sequence")
    assert entry.detail["foreign_secrets"] == [stranger]


def test_a_secret_of_ours_that_was_removed_in_the_console_is_drift(world):
    app_client = world.create()
    pool, ours = world.pool.user_pool_id, app_client.secrets.get().cognito_secret_id
    said = {"UserPoolId": pool, "ClientId": app_client.client_id}
    world.cognito.add_user_pool_client_secret(**said)
    world.cognito.delete_user_pool_client_secret(**said, ClientSecretId=ours)
    assert pool_sync.observe(app_client) == ["secrets", "strangers"]
