"""AppSync in the sandbox: each rule, where the fact stands, and a probe that plain MiniStack fails."""

import base64
import json
import time

import pytest

from tests.sandbox.appsync_fixtures import plain_server, plain_world, sandbox_server, world  # noqa: F401

ROWS = "{ rows { items { tenant id } } }"
UNAUTHORIZED = (401, "UnauthorizedException")


def outcome(world, query, token, **more):
    status, answer = world.ask(query, token, **more)
    errors = answer.get("errors") or [{}]
    return status, errors[0].get("errorType")


def refuses(world, **claims):
    return outcome(world, "{ leaky { items { id } } }", world.token(**claims)) == UNAUTHORIZED


def tampered(world):
    head, _body, signature = world.token().split(".")
    claims = {"sub": "x", "client_id": "x", "token_use": "access", "exp": int(time.time()) + 60, "tenant_id": "globex"}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return outcome(world, ROWS, f"{head}.{body}.{signature}") == UNAUTHORIZED


def unsigned(world):
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return outcome(world, ROWS, f"{head}.{world.token().split('.')[1]}.") == UNAUTHORIZED


def expired(world):
    status, answer = world.ask(ROWS, world.token(exp=int(time.time()) - 5))
    return (status, answer["errors"][0]["message"]) == (401, "Token has expired.")


def other_pool(world):
    other = world.aws("cognito-idp").create_user_pool(PoolName="other")["UserPool"]["Id"]
    world.public_keys(other)
    issuer = world.issuer.replace(world.pool_id, other)
    return outcome(world, ROWS, world.token(pool_id=other, iss=issuer)) == UNAUTHORIZED


def pattern(world):
    token = world.token()
    found = {}
    for regex in (world.app_client_id, world.app_client_id[:10], "somebody-else", f"^{world.app_client_id}$", "("):
        world.configure(appIdClientRegex=regex)
        found[regex] = outcome(world, "{ identity }", token)[0]
    world.configure()
    return list(found.values()) == [200, 401, 401, 200, 401]


def default_deny(world):
    world.configure(defaultAction="DENY")
    before = world.row_count()
    refused = outcome(world, 'mutation { put(id: "denied") { id } }', world.token())
    world.configure()
    return refused == UNAUTHORIZED and world.row_count() == before


def no_resolver_before_the_door(world):
    before = world.row_count()
    world.ask('mutation { put(id: "stolen") { id } }', world.token()[:-6] + "AAAAAA")
    return world.row_count() == before


def machine_identity(world):
    seen = json.loads(world.ask("{ identity }", world.token())[1]["data"]["identity"])
    expected = {"username": None, "groups": None, "sub": world.app_client_id, "issuer": world.issuer}
    expected.update(sourceIp=["127.0.0.1"], defaultAuthStrategy="ALLOW")
    claims = seen.pop("claims")
    return seen == expected and claims["tenant_id"] == "acme"


def group_directive(world):
    status, answer = world.ask("{ grouped }", world.token())
    return (status, answer["data"], answer.get("errors", [{}])[0].get("errorType")) == (
        200,
        {"grouped": None},
        "Unauthorized",
    )


def pipeline_from_template(world):
    answer = world.ask("{ order }", world.token())[1]
    return json.loads(answer["data"]["order"] or "[]") == [
        "before",
        "first got null",
        "second got first",
        "after got second",
    ]


def function_is_listed(world):
    return len(world.aws("appsync").list_functions(apiId=world.api_id)["functions"]) == 5


def query_by_tenant(world):
    items = (world.ask(ROWS, world.token(tenant_id="globex"))[1]["data"]["rows"] or {}).get("items")
    return items == [{"tenant": "globex", "id": "3"}]


def missing_claim(world):
    status, answer = world.ask(ROWS, world.token(tenant_id=None))
    return (status, answer["data"], answer["errors"][0]["errorType"]) == (200, {"rows": None}, "Unauthorized")


def filter_expression(world):
    items = world.ask("{ filtered { items { id } } }", world.token())[1]["data"]["filtered"]["items"]
    return {"id": "1"} not in items and {"id": "3"} in items


def batch(world):
    data = json.loads(json.dumps(world.ask("{ batch }", world.token())[1]["data"]["batch"]))
    return bool(data) and data["data"] == {world.rows: [{"tenant": "globex", "id": "3"}, None]}


def get_by_both_keys(world):
    return world.ask('{ one(tenant: "acme", id: "2") { id } }', world.token())[1]["data"]["one"] == {"id": "2"}


def condition(world):
    answer = world.ask('mutation { put(id: "1") { id } }', world.token())[1]
    return answer.get("errors", [{}])[0].get("errorType") == "DynamoDB:ConditionalCheckFailedException"


RULES = [
    ("a tampered token is refused", "6", tampered),
    ("an unsigned token is refused", "6", unsigned),
    ("an expired token is refused", "6", expired),
    ("a foreign issuer is refused", "6", lambda world: refuses(world, iss=world.issuer.replace("eu-west-1_", "eu-west-9_"))),
    ("another token_use is refused", "6", lambda world: refuses(world, token_use="refresh")),
    ("an access token is not signed by the key for ID tokens", "6", lambda world: refuses(world, signed_by="id")),
    ("a token of another pool is refused", "6", other_pool),
    ("appIdClientRegex is matched in full", "6", pattern),
    ("defaultAction DENY leaves a machine nothing", "6", default_deny),
    ("no resolver runs for a refused caller", "6", no_resolver_before_the_door),
    ("a machine has neither user name nor groups", "6", machine_identity),
    ("a group directive never matches a machine", "6", group_directive),
    ("a pipeline from a template runs in order", "13", pipeline_from_template),
    ("a function in a template is created", "13", function_is_listed),
    ("a query answers the tenant's rows only", "6", query_by_tenant),
    ("util.unauthorized() is the field's error", "6", missing_claim),
    ("a scan's filter is applied", "13", filter_expression),
    ("BatchGetItem answers in the keys' order", "13", batch),
    ("GetItem reads by both keys", "13", get_by_both_keys),
    ("a put's condition is checked", "13", condition),
]
each_rule = pytest.mark.parametrize(("rule", "section", "probe"), RULES, ids=[rule for rule, _, _ in RULES])


@each_rule
def test_rule_holds_in_the_sandbox(world, rule, section, probe):
    assert probe(world), f"{rule} (cognito_facts.md section {section})"


@each_rule
def test_rule_is_broken_by_plain_ministack(plain_world, rule, section, probe):
    assert not probe(plain_world), f"plain MiniStack keeps to it by now: {rule}"
