"""Installing the trigger on a pool: what it changes, what it leaves, when it refuses; and a token through all of it."""

import base64
import hashlib
import io
import json
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from clients import edge
from clients.aws import pool_settings, trigger_installer
from clients.aws.trigger_installer import InstallRefused
from clients.models import AuditEntry, UserPool

ROLE = "arn:aws:iam::000000000000:role/trigger"
SETTINGS = {
    "Policies": {"PasswordPolicy": {"MinimumLength": 15, "RequireUppercase": True, "TemporaryPasswordValidityDays": 3}},
    "AutoVerifiedAttributes": ["email"],
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
    "DeletionProtection": "ACTIVE",
    "UserPoolTags": {"team": "platform"},
    "UserPoolTier": "ESSENTIALS",
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]},
    "EmailVerificationSubject": "Your code",
    "LambdaConfig": {"PostConfirmation": "arn:aws:lambda:eu-west-1:000000000000:function:welcome"},
}


@pytest.fixture
def site(session):
    """A pool with settings worth losing, tables, and what the installer is asked for."""
    name = f"p{uuid4().hex[:10]}"
    cognito, dynamodb = session.client("cognito-idp"), session.client("dynamodb")
    pool_id = cognito.create_user_pool(PoolName=name, **SETTINGS)["UserPool"]["Id"]
    for table in (f"{name}-claims", f"{name}-usage"):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "client_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "client_id", "KeyType": "HASH"}],
        )
    wanted = {
        "user_pool_id": pool_id,
        "claims_table": f"{name}-claims",
        "usage_table": f"{name}-usage",
        "role_arn": ROLE,
        "mode": "observe",
        "source": edge.TRIGGER_SOURCE.read_text(),
        "function_name": name,
    }
    return SimpleNamespace(
        name=name,
        pool_id=pool_id,
        wanted=wanted,
        cognito=cognito,
        dynamodb=dynamodb,
        functions=session.client("lambda"),
    )


def described(site):
    pool = pool_settings.describe(site.cognito, site.pool_id)
    return {name: value for name, value in pool.items() if name not in ("LastModifiedDate", "LambdaConfig")}


def command(site, *more, mode="observe"):
    wanted = {**site.wanted, "mode": mode}
    given = {
        "--pool-id": wanted["user_pool_id"], "--region": "eu-west-1", "--claims-table": wanted["claims_table"],
        "--usage-table": wanted["usage_table"], "--role-arn": ROLE, "--mode": mode, "--function-name": site.name,
    }  # fmt: skip
    out = io.StringIO()
    call_command("install_trigger", *(part for pair in given.items() for part in pair), *more, stdout=out)
    return out.getvalue()


def test_install_attaches_the_trigger_and_leaves_every_other_setting(session, site):
    before = described(site)
    arn = trigger_installer.install(session, **site.wanted)
    config = pool_settings.describe(site.cognito, site.pool_id)["LambdaConfig"]
    assert described(site) == before
    assert config["PreTokenGenerationConfig"] == {"LambdaVersion": "V3_0", "LambdaArn": arn}
    assert config["PostConfirmation"] == SETTINGS["LambdaConfig"]["PostConfirmation"]


def test_update_that_sends_the_trigger_alone_loses_settings_and_is_reported(session, site):
    before = pool_settings.describe(site.cognito, site.pool_id)
    site.cognito.update_user_pool(UserPoolId=site.pool_id, LambdaConfig=before["LambdaConfig"])
    lost = pool_settings.differences(before, pool_settings.describe(site.cognito, site.pool_id))
    assert {"Policies", "UserPoolTags", "DeletionProtection"} <= {name for name, _was, _is in lost}


def test_install_puts_our_code_settings_and_permission_in_place(session, site):
    arn = trigger_installer.install(session, **site.wanted)
    function = site.functions.get_function(FunctionName=site.name)["Configuration"]
    policy = json.loads(site.functions.get_policy(FunctionName=site.name)["Policy"])["Statement"]
    digest = base64.b64encode(hashlib.sha256(trigger_installer.zipped(site.wanted["source"])).digest()).decode()
    assert (function["FunctionArn"], function["CodeSha256"], function["Timeout"]) == (arn, digest, 5)
    assert function["Environment"]["Variables"]["CLAIMS_TABLE"] == site.wanted["claims_table"]
    assert len(policy) == 1
    assert policy[0]["Principal"] == {"Service": "cognito-idp.amazonaws.com"}
    assert json.dumps(policy[0]["Condition"]).count(site.pool_id) == 1
    assert "000000000000" in json.dumps(policy[0]["Condition"].get("StringEquals", {}))


def test_install_again_changes_what_differs_and_nothing_twice(session, site):
    trigger_installer.install(session, **site.wanted)
    plan = trigger_installer.make_plan(session, trigger_installer.Wanted(**{**site.wanted, "mode": "enforce"}))
    trigger_installer.apply(session, plan)
    function = site.functions.get_function(FunctionName=site.name)["Configuration"]
    assert plan.changes == ("Change its TRIGGER_MODE: observe -> enforce.",)
    assert function["Environment"]["Variables"]["TRIGGER_MODE"] == "enforce"
    assert len(json.loads(site.functions.get_policy(FunctionName=site.name)["Policy"])["Statement"]) == 1


