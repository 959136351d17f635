"""App clients, resource servers and pools: what is refused and what an update resets. Sections 1, 3 and 5."""

import json
import threading
import time

import pytest

from tests.sandbox import cognito_kit
from tests.sandbox.cognito_kit import code_of, message_of


def update(pool, robot, **options):
    return pool.call("update_user_pool_client", ClientId=robot["ClientId"], **options)["UserPoolClient"]


def test_update_without_a_field_resets_it(pool):
    robot = pool.create(
        AccessTokenValidity=30, TokenValidityUnits={"AccessToken": "minutes"}, PreventUserExistenceErrors="ENABLED"
    )

    updated = update(pool, robot, ClientName="renamed")

    assert updated["ClientName"] == "renamed"
    assert updated["AllowedOAuthFlowsUserPoolClient"] is False
    assert updated["PreventUserExistenceErrors"] == "LEGACY"
    assert not updated["AllowedOAuthFlows"] and not updated["AllowedOAuthScopes"] and not updated["TokenValidityUnits"]
    assert updated["ClientSecret"] == robot["ClientSecret"]


def test_update_with_everything_described_changes_nothing(pool):
    robot = pool.create(AccessTokenValidity=2)
    unchangeable = {"ClientSecret", "CreationDate", "LastModifiedDate", "ClientId", "UserPoolId"}

    updated = update(pool, robot, **{name: robot[name] for name in set(robot) - unchangeable})

    assert {**updated, "LastModifiedDate": 0} == {**robot, "LastModifiedDate": 0}


def test_omitted_explicit_flows_let_people_sign_in(pool):
    expected = ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
    assert pool.create()["ExplicitAuthFlows"] == expected
    assert pool.create(ExplicitAuthFlows=[])["ExplicitAuthFlows"] == expected


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"AllowedOAuthFlows": ["client_credentials", "code"]}, "along with code flow or implicit flow"),
        ({"GenerateSecret": False}, "does not have a client secret"),
        ({"AllowedOAuthScopes": ["openid"]}, "openid is not supported with client_credentials flow"),
    ],
)
def test_impossible_flow_is_refused(pool, wanted, words):
    assert code_of(pool.create, **wanted) == "InvalidOAuthFlowException"
    assert words in message_of(pool.create, **wanted)


def test_flow_of_an_update_is_checked_against_the_client(pool):
    public = pool.create(GenerateSecret=None, AllowedOAuthFlows=None)

    assert code_of(update, pool, public, AllowedOAuthFlows=["client_credentials"]) == "InvalidOAuthFlowException"


def test_unknown_scope_is_refused_on_update_and_changes_nothing(pool):
    robot = pool.create()

    assert code_of(update, pool, robot, AllowedOAuthScopes=["orders/none"]) == "ScopeDoesNotExistException"

    assert pool.call("describe_user_pool_client", ClientId=robot["ClientId"])["UserPoolClient"] == robot


@pytest.mark.parametrize(
    "wanted",
    [
        {"AccessTokenValidity": 4, "TokenValidityUnits": {"AccessToken": "minutes"}},
        {"AccessTokenValidity": 25},
        {"AccessTokenValidity": 2, "TokenValidityUnits": {"AccessToken": "days"}},
        {"AccessTokenValidity": 1440},
        {"IdTokenValidity": 299, "TokenValidityUnits": {"IdToken": "seconds"}},
    ],
)
def test_validity_outside_the_window_is_refused(pool, wanted):
    assert code_of(pool.create, **wanted) == "InvalidParameterException"
    assert "Invalid range for token validity" in message_of(pool.create, **wanted)


def test_validity_within_the_window_is_honoured(pool):
    for number, unit, seconds in ((5, "minutes", 300), (1, "days", 86400), (24, None, 86400)):
        units = {"AccessToken": unit} if unit else {}
        robot = pool.create(AccessTokenValidity=number, TokenValidityUnits=units)
        claims = pool.claims(robot)
        assert claims["exp"] - claims["iat"] == seconds
        assert pool.token(robot)[1]["expires_in"] == seconds


