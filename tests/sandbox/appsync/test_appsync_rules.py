"""AppSync in the sandbox: each rule, where the fact stands, and a probe that plain MiniStack fails."""

import base64
import json
import time

import pytest

ROWS = "{ rows { items { tenant id } } }"
UNAUTHORIZED = (401, "UnauthorizedException")


def outcome(api, query, token, **more):
    status, answer = api.ask(query, token, **more)
    errors = answer.get("errors") or [{}]
    return status, errors[0].get("errorType")


def refuses(api, **claims):
    return outcome(api, "{ leaky { items { id } } }", api.token(**claims)) == UNAUTHORIZED


def tampered(api):
    head, _body, signature = api.token().split(".")
    claims = {"sub": "x", "client_id": "x", "token_use": "access", "exp": int(time.time()) + 60, "tenant_id": "globex"}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return outcome(api, ROWS, f"{head}.{body}.{signature}") == UNAUTHORIZED


def unsigned(api):
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return outcome(api, ROWS, f"{head}.{api.token().split('.')[1]}.") == UNAUTHORIZED


def expired(api):
    status, answer = api.ask(ROWS, api.token(exp=int(time.time()) - 5))
    return (status, answer["errors"][0]["message"]) == (401, "Token has expired.")


def other_pool(api):
    other = api.aws("cognito-idp").create_user_pool(PoolName="other")["UserPool"]["Id"]
    api.public_keys(other)
    issuer = api.issuer.replace(api.pool_id, other)
    return outcome(api, ROWS, api.token(pool_id=other, iss=issuer)) == UNAUTHORIZED


def pattern(api):
    token = api.token()
    found = {}
    for regex in (api.app_client_id, api.app_client_id[:10], "somebody-else", f"^{api.app_client_id}$", "("):
        api.configure(appIdClientRegex=regex)
        found[regex] = outcome(api, "{ identity }", token)[0]
    api.configure()
    return list(found.values()) == [200, 401, 401, 200, 401]


def default_deny(api):
    api.configure(defaultAction="DENY")
    before = api.row_count()
    refused = outcome(api, 'mutation { put(id: "denied") { id } }', api.token())
    api.configure()
    return refused == UNAUTHORIZED and api.row_count() == before


def no_resolver_before_the_door(api):
    before = api.row_count()
    api.ask('mutation { put(id: "stolen") { id } }', api.token()[:-6] + "AAAAAA")
    return api.row_count() == before


def machine_identity(api):
    seen = json.loads(api.ask("{ identity }", api.token())[1]["data"]["identity"])
    expected = {"username": None, "groups": None, "sub": api.app_client_id, "issuer": api.issuer}
    expected.update(sourceIp=["127.0.0.1"], defaultAuthStrategy="ALLOW")
    claims = seen.pop("claims")
    return seen == expected and claims["tenant_id"] == "acme"


def group_directive(api):
    status, answer = api.ask("{ grouped }", api.token())
    return (status, answer["data"], answer.get("errors", [{}])[0].get("errorType")) == (
        200,
        {"grouped": None},
        "Unauthorized",
    )


def pipeline_from_template(api):
    answer = api.ask("{ order }", api.token())[1]
    return json.loads(answer["data"]["order"] or "[]") == [
        "before",
        "first got null",
        "second got first",
        "after got second",
    ]


def function_is_listed(api):
    return len(api.aws("appsync").list_functions(apiId=api.id)["functions"]) == 5


def query_by_tenant(api):
    items = (api.ask(ROWS, api.token(tenant_id="globex"))[1]["data"]["rows"] or {}).get("items")
    return items == [{"tenant": "globex", "id": "3"}]


def missing_claim(api):
    status, answer = api.ask(ROWS, api.token(tenant_id=None))
    return (status, answer["data"], answer["errors"][0]["errorType"]) == (200, {"rows": None}, "Unauthorized")


def filter_expression(api):
    items = api.ask("{ filtered { items { id } } }", api.token())[1]["data"]["filtered"]["items"]
    return {"id": "1"} not in items and {"id": "3"} in items


def batch(api):
    data = json.loads(json.dumps(api.ask("{ batch }", api.token())[1]["data"]["batch"]))
    return bool(data) and data["data"] == {api.rows: [{"tenant": "globex", "id": "3"}, None]}


def get_by_both_keys(api):
    return api.ask('{ one(tenant: "acme", id: "2") { id } }', api.token())[1]["data"]["one"] == {"id": "2"}


def condition(api):
    answer = api.ask('mutation { put(id: "1") { id } }', api.token())[1]
    return answer.get("errors", [{}])[0].get("errorType") == "DynamoDB:ConditionalCheckFailedException"


RULES = [
    ("a tampered token is refused", "6", tampered),
    ("an unsigned token is refused", "6", unsigned),
    ("an expired token is refused", "6", expired),
    ("a foreign issuer is refused", "6", lambda api: refuses(api, iss=f"{api.issuer}x")),
    ("another token_use is refused", "6", lambda api: refuses(api, token_use="refresh")),
    ("an access token is not signed by the key for ID tokens", "6", lambda api: refuses(api, signed_by="id")),
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
def test_rule_holds_in_the_sandbox(api, rule, section, probe):
    assert probe(api), f"{rule} (cognito_facts.md section {section})"


@each_rule
def test_rule_is_broken_by_plain_ministack(plain_api, rule, section, probe):
    assert not probe(plain_api), f"plain MiniStack keeps to it by now: {rule}"
