"""Each rule the sandbox adds, as one probe that passes here and fails on plain MiniStack 1.5.33."""

import re
import threading

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.sandbox import cognito_kit
from tests.sandbox.cognito_kit import code_of


def second_secret(pool):
    robot = pool.create()
    added = pool.call("add_user_pool_client_secret", ClientId=robot["ClientId"])["ClientSecretDescriptor"]
    assert pool.token(robot, added["ClientSecretValue"])[0] == 200
    assert len(pool.secrets(robot)) == 2


def chosen_secret(pool):
    value = "chosen_" + "x" * 30
    assert pool.create(GenerateSecret=None, ClientSecret=value)["ClientSecret"] == value


def secret_pattern(pool):
    assert re.fullmatch("[a-z0-9]{24,64}", pool.create()["ClientSecret"])


def client_update_resets(pool):
    robot = pool.create(AccessTokenValidity=2)
    updated = pool.call("update_user_pool_client", ClientId=robot["ClientId"], ClientName="renamed")["UserPoolClient"]
    assert not updated.get("AllowedOAuthFlows") and not updated.get("AllowedOAuthScopes")
    assert "AccessTokenValidity" not in updated


def pool_update_resets(pool):
    pool.call("update_user_pool", UserPoolTags={"a": "b"})
    pool.call("update_user_pool")
    assert not pool.call("describe_user_pool")["UserPool"].get("UserPoolTags")


def resource_server_update_resets(pool):
    pool.call("update_resource_server", Identifier="orders", Name="Orders")
    assert pool.call("describe_resource_server", Identifier="orders")["ResourceServer"]["Scopes"] == []


def unknown_scope(pool):
    assert code_of(pool.create, AllowedOAuthScopes=["orders/none"]) == "ScopeDoesNotExistException"


def mixed_flows(pool):
    flows = ["client_credentials", "code"]
    assert code_of(pool.create, AllowedOAuthFlows=flows) == "InvalidOAuthFlowException"


def tier(pool):
    config = {
        "PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": "arn:aws:lambda:eu-west-1:0:function:f"}
    }
    options = {"PoolName": "lite", "UserPoolTier": "LITE", "LambdaConfig": config}
    assert code_of(pool.kit.cognito.create_user_pool, **options) == "FeatureUnavailableInTierException"


def validity_window(pool):
    assert code_of(pool.create, AccessTokenValidity=25) == "InvalidParameterException"


def name_pattern(pool):
    assert code_of(pool.create, ClientName="a/b") == "InvalidParameterException"


def ascii_only(pool):
    assert code_of(pool.create, ClientName="Zürich") == "InvalidParameterException"


