"""What is rendered for AppSync and CloudFormation. What it does is shown in tests/sandbox/test_appsync_isolation.py."""

import ast
import re
import sys

import pytest
import yaml

from clients import edge


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions."""


Loader.add_multi_constructor(
    "!",
    lambda loader, suffix, node: {
        suffix: loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
    },
)


@pytest.fixture(scope="module")
def resources():
    text = edge.render_template(claim="tenant_id", required_scope="orders/read")
    return yaml.load(text, Loader)["Resources"]  # noqa: S506


@pytest.mark.asvs("1.2.3")
def test_value_is_quoted_as_a_literal():
    hostile = 'x\'; util.error("y") //\n'
    code = edge.render("tenant_from_claim.js", claim=hostile)
    assert 'const CLAIM = "x\'; util.error(\\"y\\") //\\n";' in code
    assert "const REQUIRED_SCOPE = null;" in code


@pytest.mark.parametrize("values", [{}, {"claim": "a", "tenant": "b"}])
def test_missing_or_unknown_value_is_refused(values):
    with pytest.raises(ValueError, match="takes"):
        edge.render("tenant_from_claim.js", **values)


@pytest.mark.parametrize("name", sorted(path.name for path in (edge.FOLDER / "appsync").iterdir()))
def test_code_keeps_to_what_appsync_js_allows(name):
    source = (edge.FOLDER / "appsync" / name).read_text()
    code = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    forbidden = r"\b(try|catch|throw|async|await|while|new|this|class|process|require|fetch)\b|\+\+|--"
    assert not re.search(forbidden, code)
    assert "ctx.args.tenant" not in code and "arguments" not in code


def test_template_grants_the_trigger_two_actions_and_logs(resources):
    statements = resources["TriggerRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [(one["Action"], one["Resource"]) for one in statements[:2]] == [
        ("dynamodb:GetItem", {"GetAtt": "ClaimsTable.Arn"}),
        ("dynamodb:UpdateItem", {"GetAtt": "UsageTable.Arn"}),
    ]
    assert statements[2]["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert len(statements) == 3


def test_template_lets_this_pool_alone_call_the_trigger(resources):
    permission = resources["TriggerPermission"]["Properties"]
    assert permission["Principal"] == "cognito-idp.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert permission["SourceArn"]["Sub"].endswith("userpool/${UserPoolId}")


def test_template_carries_the_code_as_it_stands(resources):
    assert resources["Trigger"]["Properties"]["Code"]["ZipFile"] == edge.TRIGGER_SOURCE.read_text()
    expected = edge.render("tenant_from_claim.js", claim="tenant_id", required_scope="orders/read")
    assert resources["TenantFromClaim"]["Properties"]["Code"] == expected


def test_trigger_needs_boto3_and_nothing_of_ours():
    tree = ast.parse(edge.TRIGGER_SOURCE.read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names) | {"boto3", "botocore"}


def deploy(session, name, **parameters):
    stacks = session.client("cloudformation")
    stacks.create_stack(
        StackName=name,
        TemplateBody=edge.render_template(claim="tenant_id", required_scope="orders/read"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return {
        one["OutputKey"]: one["OutputValue"] for one in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    }


def test_template_deploys_without_an_api(session):
    pool = session.client("cognito-idp").create_user_pool(PoolName="bare")["UserPool"]["Id"]
    outputs = deploy(session, "edge-bare", UserPoolId=pool, ClaimsTableName="c1", UsageTableName="u1", TriggerName="t1")
    assert set(outputs) == {"TriggerArn", "TriggerRoleArn"}
    assert session.client("lambda").get_function(FunctionName="t1")["Configuration"]["Handler"] == "index.handler"


def test_template_creates_the_functions_of_an_api(session):
    pool = session.client("cognito-idp").create_user_pool(PoolName="api")["UserPool"]["Id"]
    appsync = session.client("appsync")
    api_id = appsync.create_graphql_api(name="a", authenticationType="API_KEY")["graphqlApi"]["apiId"]
    outputs = deploy(
        session,
        "edge-api",
        UserPoolId=pool,
        ApiId=api_id,
        RowsTableName="orders",
        ClaimsTableName="c2",
        UsageTableName="u2",
        TriggerName="t2",
    )
    functions = {one["functionId"]: one["name"] for one in appsync.list_functions(apiId=api_id)["functions"]}
    assert functions == {
        outputs["TenantFromClaimId"]: "tenant_from_claim",
        outputs["TenantFromLookupId"]: "tenant_from_lookup",
        outputs["QueryByTenantId"]: "query_by_tenant",
    }