@pytest.mark.parametrize(
    "wanted",
    [
        {"ClientName": "x" * 129},
        {"ClientName": "Zürich"},
        {"ClientName": "a/b"},
        {"ClientName": "a\u2009b"},
        {"AllowedOAuthScopes": ["a b"]},
        {"AllowedOAuthScopes": ["orders/read"] * 51},
        {"AllowedOAuthFlows": ["password"]},
        {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ADMIN_NO_SRP_AUTH"]},
        {"ExplicitAuthFlows": ["ALLOW_CLIENT_TOKEN_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]},
        {"AuthSessionValidity": 16},
    ],
)
def test_wrong_shape_is_refused(pool, wanted):
    assert code_of(pool.create, **wanted) == "InvalidParameterException"


def test_refusal_never_repeats_a_secret(pool):
    value = "not-a-valid-secret-value-at-all"
    assert value not in message_of(pool.create, GenerateSecret=None, ClientSecret=value)


@pytest.mark.parametrize(
    "wanted",
    [
        {"Identifier": "with space"},
        {"Identifier": "x" * 257},
        {"Name": "a/b"},
        {"Scopes": [{"ScopeName": "a/b", "ScopeDescription": "x"}]},
        {"Scopes": [{"ScopeName": f"s{n}", "ScopeDescription": "x"} for n in range(101)]},
    ],
)
def test_resource_server_of_a_wrong_shape_is_refused(pool, wanted):
    options = {"Identifier": "billing", "Name": "Billing"} | wanted
    assert code_of(pool.call, "create_resource_server", **options) == "InvalidParameterException"


def test_resource_server_update_replaces_all_scopes(sandbox):
    pool = sandbox.pool()

    pool.call("update_resource_server", Identifier="orders", Name="Orders", Scopes=cognito_kit.SCOPES[:1])

    server = pool.call("describe_resource_server", Identifier="orders")["ResourceServer"]
    assert [scope["ScopeName"] for scope in server["Scopes"]] == ["read"]


def test_pool_update_resets_the_trigger_but_not_the_plan(sandbox):
    pool = sandbox.pool(UserPoolTier="PLUS")
    pool.set_trigger(cognito_kit.ECHO)

    pool.call("update_user_pool", MfaConfiguration="OFF")

    described = pool.call("describe_user_pool")["UserPool"]
    assert described["LambdaConfig"] == {} and described["UserPoolTier"] == "PLUS"
    assert described["Domain"] == pool.domain


def test_v3_trigger_on_the_lite_plan_is_refused_on_update(sandbox):
    pool = sandbox.pool(UserPoolTier="LITE")

    assert code_of(pool.set_trigger, cognito_kit.ECHO) == "FeatureUnavailableInTierException"


def test_overlapping_write_is_refused_and_not_applied(calm):
    pool, other = calm.pool(), calm.pool()
    robot, second = pool.create(ClientName="first"), pool.create(ClientName="second")
    calm.hold_writes(0.6)
    writer = threading.Thread(target=update, args=(pool, robot), kwargs={"ClientName": "slow"})
    writer.start()
    threading.Event().wait(0.2)

    assert code_of(update, pool, second, ClientName="lost") == "ConcurrentModificationException"
    assert code_of(other.create) is None
    writer.join()

    names = {item["ClientName"] for item in pool.call("list_user_pool_clients", MaxResults=60)["UserPoolClients"]}
    assert names == {"slow", "second"}


@pytest.mark.parametrize("domain", ["Upper", "with.dot", "-first", "x" * 64])
def test_domain_prefix_of_a_wrong_shape_is_refused(sandbox, domain):
    pool_id = sandbox.cognito.create_user_pool(PoolName="bare")["UserPool"]["Id"]

    refused = {"UserPoolId": pool_id, "Domain": domain}
    assert code_of(sandbox.cognito.create_user_pool_domain, **refused) == "InvalidParameterException"


def test_templates_meet_the_same_rules(sandbox):
    """CloudFormation goes past the dispatcher, so the rules sit below it."""
    pool = sandbox.pool()
    properties = {"UserPoolId": pool.id, "GenerateSecret": True, "AllowedOAuthFlows": ["client_credentials", "code"]}
    template = {"Resources": {"Robot": {"Type": "AWS::Cognito::UserPoolClient", "Properties": properties}}}
    stacks = sandbox.client("cloudformation")

    stacks.create_stack(StackName=f"s{pool.domain}", TemplateBody=json.dumps(template))

    deadline = time.monotonic() + 10
    while (status := stacks.describe_stacks(StackName=f"s{pool.domain}")["Stacks"][0]["StackStatus"]).endswith(
        "IN_PROGRESS"
    ) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status in ("ROLLBACK_COMPLETE", "CREATE_FAILED")
    assert pool.call("list_user_pool_clients", MaxResults=60)["UserPoolClients"] == []
