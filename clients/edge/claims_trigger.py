"""The pre token generation trigger (V3_0): adds a client's published attributes to its access token, or refuses it.

It runs in AWS Lambda with boto3 alone and imports nothing of the portal. The claims table is written by the portal;
whoever can write it can be any tenant, so a document carries a digest and one that does not match is refused.
"""

import hashlib
import json
import os
import re
import time
from functools import cache

import boto3
from botocore.config import Config

MACHINE_TOKEN = "TokenGeneration_ClientCredentials"

# Cognito refuses or ignores these (cognito_facts.md section 5). `aud` and `scope` are refused too: a document
# has no business choosing either.
# fmt: off
RESERVED_CLAIMS = frozenset([
    "acr", "amr", "at_hash", "aud", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat",
    "identities", "iss", "jti", "nbf", "nonce", "origin_jti", "scope", "sub", "token_use", "username", "version",
])
# fmt: on
RESERVED_PREFIX = "cognito:"

_documents: dict[str, tuple[float, dict]] = {}


class TokenRefused(Exception):
    """No token for this client. Cognito may show the message to the caller, so it names no tenant and no table."""


def handler(event, context=None):
    """Add the client's claims to a machine token. Sign-ins of people pass untouched, whatever happens."""
    if not isinstance(event, dict) or event.get("triggerSource") != MACHINE_TOKEN:
        return event
    client_id = event["callerContext"]["clientId"]
    document = _document(client_id)
    if document is None:
        _answer_for_unpublished(event, client_id)
    else:
        details = {"accessTokenGeneration": {"claimsToAddOrOverride": _claims(client_id, document)}}
        event["response"] = {"claimsAndScopeOverrideDetails": details}
    # clientMetadata is written by the caller: a hint for the usage record, never a source of identity.
    metadata = (event.get("request") or {}).get("clientMetadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if metadata.get("portal") != "test":
        _record_usage(client_id, metadata)
    return event


def _document(client_id):
    """The client's document, or None. Only active ones are kept, so a new or resumed client never waits."""
    cached = _documents.get(client_id)
    if cached and cached[0] > time.monotonic():
        return cached[1]
    _documents.pop(client_id, None)
    try:
        answer = _dynamodb(attempts=2).get_item(
            TableName=os.environ["CLAIMS_TABLE"], Key={"client_id": {"S": client_id}}, ConsistentRead=True
        )
    except Exception as error:
        _log("claims_unreadable", client_id, error=type(error).__name__)
        raise TokenRefused("The attributes of this client cannot be read at the moment.") from error
    item = answer.get("Item")
    if item and item.get("state", {}).get("S") == "active":
        _documents[client_id] = (time.monotonic() + float(os.environ.get("CACHE_SECONDS", "3")), item)
    return item


def _answer_for_unpublished(event, client_id):
    """`observe` lets the token out unchanged, so that the API fails closed; any other mode refuses."""
    if os.environ.get("TRIGGER_MODE") != "observe":
        raise TokenRefused("This client has no published attributes.")
    _log("unpublished_client", client_id, user_pool_id=event.get("userPoolId"))


def _claims(client_id, item):
    """The claims of an active, unaltered document."""
    try:
        version, state, text = item["version"]["N"], item["state"]["S"], item["claims"]["S"]
        digest = hashlib.sha256(f"{client_id}\n{version}\n{state}\n{text}".encode()).hexdigest()
        if digest != item["digest"]["S"]:
            raise ValueError("digest")
        claims = json.loads(text)
    except (KeyError, ValueError) as error:
        _log("damaged_document", client_id, error=str(error))
        raise TokenRefused("The attributes of this client are damaged.") from error
    if state != "active":
        raise TokenRefused("This client is paused." if state == "paused" else "This client is no longer active.")
    _refuse_unusable(client_id, claims)
    return claims


def _refuse_unusable(client_id, claims):
    """Cognito takes strings, numbers, booleans, arrays and objects, and none of its own claim names (section 5)."""
    unusable = ["the document itself"]
    if isinstance(claims, dict):
        unusable = [
            name
            for name, value in claims.items()
            if name in RESERVED_CLAIMS or name.startswith(RESERVED_PREFIX) or value is None
        ]
    if unusable:
        _log("unusable_claims", client_id, claims=sorted(unusable))
        raise TokenRefused("The attributes of this client cannot be used in a token.")


def _record_usage(client_id, metadata):
    """Note the issuance, the ending of the secret the caller reports and a count per UTC day. Never stops a token."""
    now = int(time.time())
    setting = ["last_issued_at = :now"]
    values = {":now": {"N": str(now)}, ":one": {"N": "1"}}
    ending = metadata.get("secret_ending")
    if isinstance(ending, str) and re.fullmatch(r"[A-Za-z0-9]{4}", ending, re.ASCII):
        setting.append("reported_ending = :ending")
        values[":ending"] = {"S": ending}
    try:
        # A count is not idempotent: one attempt, and a lost one is lost.
        _dynamodb(attempts=1).update_item(
            TableName=os.environ["USAGE_TABLE"],
            Key={"client_id": {"S": client_id}},
            UpdateExpression=f"SET {', '.join(setting)} ADD #day :one",
            ExpressionAttributeNames={"#day": time.strftime("d_%Y%m%d", time.gmtime(now))},
            ExpressionAttributeValues=values,
        )
    except Exception as error:
        _log("usage_unwritten", client_id, error=type(error).__name__)


@cache
def _dynamodb(attempts):
    """Cognito waits five seconds in all: two reads and a write of one second each still fit."""
    limits = Config(
        connect_timeout=1,
        read_timeout=1,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        user_agent="client-portal-claims-trigger",  # a fixed one; composing the usual one costs every token
        parameter_validation=False,  # both calls are written below and tested; checking them again costs every token
    )
    return boto3.client("dynamodb", config=limits)


def _log(event_name, client_id, **facts):
    print(json.dumps({"event": event_name, "client_id": client_id, **facts}), flush=True)  # noqa: T201