def test_what_somebody_added_to_the_function_stays(session, site):
    trigger_installer.install(session, **site.wanted)
    held = site.functions.get_function(FunctionName=site.name)["Configuration"]["Environment"]["Variables"]
    site.functions.update_function_configuration(
        FunctionName=site.name, Environment={"Variables": held | {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/tracing"}}
    )
    trigger_installer.install(session, **site.wanted | {"mode": "enforce"})
    after = site.functions.get_function(FunctionName=site.name)["Configuration"]["Environment"]["Variables"]
    assert (after["AWS_LAMBDA_EXEC_WRAPPER"], after["TRIGGER_MODE"]) == ("/opt/tracing", "enforce")


def test_changed_code_is_updated(session, site):
    trigger_installer.install(session, **site.wanted)
    newer = {**site.wanted, "source": site.wanted["source"] + "# newer\n"}
    plan = trigger_installer.make_plan(session, trigger_installer.Wanted(**newer))
    trigger_installer.apply(session, plan)
    assert plan.changes == (f"Update the code of the Lambda function {site.name}.",)
    assert trigger_installer.make_plan(session, trigger_installer.Wanted(**newer)).changes == ()


@pytest.mark.parametrize(
    "slot",
    [
        {"PreTokenGeneration": "arn:aws:lambda:eu-west-1:000000000000:function:theirs"},
        {
            "PreTokenGenerationConfig": {
                "LambdaVersion": "V3_0",
                "LambdaArn": "arn:aws:lambda:eu-west-1:000000000000:function:theirs",
            }
        },
    ],
)
def test_slot_held_by_another_trigger_is_refused_with_how_to_call_ours(session, site, slot):
    pool_settings.update_lambda_config(site.cognito, site.pool_id, lambda before: {**before, **slot})
    with pytest.raises(InstallRefused, match="function:theirs") as refusal:
        trigger_installer.install(session, **site.wanted)
    assert f"function:{site.name}" in refusal.value.sentence and "invoke(" in refusal.value.sentence
    with pytest.raises(site.functions.exceptions.ResourceNotFoundException):
        site.functions.get_function(FunctionName=site.name)


def test_function_only_leaves_the_pool_alone(session, site):
    before = pool_settings.describe(site.cognito, site.pool_id)
    trigger_installer.install(session, **site.wanted, attach=False)
    assert pool_settings.describe(site.cognito, site.pool_id) == before
    assert site.functions.get_function(FunctionName=site.name)


def test_lite_plan_is_refused(session, site):
    lite = site.cognito.create_user_pool(PoolName="lite", UserPoolTier="LITE")["UserPool"]["Id"]
    with pytest.raises(InstallRefused, match="Lite plan"):
        trigger_installer.install(session, **{**site.wanted, "user_pool_id": lite})


def test_foreign_function_of_that_name_is_refused(session, site):
    site.functions.create_function(
        FunctionName=site.name,
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": trigger_installer.zipped("def handler(e, c): return e")},
    )
    with pytest.raises(InstallRefused, match="--function-name"):
        trigger_installer.install(session, **site.wanted)


def test_unknown_pool_is_a_sentence(session, site):
    with pytest.raises(InstallRefused, match="AWS refused while reading the user pool"):
        trigger_installer.install(session, **{**site.wanted, "user_pool_id": "eu-west-1_nothinghe"})


def test_setting_that_moved_is_reported():
    before = {"Name": "a", "UserPoolTags": {"a": "b"}, "LambdaConfig": {"PostConfirmation": "x"}, "LastModifiedDate": 1}
    after = {"Name": "a", "LambdaConfig": {"PreTokenGeneration": "y"}, "LastModifiedDate": 2}
    assert pool_settings.differences(before, after) == [
        ("UserPoolTags", {"a": "b"}, None),
        ("LambdaConfig.PostConfirmation", "x", None),
    ]


def test_two_names_of_one_setting_are_sent_once(session):
    pool = {
        "Id": "p",
        "Name": "n",
        "Arn": "a",
        "SchemaAttributes": [],
        "EmailVerificationMessage": "",
        "Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": 7}},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True, "UnusedAccountValidityDays": 7},
    }
    assert pool_settings.resendable(session.client("cognito-idp"), pool) == {
        "UserPoolId": "p",
        "PoolName": "n",
        "Policies": pool["Policies"],
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
    }


def test_package_is_the_same_for_the_same_source_and_readable():
    package = trigger_installer.zipped("x = 1")
    entry = zipfile.ZipFile(io.BytesIO(package)).infolist()[0]
    assert package == trigger_installer.zipped("x = 1")
    assert (entry.filename, entry.external_attr >> 16) == ("index.py", 0o644)


