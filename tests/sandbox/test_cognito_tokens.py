"""Tokens for machines. `cognito_facts.md` sections 3, 4 and 5."""

import json
import urllib.parse

import pytest

from tests.sandbox import cognito_kit
from tests.sandbox.cognito_kit import code_of


def test_token_with_either_secret_and_either_way(pool):
    robot = pool.create()
    added = pool.call("add_user_pool_client_secret", ClientId=robot["ClientId"])["ClientSecretDescriptor"]

    for value in (robot["ClientSecret"], added["ClientSecretValue"]):
        for basic in (True, False):
            assert pool.token(robot, value, basic=basic)[0] == 200
    assert pool.token(robot, "wrong", basic=True) == (400, {"error": "invalid_client"})


def test_claims_of_a_machine(pool):
    robot = pool.create()

    claims = pool.claims(robot, scope="orders/read")

    names = {"sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"}
    assert set(claims) == names
    assert claims["sub"] == claims["client_id"] == robot["ClientId"]
    assert (claims["token_use"], claims["scope"], claims["version"]) == ("access", "orders/read", 2)
    assert claims["iss"] == f"https://cognito-idp.eu-west-1.amazonaws.com/{pool.id}"
    assert claims["exp"] - claims["iat"] == 3600


def test_omitted_scope_means_all_of_them(pool):
    assert set(pool.claims(pool.create())["scope"].split()) == {"orders/read", "orders/write"}


@pytest.mark.parametrize("scope", ["openid", "orders/none", "orders/read orders/none", "unknown"])
def test_scope_the_client_lacks_is_refused(pool, scope):
    assert pool.token(pool.create(), scope=scope) == (400, {"error": "invalid_scope"})


def test_removed_scope_is_left_out_silently(sandbox):
    pool = sandbox.pool()
    robot = pool.create()
    pool.call("update_resource_server", Identifier="orders", Name="Orders", Scopes=cognito_kit.SCOPES[:1])

    assert pool.claims(robot)["scope"] == "orders/read"
    assert pool.claims(robot, scope="orders/write")["scope"] == ""

    pool.call("update_resource_server", Identifier="orders", Name="Orders", Scopes=cognito_kit.SCOPES)
    assert pool.claims(robot, scope="orders/write")["scope"] == "orders/write"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"aws_client_metadata": "[1]"}, "invalid_request"),
        ({"aws_client_metadata": "{"}, "invalid_request"),
    ],
)
def test_wrong_request_is_refused(pool, form, error):
    assert pool.token(pool.create(), **form) == (400, {"error": error})


def test_repeated_parameter_is_refused(pool):
    robot = pool.create()
    pairs = [("grant_type", "client_credentials"), ("client_id", robot["ClientId"]), ("client_secret", "a")]
    body = urllib.parse.urlencode([*pairs, ("client_secret", robot["ClientSecret"])]).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    status, text, _ = pool.kit.http("POST", pool.kit.token_path(pool.domain), body, headers)

    assert (status, json.loads(text)) == (400, {"error": "invalid_request"})


def test_unencoded_plus_in_a_form_is_a_space(pool):
    value = "a+b" * 10
    robot = pool.create(GenerateSecret=None, ClientSecret=value)

    assert pool.token(robot)[0] == 200
    assert pool.token(robot, basic=True)[0] == 200
    body = f"grant_type=client_credentials&client_id={robot['ClientId']}&client_secret={value}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert pool.kit.http("POST", pool.kit.token_path(pool.domain), body, headers)[0] == 400


def test_client_of_another_pool_is_unknown(sandbox, pool):
    assert pool.token(sandbox.pool().create()) == (400, {"error": "invalid_client"})


def test_no_token_after_the_domain_is_gone(sandbox):
    pool = sandbox.pool()
    robot = pool.create()
    pool.call("delete_user_pool_domain", Domain=pool.domain)

    assert pool.token(robot)[0] == 404


def test_discovery_names_the_endpoint_of_the_domain(pool):
    document = json.loads(pool.kit.http("GET", f"/{pool.id}/.well-known/openid-configuration")[1])

    assert document["token_endpoint"] == pool.kit.endpoint + pool.kit.token_path(pool.domain)


