"""One tenant's rows and nobody else's: the functions the portal generates, against rows that could leak."""

import pytest

from tests.sandbox.appsync.guarded_api import ROWS, GuardedApi


def tenants(answer, field):
    return {item["tenant"] for item in answer[1]["data"][field]["items"]}


def test_resolver_without_the_tenant_condition_leaks_every_tenant(api):
    leaked = api.ask("{ leaky { items { tenant } } }", api.token(tenant_id="acme"))
    assert tenants(leaked, "leaky") == {tenant for tenant, _ in ROWS}


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_resolver_with_the_tenant_condition_does_not(api, tenant):
    answer = api.ask("{ rows { items { tenant } } }", api.token(tenant_id=tenant))
    assert tenants(answer, "rows") == {tenant}


def test_pages_follow_one_another_and_a_foreign_page_token_opens_nothing(api):
    query = "{ rows(nextToken: %s) { items { tenant id } nextToken } }"
    first = api.ask(query % "null", api.token())[1]["data"]["rows"]
    token = f'"{first["nextToken"]}"'
    second = api.ask(query % token, api.token())[1]["data"]["rows"]
    foreign = api.ask(query % token, api.token(tenant_id="globex"))[1]
    assert (first["items"][0]["id"], second["items"][0]["id"]) == ("1", "2")
    assert foreign["data"]["rows"] is None
    assert foreign["errors"][0]["errorType"] == "DynamoDB:ValidationException"


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer "])
def test_token_is_accepted_raw_and_as_bearer(api, prefix):
    assert api.ask("{ identity }", prefix + api.token())[0] == 200


@pytest.mark.parametrize("claims", [{"scope": "orders/write"}, {"scope": None}, {"scope": "orders/readonly x"}])
def test_missing_scope_is_unauthorized(api, claims):
    for field in ("rows", "lookedUp"):
        answer = api.ask(f"{{ {field} {{ items {{ id }} }} }}", api.token(**claims))[1]
        assert answer["data"] == {field: None}
        assert answer["errors"][0]["errorType"] == "Unauthorized"


@pytest.mark.parametrize("tenant", [None, "", {"S": "acme"}, ["acme"], True])
def test_claim_that_is_no_tenant_is_unauthorized(api, tenant):
    answer = api.ask("{ rows { items { id } } }", api.token(tenant_id=tenant))[1]
    assert answer["data"] == {"rows": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_takes_the_tenant_from_the_table_and_not_from_the_token(api):
    api.publish(tenant_id="globex")
    answer = api.ask("{ lookedUp { items { tenant } } }", api.token(tenant_id="acme"))
    assert tenants(answer, "lookedUp") == {"globex"}


@pytest.mark.parametrize("state", ["paused", "deleted", "", "ACTIVE"])
def test_lookup_refuses_a_document_that_is_not_active_at_once(api, state):
    api.publish(tenant_id="globex")
    assert tenants(api.ask("{ lookedUp { items { tenant } } }", api.token()), "lookedUp") == {"globex"}
    api.publish(state=state, tenant_id="globex")
    answer = api.ask("{ lookedUp { items { tenant } } }", api.token())[1]
    assert answer["data"] == {"lookedUp": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_refuses_a_client_without_a_document(api):
    answer = api.ask("{ lookedUp { items { id } } }", api.token(client_id="nobody"))[1]
    assert answer["data"] == {"lookedUp": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_refuses_a_document_without_a_tenant(api):
    api.publish(other="x")
    answer = api.ask("{ lookedUp { items { id } } }", api.token())[1]
    assert answer["data"] == {"lookedUp": None}


def test_another_provider_opens_the_api_without_an_identity(sandbox):
    api = GuardedApi(sandbox.endpoint, sandbox.state_dir)
    appsync = api.aws("appsync")
    key = appsync.create_api_key(apiId=api.id)["apiKey"]["id"]
    bad = api.token()[:-6] + "AAAAAA"
    assert api.ask("{ identity }", bad, headers={"x-api-key": key})[0] == 401
    api.configure(providers=[{"authenticationType": "API_KEY"}])
    assert api.ask("{ identity }", bad, headers={"x-api-key": "wrong"})[0] == 401
    answer = api.ask("{ identity rows { items { id } } }", bad, headers={"x-api-key": key})[1]
    assert answer["data"] == {"identity": "null", "rows": None}


def test_field_without_a_directive_is_the_default_providers_alone(sandbox):
    api = GuardedApi(sandbox.endpoint, sandbox.state_dir)
    pool = {"userPoolId": api.pool_id, "awsRegion": "eu-west-1"}
    extra = {"authenticationType": "AMAZON_COGNITO_USER_POOLS", "userPoolConfig": pool}
    api.aws("appsync").update_graphql_api(
        apiId=api.id, name=api.name, authenticationType="API_KEY", additionalAuthenticationProviders=[extra]
    )
    status, answer = api.ask("{ leaky { items { id } } }", api.token())
    assert (status, answer["data"], answer["errors"][0]["errorType"]) == (200, {"leaky": None}, "Unauthorized")


def test_failing_function_leaves_the_other_fields_alone(api):
    answer = api.ask("{ rows { items { id } } identity }", api.token(tenant_id=None))[1]
    assert answer["data"]["rows"] is None and answer["data"]["identity"]


def test_template_with_an_unknown_data_source_fails(api):
    template = (
        '{"Resources": {"F": {"Type": "AWS::AppSync::FunctionConfiguration", "Properties":'
        f'{{"ApiId": "{api.id}", "Name": "f", "DataSourceName": "nowhere"}}}}}}}}'
    )
    stacks = api.aws("cloudformation")
    stacks.create_stack(StackName=f"{api.name}-bad", TemplateBody=template)
    with pytest.raises(Exception, match="(?i)stack"):
        stacks.get_waiter("stack_create_complete").wait(
            StackName=f"{api.name}-bad", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
        )


def test_stack_deletion_removes_the_functions(sandbox):
    api = GuardedApi(sandbox.endpoint, sandbox.state_dir)
    stacks = api.aws("cloudformation")
    stacks.delete_stack(StackName=api.name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=api.name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    assert api.aws("appsync").list_functions(apiId=api.id)["functions"] == []