def test_command_shows_what_will_change_and_does_nothing_on_no(db, session, site, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    shown = command(site)
    assert f"Create the Lambda function {site.name}" in shown
    assert "Nothing was changed." in shown
    assert "PreTokenGenerationConfig" not in pool_settings.describe(site.cognito, site.pool_id)["LambdaConfig"]


def test_command_installs_when_told_yes(db, session, site):
    assert "Done: arn:aws:lambda:" in command(site, "--yes")
    assert "Everything is in place" in command(site, "--yes")
    assert "PreTokenGenerationConfig" in pool_settings.describe(site.cognito, site.pool_id)["LambdaConfig"]


def test_command_lists_who_would_lose_their_tokens_under_enforce(db, session, site):
    machine, _ = make_machine(site)
    site.cognito.create_user_pool_client(UserPoolId=site.pool_id, ClientName="people")
    shown = command(site, "--yes", mode="enforce")
    assert f"{machine} machine" in shown
    assert "people" not in shown.split("will get no token")[1].split("Done")[0]


def test_command_refusal_is_a_sentence(db, session, site):
    site.wanted["user_pool_id"] = "eu-west-1_nothinghe"
    with pytest.raises(CommandError, match="AWS refused"):
        command(site, "--yes")


def make_machine(site):
    site.cognito.create_user_pool_domain(Domain=site.name, UserPoolId=site.pool_id)
    scopes = [{"ScopeName": "read", "ScopeDescription": "read"}]
    site.cognito.create_resource_server(UserPoolId=site.pool_id, Identifier="orders", Name="orders", Scopes=scopes)
    made = site.cognito.create_user_pool_client(
        UserPoolId=site.pool_id,
        ClientName="machine",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["orders/read"],
        AllowedOAuthFlowsUserPoolClient=True,
    )["UserPoolClient"]
    return made["ClientId"], made["ClientSecret"]


def ask_token(sandbox, site, client_id, secret, **metadata):
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    if metadata:
        form["aws_client_metadata"] = json.dumps(metadata)
    url = f"{sandbox.endpoint}/_domain/{site.name}/oauth2/token"
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
            token = json.load(answer)["access_token"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    body = token.split(".")[1]
    return 200, json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def publish(site, client_id, claims, state="active", version=1):
    text = json.dumps(claims)
    digest = hashlib.sha256(f"{client_id}\n{version}\n{state}\n{text}".encode()).hexdigest()
    item = {"client_id": {"S": client_id}, "version": {"N": str(version)}, "state": {"S": state}}
    item.update(claims={"S": text}, digest={"S": digest})
    site.dynamodb.put_item(TableName=site.wanted["claims_table"], Item=item)


def test_token_carries_the_published_claims_and_use_is_noted(session, site, sandbox):
    client_id, secret = make_machine(site)
    trigger_installer.install(session, **site.wanted, cache_seconds=0)
    assert "tenant_id" not in ask_token(sandbox, site, client_id, secret)[1]
    publish(site, client_id, {"tenant_id": "acme", "limit": 5})
    status, claims = ask_token(sandbox, site, client_id, secret, secret_ending="aB3z")
    used = site.dynamodb.get_item(TableName=site.wanted["usage_table"], Key={"client_id": {"S": client_id}})["Item"]
    assert (status, claims["tenant_id"], claims["limit"]) == (200, "acme", 5)
    assert used["reported_ending"] == {"S": "aB3z"}
    publish(site, client_id, {"tenant_id": "acme"}, state="paused", version=2)
    status, answer = ask_token(sandbox, site, client_id, secret)
    assert status == 400 and "access_token" not in answer


def test_command_writes_function_and_mode_on_the_row_of_a_pool_the_portal_knows(db, session, site):
    pool = UserPool.objects.create(
        environment="prod", region="eu-west-1", user_pool_id=site.pool_id, issuer="https://issuer.example",
        jwks_url="https://issuer.example/jwks", claims_table="c", usage_table="u", tier="ESSENTIALS",
    )  # fmt: skip
    command(site, "--yes", mode="enforce")
    pool.refresh_from_db()
    assert pool.installed_trigger_arn == pool.trigger_arn and pool.trigger_arn.endswith(f":function:{site.name}")
    assert (pool.trigger_mode, pool.trigger_version, pool.why_no_claims) == ("enforce", "V3_0", "")

    command(site, "--yes", mode="enforce")
    assert AuditEntry.objects.filter(action="pool:install_trigger").count() == 1, "saying the same again is no act"


def test_command_that_leaves_the_pool_alone_writes_nothing_on_its_row(db, session, site):
    pool = UserPool.objects.create(
        environment="prod", region="eu-west-1", user_pool_id=site.pool_id, issuer="https://issuer.example",
        jwks_url="https://issuer.example/jwks", claims_table="c", usage_table="u",
    )  # fmt: skip
    command(site, "--yes", "--function-only")
    pool.refresh_from_db()
    assert (pool.installed_trigger_arn, pool.trigger_arn, pool.trigger_mode) == ("", "", "none")
