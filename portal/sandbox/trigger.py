"""The pre token generation trigger for machines: what it sees, what it may change. `cognito_facts.md` section 5."""

import contextvars
import json
import threading

from ministack.services import cognito, lambda_svc

SOURCE = "TokenGeneration_ClientCredentials"
TIMEOUT = 5.0
MOST_CLAIMS = 5000
# What no trigger may add, change or suppress. Scopes have lists of their own; `aud` only as the client's own id.
RESERVED = frozenset(
    """sub client_id iss exp iat nbf jti origin_jti token_use version event_id auth_time acr amr azp nonce at_hash
    device_key username identities scope""".split()
)


class Failed(Exception):
    """The trigger refused, failed, took too long or answered nonsense: no token. Section 5."""


def apply(pool, claims, metadata):
    """The claims as the pool's trigger leaves them; unchanged where none of version V3_0 is set."""
    configured = (pool.get("LambdaConfig") or {}).get("PreTokenGenerationConfig") or {}
    # Machines meet V3_0 only; V1 and V2 leave their tokens as they are.
    if configured.get("LambdaVersion") != "V3_0":
        return claims
    answer = _invoke(configured["LambdaArn"], event(pool["Id"], claims, metadata))
    details = answer.get("claimsAndScopeOverrideDetails") or {}
    changes = details.get("accessTokenGeneration") or {}
    if not isinstance(changes, dict):
        raise Failed("Unrecognizable lambda output")
    return _changed(claims, changes)


def event(pool_id, claims, metadata):
    """The trigger's event, member by member as the documentation shows it. Section 5."""
    request = {"userAttributes": {}, "groupConfiguration": None, "scopes": claims["scope"].split()}
    # Absent, not empty, when the caller sent none.
    if metadata:
        request["clientMetadata"] = metadata
    return {
        "version": "3",
        "triggerSource": SOURCE,
        "region": cognito._pool_region(pool_id),
        "userPoolId": pool_id,
        "userName": "ClientCredentials",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": claims["client_id"]},
        "request": request,
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def _invoke(arn, document):
    record, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if record is None or config is None:
        raise Failed("PreTokenGeneration invocation failed due to configuration.")
    result = _within(TIMEOUT, _execute, lambda_svc._execution_record_for_config(record, config), document)
    if not isinstance(result, dict) or result.get("error"):
        raise Failed(f"PreTokenGeneration failed with error {_message(result)}")
    payload = result.get("body")
    try:
        answer = json.loads(payload) if isinstance(payload, (str, bytes)) else payload
        return answer["response"] or {}
    except (KeyError, TypeError, ValueError) as error:
        raise Failed("Unrecognizable lambda output") from error


def _execute(record, document):
    return lambda_svc._execute_function_with_config_scope(record, document)


def _within(seconds, act, *arguments):
    """What `act` returns, unless it takes longer. The late answer is thrown away, as Cognito does."""
    results = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: results.append(context.run(act, *arguments)), daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise Failed("PreTokenGeneration invocation failed due to timeout or error.")
    return results[0]


def _message(result):
    body = result.get("body") if isinstance(result, dict) else None
    try:
        document = json.loads(body) if isinstance(body, (str, bytes)) else body
        return f"{document['errorMessage']}."
    except (KeyError, TypeError, ValueError):
        return "Unknown."


def _changed(claims, changes):
    suppressed = _names(changes, "claimsToSuppress")
    # Suppressing beats overriding.
    added = {
        name: value
        for name, value in (changes.get("claimsToAddOrOverride") or {}).items()
        if value is not None and name not in suppressed and _may_set(name, value, claims)
    }
    kept = {name: value for name, value in claims.items() if name not in suppressed or _is_reserved(name)}
    result = {**kept, **added, "scope": " ".join(_scopes(claims["scope"].split(), changes))}
    if len(result) + len(result["scope"].split()) > MOST_CLAIMS:
        raise Failed("The token would hold too many claims and scopes.")
    return result


def _may_set(name, value, claims):
    if name == "aud":
        return value == claims["client_id"]
    return not _is_reserved(name)


def _is_reserved(name):
    # Groups and roles are for people: a machine can be given none of the `cognito:` claims.
    return name in RESERVED or name.startswith("cognito:")


def _scopes(scopes, changes):
    """The trigger is privileged code: it may add a scope the client was never granted. A scope holds no space."""
    suppressed = _names(changes, "scopesToSuppress")
    added = [scope for scope in changes.get("scopesToAdd") or [] if isinstance(scope, str) and " " not in scope]
    return [scope for scope in dict.fromkeys([*scopes, *added]) if scope not in suppressed]


def _names(changes, member):
    return {name for name in changes.get(member) or [] if isinstance(name, str)}
