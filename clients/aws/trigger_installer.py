"""Installs the token trigger on a user pool with a person's own credentials. The portal's runtime never does this."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import pool_settings
from clients.errors import PortalError

FUNCTION_NAME = "cognito-client-portal-trigger"
RUNTIME = "python3.13"
MODES = ("observe", "enforce")
VERSION = "V3_0"  # the only one invoked for machine tokens (cognito_facts.md section 5)
POLL = {"Delay": 0.5, "MaxAttempts": 120}
CONFIG = Config(retries={"total_max_attempts": 4, "mode": "standard"}, connect_timeout=5, read_timeout=30)

HOW_TO_CALL = """\
Another trigger holds the slot: {holder}
A pool has one pre token generation trigger, so nothing was changed. Let yours call ours:
  1. Run this command with --function-only, which creates {arn} and leaves the pool alone.
  2. Allow your trigger's role lambda:InvokeFunction on it. Your trigger must be attached as V3_0.
  3. In your handler, for machine tokens, before you add anything of your own:
       if event["triggerSource"] == "TokenGeneration_ClientCredentials":
           answer = boto3.client("lambda").invoke(FunctionName="{arn}", Payload=json.dumps(event))
           if "FunctionError" in answer:
               raise Exception("No token for this client.")   # a refusal must stay a refusal
           event = json.load(answer["Payload"])
  Both together have five seconds."""


class InstallRefused(PortalError):
    """Nothing more was changed; the sentence says why."""

    code = "refused"


@dataclass(frozen=True)
class Wanted:
    """What the person asks for."""

    user_pool_id: str
    claims_table: str
    usage_table: str
    role_arn: str
    mode: str
    source: str
    function_name: str = FUNCTION_NAME
    cache_seconds: int = 3
    attach: bool = True

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CLAIMS_TABLE": self.claims_table,
            "USAGE_TABLE": self.usage_table,
            "TRIGGER_MODE": self.mode,
            "CACHE_SECONDS": str(self.cache_seconds),
        }


@dataclass(frozen=True)
class Plan:
    """What will change, in sentences, before anything does."""

    wanted: Wanted
    trigger_arn: str
    changes: tuple[str, ...]
    losing: tuple[str, ...]


def person_session(region: str, profile: str | None = None) -> boto3.Session:
    """The credentials of the person at the keyboard."""
    with _told("reading the profile"):
        return boto3.Session(profile_name=profile, region_name=region)


def install(session: boto3.Session, *, user_pool_id: str, **wanted: Any) -> str:
    """The trigger is in place and attached; its ARN. Takes the fields of `Wanted`; may be repeated.

    Refused: Lite plan, a slot held by another trigger, a function of that name that is not ours. A failure midway
    leaves at most the function and its permission, and the pool as it was.
    """
    return apply(session, make_plan(session, Wanted(user_pool_id, **wanted)))


def make_plan(session: boto3.Session, wanted: Wanted) -> Plan:
    """What `apply` would change, or a refusal. Only reads."""
    if wanted.mode not in MODES:
        raise InstallRefused(f"The mode is one of {', '.join(MODES)}.")
    with _told("reading the user pool"):
        pool = pool_settings.describe(_client(session, "cognito-idp"), wanted.user_pool_id)
    arn = _function_arn(pool["Arn"], wanted.function_name)
    if wanted.attach:
        _refuse_pool(pool, arn)
    changes = _function_changes(_function(session, wanted.function_name), wanted)
    if not _is_permitted(session, wanted.function_name, pool["Arn"]):
        changes.append(f"Allow {pool['Arn']} to call it.")
    if wanted.attach and _slot(pool) != (arn, VERSION):
        changes.append(
            f"Attach it to the pool {wanted.user_pool_id} ({pool['Name']}) as {VERSION}. Every other setting stays."
        )
    losing = _clients_without_document(session, wanted) if wanted.mode == "enforce" else ()
    return Plan(wanted, arn, tuple(changes), losing)


def apply(session: boto3.Session, plan: Plan) -> str:
    """Carries the plan out: function, permission, then pool, so that the pool never names a missing function."""
    wanted = plan.wanted
    _put_function(session, wanted)
    cognito = _client(session, "cognito-idp")
    with _told("reading the user pool"):
        pool = pool_settings.describe(cognito, wanted.user_pool_id)
    if not _is_permitted(session, wanted.function_name, pool["Arn"]):
        _permit(session, wanted.function_name, pool["Arn"])
    if not wanted.attach:
        return plan.trigger_arn
    _refuse_pool(pool, plan.trigger_arn)
    if _slot(pool) != (plan.trigger_arn, VERSION):
        _attach(cognito, wanted.user_pool_id, plan.trigger_arn)
    return plan.trigger_arn


def _attach(cognito: Any, user_pool_id: str, arn: str) -> None:
    """UpdateUserPool resets what is omitted, so everything is sent back and compared afterwards."""
    with _told("attaching the trigger"):
        changed = pool_settings.update_lambda_config(
            cognito, user_pool_id, lambda before: {**before, **_lambda_config(before, arn)}
        )
    if changed:
        raise InstallRefused(
            "The trigger is attached, but Cognito changed other settings of the pool with it. Restore them: "
            + "; ".join(f"{name} was {was!r}, is {now!r}" for name, was, now in changed)
        )


def _lambda_config(before: dict, arn: str) -> dict:
    config: dict = {"PreTokenGenerationConfig": {"LambdaVersion": VERSION, "LambdaArn": arn}}
    if "PreTokenGeneration" in before:
        config["PreTokenGeneration"] = arn  # where both are set they must agree (section 5)
    return config


def _refuse_pool(pool: dict, arn: str) -> None:
    if pool.get("UserPoolTier") == "LITE":
        raise InstallRefused(
            "This user pool is on the Lite plan, which has no access token customisation. Choose Essentials or Plus"
            " for it, or let the API look the client up (AppSync function tenant_from_lookup)."
        )
    config = pool.get("LambdaConfig") or {}
    holders = {config.get("PreTokenGeneration"), (config.get("PreTokenGenerationConfig") or {}).get("LambdaArn")}
    for holder in sorted(holders - {None, "", arn}, key=str):
        raise InstallRefused(HOW_TO_CALL.format(holder=holder, arn=arn))


def _slot(pool: dict) -> tuple[str | None, str | None]:
    config = (pool.get("LambdaConfig") or {}).get("PreTokenGenerationConfig") or {}
    return config.get("LambdaArn"), config.get("LambdaVersion")


def _function_arn(pool_arn: str, name: str) -> str:
    _arn, partition, _service, region, account, _pool = pool_arn.split(":", 5)
    return f"arn:{partition}:lambda:{region}:{account}:function:{name}"


def _function(session: boto3.Session, name: str) -> dict | None:
    with _told("reading the function"):
        try:
            return _client(session, "lambda").get_function_configuration(FunctionName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise


def _function_changes(function: dict | None, wanted: Wanted) -> list[str]:
    settings = ", ".join(f"{name}={value}" for name, value in wanted.environment.items())
    if function is None:
        return [
            f"Create the Lambda function {wanted.function_name} ({RUNTIME}) with {settings}, role {wanted.role_arn}."
        ]
    before = (function.get("Environment") or {}).get("Variables") or {}
    if "CLAIMS_TABLE" not in before:
        raise InstallRefused(
            f"A Lambda function {wanted.function_name} exists and is not this trigger."
            " Choose another name with --function-name."
        )
    changes = [
        f"Change its {name}: {before.get(name)} -> {value}."
        for name, value in wanted.environment.items()
        if before.get(name) != value
    ]
    if function.get("Role") != wanted.role_arn:
        changes.append(f"Change its role: {function.get('Role')} -> {wanted.role_arn}.")
    if function.get("CodeSha256") != _digest(wanted):
        changes.append(f"Update the code of the Lambda function {wanted.function_name}.")
    return changes


def _put_function(session: boto3.Session, wanted: Wanted) -> None:
    functions, name = _client(session, "lambda"), wanted.function_name
    before = _function(session, name)
    with _told("writing the function"):
        if before is None:
            description = "Cognito Client Portal: adds a client's attributes to its access token"
            code = {"ZipFile": zipped(wanted.source)}
            functions.create_function(**_settings(wanted), Description=description, Code=code)
            functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=POLL)
            return
        # Settings first: new code must not run with old settings, old code does not mind new ones.
        kept = (before.get("Environment") or {}).get("Variables") or {}  # what somebody added stays
        functions.update_function_configuration(**_settings(wanted, kept))
        functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=POLL)
        if before.get("CodeSha256") != _digest(wanted):
            functions.update_function_code(FunctionName=name, ZipFile=zipped(wanted.source))
            functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=POLL)


def _settings(wanted: Wanted, kept: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "FunctionName": wanted.function_name,
        "Role": wanted.role_arn,
        "Runtime": RUNTIME,
        "Handler": "index.handler",
        "Timeout": 5,
        "MemorySize": 256,
        "Environment": {"Variables": (kept or {}) | wanted.environment},
    }


def _digest(wanted: Wanted) -> str:
    return base64.b64encode(hashlib.sha256(zipped(wanted.source)).digest()).decode()


def zipped(source: str) -> bytes:
    """The deployment package; the same source gives the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        entry = zipfile.ZipInfo("index.py", (2020, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16  # Lambda must be able to read it
        package.writestr(entry, source, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _is_permitted(session: boto3.Session, name: str, pool_arn: str) -> bool:
    """Whether the function's policy lets Cognito call it for this pool."""
    with _told("reading the function's policy"):
        try:
            policy = json.loads(_client(session, "lambda").get_policy(FunctionName=name)["Policy"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return False
            raise
    return any(
        statement.get("Effect") == "Allow"
        and (statement.get("Principal") or {}).get("Service") == "cognito-idp.amazonaws.com"
        and pool_arn in json.dumps(statement.get("Condition", {}))
        for statement in policy.get("Statement", [])
    )


def _permit(session: boto3.Session, name: str, pool_arn: str) -> None:
    """The console adds this by itself, the API does not (section 5)."""
    account, pool_id = pool_arn.split(":")[4], pool_arn.rsplit("/", 1)[1]
    with _told("allowing Cognito to call the function"):
        _client(session, "lambda").add_permission(
            FunctionName=name,
            StatementId=f"cognito-{pool_id}",
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=pool_arn,
            SourceAccount=account,
        )


def _clients_without_document(session: boto3.Session, wanted: Wanted) -> tuple[str, ...]:
    """The machine clients that `enforce` would leave without tokens: id and name."""
    cognito, dynamodb = _client(session, "cognito-idp"), _client(session, "dynamodb")
    losing = []
    with _told("looking for clients without a document"):
        pages = cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=wanted.user_pool_id)
        for listed in (client for page in pages for client in page["UserPoolClients"]):
            key = {"client_id": {"S": listed["ClientId"]}}
            if "Item" in dynamodb.get_item(TableName=wanted.claims_table, Key=key, ConsistentRead=True):
                continue
            described = cognito.describe_user_pool_client(UserPoolId=wanted.user_pool_id, ClientId=listed["ClientId"])
            if "client_credentials" in described["UserPoolClient"].get("AllowedOAuthFlows", []):
                losing.append(f"{listed['ClientId']} {listed['ClientName']}")
    return tuple(losing)


def _client(session: boto3.Session, service: str) -> Any:
    make: Any = session.client  # the stubs list every service by name
    return make(service, config=CONFIG)


@contextmanager
def _told(act: str) -> Iterator[None]:
    """AWS's errors as a sentence for the person whose credentials these are."""
    try:
        yield
    except ClientError as error:
        words = error.response.get("Error", {})
        raise InstallRefused(f"AWS refused while {act}: {words.get('Message') or words.get('Code')}") from None
    except BotoCoreError as error:
        raise InstallRefused(f"Failed while {act}: {error}") from None
