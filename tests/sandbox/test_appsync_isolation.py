"""One tenant's rows and nobody else's: the functions the portal generates, against rows that could leak."""

import pytest

from tests.sandbox.appsync_fixtures import sandbox_server, world  # noqa: F401

from tests.sandbox.appsync_world import ROWS


def tenants(answer, field):
    return {item["tenant"] for item in answer[1]["data"][field]["items"]}


def test_resolver_without_the_tenant_condition_leaks_every_tenant(world):
    leaked = world.ask("{ leaky { items { tenant } } }", world.token(tenant_id="acme"))
    assert tenants(leaked, "leaky") == {tenant for tenant, _ in ROWS}


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_resolver_with_the_tenant_condition_does_not(world, tenant):
    answer = world.ask("{ rows { items { tenant } } }", world.token(tenant_id=tenant))
    assert tenants(answer, "rows") == {tenant}


def test_pages_follow_one_another_and_a_foreign_page_token_opens_nothing(world):
    query = "{ rows(nextToken: %s) { items { tenant id } nextToken } }"
    first = world.ask(query % "null", world.token())[1]["data"]["rows"]
    token = f'"{first["nextToken"]}"'
    second = world.ask(query % token, world.token())[1]["data"]["rows"]
    foreign = world.ask(query % token, world.token(tenant_id="globex"))[1]
    assert (first["items"][0]["id"], second["items"][0]["id"]) == ("1", "2")
    assert foreign["data"]["rows"] is None
    assert foreign["errors"][0]["errorType"] == "DynamoDB:ValidationException"


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer "])
def test_token_is_accepted_raw_and_as_bearer(world, prefix):
    assert world.ask("{ identity }", prefix + world.token())[0] == 200


@pytest.mark.parametrize("claims", [{"scope": "orders/write"}, {"scope": None}, {"scope": "orders/readonly x"}])
def test_missing_scope_is_unauthorized(world, claims):
    for field in ("rows", "lookedUp"):
        answer = world.ask("{ %s { items { id } } }" % field, world.token(**claims))[1]
        assert answer["data"] == {field: None}
        assert answer["errors"][0]["errorType"] == "Unauthorized"


@pytest.mark.parametrize("tenant", [None, "", {"S": "acme"}, ["acme"], True])
def test_claim_that_is_no_tenant_is_unauthorized(world, tenant):
    answer = world.ask("{ rows { items { id } } }", world.token(tenant_id=tenant))[1]
    assert answer["data"] == {"rows": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_takes_the_tenant_from_the_table_and_not_from_the_token(world):
    world.publish(tenant_id="globex")
    answer = world.ask("{ lookedUp { items { tenant } } }", world.token(tenant_id="acme"))
    assert tenants(answer, "lookedUp") == {"globex"}


@pytest.mark.parametrize("state", ["paused", "deleted", "", "ACTIVE"])
def test_lookup_refuses_a_document_that_is_not_active_at_once(world, state):
    world.publish(tenant_id="globex")
    assert tenants(world.ask("{ lookedUp { items { tenant } } }", world.token()), "lookedUp") == {"globex"}
    world.publish(state=state, tenant_id="globex")
    answer = world.ask("{ lookedUp { items { tenant } } }", world.token())[1]
    assert answer["data"] == {"lookedUp": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_refuses_a_client_without_a_document(world):
    answer = world.ask("{ lookedUp { items { id } } }", world.token(client_id="nobody"))[1]
    assert answer["data"] == {"lookedUp": None}
    assert answer["errors"][0]["errorType"] == "Unauthorized"


def test_lookup_refuses_a_document_without_a_tenant(world):
    world.publish(other="x")
    answer = world.ask("{ lookedUp { items { id } } }", world.token())[1]
    assert answer["data"] == {"lookedUp": None}


def test_failing_function_leaves_the_other_fields_alone(world):
    answer = world.ask("{ rows { items { id } } identity }", world.token(tenant_id=None))[1]
    assert answer["data"]["rows"] is None and answer["data"]["identity"]


def test_template_with_an_unknown_data_source_fails(world):
    template = (
        '{"Resources": {"F": {"Type": "AWS::AppSync::FunctionConfiguration", "Properties":'
        f'{{"ApiId": "{world.api_id}", "Name": "f", "DataSourceName": "nowhere"}}}}}}}}'
    )
    stacks = world.aws("cloudformation")
    stacks.create_stack(StackName=f"{world.name}-bad", TemplateBody=template)
    with pytest.raises(Exception, match="(?i)stack"):
        stacks.get_waiter("stack_create_complete").wait(
            StackName=f"{world.name}-bad", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
        )


def test_stack_deletion_removes_the_functions(sandbox_server):
    from tests.sandbox.appsync_world import World

    world = World(*sandbox_server)
    stacks = world.aws("cloudformation")
    stacks.delete_stack(StackName=world.name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=world.name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    assert world.aws("appsync").list_functions(apiId=world.api_id)["functions"] == []