@pytest.fixture(scope="module")
def echoing(sandbox):
    """A pool whose trigger puts the event it saw into a claim, and tries what it may not."""
    pool = sandbox.pool()
    pool.set_trigger(cognito_kit.ECHO)
    return pool


def test_event_of_the_trigger(echoing):
    robot = echoing.create()
    metadata = json.dumps({"portal": "test"})

    seen = json.loads(echoing.claims(robot, scope="orders/read", aws_client_metadata=metadata)["seen"])

    assert seen == {
        "version": "3",
        "triggerSource": "TokenGeneration_ClientCredentials",
        "region": "eu-west-1",
        "userPoolId": echoing.id,
        "userName": "ClientCredentials",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": robot["ClientId"]},
        "request": {
            "userAttributes": {},
            "groupConfiguration": None,
            "scopes": ["orders/read"],
            "clientMetadata": {"portal": "test"},
        },
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def test_event_without_metadata_has_no_such_member(echoing):
    seen = json.loads(echoing.claims(echoing.create())["seen"])

    assert "clientMetadata" not in seen["request"]


def test_claims_the_trigger_may_change(echoing):
    robot = echoing.create()

    claims = echoing.claims(robot)

    assert claims["tenant_id"] == "acme" and claims["limits"] == {"day": 5}
    assert claims["sub"] == robot["ClientId"] and claims["jti"]
    assert not {"cognito:groups", "both", "aud"} & set(claims)
    assert claims["scope"] == "orders/read extra/scope"


@pytest.mark.parametrize(
    "source",
    [
        cognito_kit.REFUSING,
        "def handler(event, context):\n    return None\n",
        "def handler(event, context):\n    return 'nonsense'\n",
        "this is no Python",
    ],
    ids=["refuses", "returns nothing", "returns a string", "does not load"],
)
def test_failing_trigger_means_no_token(sandbox, source):
    pool = sandbox.pool()
    pool.set_trigger(source)

    status, document = pool.token(pool.create())

    assert (status, document["error"]) == (400, "invalid_request")
    assert document["error_description"]


def test_missing_function_means_no_token(sandbox):
    pool = sandbox.pool()
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:gone"
    pool.call(
        "update_user_pool", LambdaConfig={"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": arn}}
    )

    assert pool.token(pool.create())[0] == 400


def test_v2_trigger_does_not_meet_machines(sandbox):
    pool = sandbox.pool()
    configured = {"LambdaVersion": "V2_0", "LambdaArn": sandbox.function(cognito_kit.ECHO)}
    pool.call("update_user_pool", LambdaConfig={"PreTokenGenerationConfig": configured})

    assert "seen" not in pool.claims(pool.create())


def get_token(pool, robot, secret=None, **options):
    answer = pool.kit.unsigned.get_client_token(
        ClientId=robot["ClientId"], Secret=secret or robot["ClientSecret"], **options
    )
    return answer["ClientAuthenticationResult"]


def test_get_client_token_needs_no_domain_and_no_oauth_flag(echoing):
    robot = echoing.create(ExplicitAuthFlows=["ALLOW_CLIENT_TOKEN_AUTH"], AllowedOAuthFlowsUserPoolClient=False)

    result = get_token(echoing, robot, Scopes=["orders/read"], ClientMetadata={"portal": "test"})

    assert result["ExpiresIn"] == 3600
    claims = echoing.verified(result["AccessToken"])
    assert claims["client_id"] == robot["ClientId"]
    assert json.loads(claims["seen"])["request"]["clientMetadata"] == {"portal": "test"}


def test_get_client_token_refusals(pool):
    robot = pool.create(ExplicitAuthFlows=["ALLOW_CLIENT_TOKEN_AUTH"])

    assert code_of(get_token, pool, pool.create()) == "InvalidParameterException"
    assert code_of(get_token, pool, robot, "x" * 30) == "NotAuthorizedException"
    assert code_of(get_token, pool, robot, Scopes=["orders/none"]) == "InvalidParameterException"
    assert code_of(get_token, pool, {"ClientId": "nobody"}, "x" * 30) == "ResourceNotFoundException"