def overlapping_writes(pool):
    barrier, codes = threading.Barrier(4), []
    pool.kit.hold_writes(0.2)

    def write(name):
        barrier.wait()
        codes.append(code_of(pool.create, ClientName=name))

    threads = [threading.Thread(target=write, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.kit.hold_writes(0.01)
    assert "ConcurrentModificationException" in codes and None in codes


def domain_endpoint(pool):
    status, _, _ = pool.kit.http("POST", "/oauth2/token", b"grant_type=client_credentials")
    assert status == 404


def flow_flag(pool):
    robot = pool.create(AllowedOAuthFlowsUserPoolClient=False)
    assert pool.token(robot) == (400, {"error": "invalid_grant"})


def foreign_scope(pool):
    robot = pool.create(AllowedOAuthScopes=["orders/read"])
    assert pool.token(robot, scope="orders/write") == (400, {"error": "invalid_scope"})


def no_scopes(pool):
    assert pool.token(pool.create(AllowedOAuthScopes=[])) == (400, {"error": "invalid_scope"})


def json_body(pool):
    headers = {"Content-Type": "application/json"}
    status, text, _ = pool.kit.http("POST", pool.kit.token_path(pool.domain), b'{"grant_type":"x"}', headers)
    assert (status, text) == (400, '{"error": "invalid_request"}')


def bad_metadata(pool):
    assert pool.token(pool.create(), aws_client_metadata="{nonsense")[1]["error"] == "invalid_request"


def failing_trigger(pool):
    pool.set_trigger(cognito_kit.REFUSING)
    status, document = pool.token(pool.create())
    assert (status, document["error"]) == (400, "invalid_request")
    assert "No document for this client" in document["error_description"]


def reserved_claims(pool):
    pool.set_trigger(cognito_kit.ECHO)
    robot = pool.create()
    claims = pool.claims(robot)
    assert claims["sub"] == robot["ClientId"] and "cognito:groups" not in claims


def version_claim(pool):
    assert pool.claims(pool.create())["version"] == 2


def client_token(pool):
    robot = pool.create(ExplicitAuthFlows=["ALLOW_CLIENT_TOKEN_AUTH"])
    answer = pool.kit.unsigned.get_client_token(ClientId=robot["ClientId"], Secret=robot["ClientSecret"])
    assert answer["ClientAuthenticationResult"]["TokenType"] == "Bearer"


def foreign_origin(pool):
    assert pool.kit.http("GET", "/_ministack/health", headers={"Origin": "https://elsewhere.example"})[0] == 403


def foreign_host(pool):
    assert pool.kit.http("GET", "/_ministack/health", headers={"Host": "elsewhere.example"})[0] == 403


def no_cors(pool):
    _, _, headers = pool.kit.http("GET", f"/{pool.id}/.well-known/jwks.json")
    assert headers["Access-Control-Allow-Origin"] is None


RULES = [
    ("two secrets of one app client", "section 2", second_secret),
    ("a secret of the caller's own on create", "section 2", chosen_secret),
    ("generated secrets match their own pattern", "section 2", secret_pattern),
    ("UpdateUserPoolClient resets what is omitted", "section 1", client_update_resets),
    ("UpdateUserPool resets what is omitted", "section 5", pool_update_resets),
    ("UpdateResourceServer resets omitted scopes", "section 3", resource_server_update_resets),
    ("scopes must exist", "section 1", unknown_scope),
    ("client_credentials stands alone", "section 1", mixed_flows),
    ("no V3_0 trigger on the Lite plan", "section 5", tier),
    ("tokens live five minutes to a day", "section 1", validity_window),
    ("names match their pattern", "section 1", name_pattern),
    ("patterns are ASCII", "section 1", ascii_only),
    ("overlapping writes to one pool are refused", "section 1", overlapping_writes),
    ("no token endpoint without a domain", "section 4", domain_endpoint),
    ("flow flag off is invalid_grant", "section 1", flow_flag),
    ("a scope the client lacks is invalid_scope", "section 4", foreign_scope),
    ("a client without scopes gets no token", "section 4", no_scopes),
    ("a JSON body is invalid_request", "section 4", json_body),
    ("metadata that is no JSON is invalid_request", "section 4", bad_metadata),
    ("a failing trigger is a 400 in JSON", "section 5", failing_trigger),
    ("a trigger cannot set reserved claims", "section 5", reserved_claims),
    ("machine tokens carry a version", "section 4", version_claim),
    ("GetClientToken, unsigned", "section 4", client_token),
    ("a page of another origin is refused", "design.md, the sandbox", foreign_origin),
    ("another host's name is refused", "design.md, the sandbox", foreign_host),
    ("no answer allows every origin", "design.md, the sandbox", no_cors),
]
TABLE = pytest.mark.parametrize("probe", [pytest.param(probe, id=f"{name} ({facts})") for name, facts, probe in RULES])


@TABLE
def test_rule_on_the_sandbox(sandbox, probe):
    probe(sandbox.pool())


@TABLE
def test_rule_missing_from_plain_ministack(plain_ministack, probe):
    pool = plain_ministack.pool()

    with pytest.raises((AssertionError, ClientError, ParamValidationError, ValueError, KeyError)):
        probe(pool)
