"""A user pool's settings, read and written back whole: UpdateUserPool resets every attribute that is omitted.

Source: `cognito_facts.md` section 5. What may be sent is read from botocore's own model of UpdateUserPool; Id, Name,
Arn, Status, Domain, SchemaAttributes and the like are described but cannot be sent.
"""

from collections.abc import Callable
from typing import Any

# These move by themselves, or are what we change.
NOT_COMPARED = {"LastModifiedDate", "EstimatedNumberOfUsers", "LambdaConfig"}
OURS = {"PreTokenGeneration", "PreTokenGenerationConfig"}

Difference = tuple[str, Any, Any]


def describe(cognito: Any, user_pool_id: str) -> dict:
    return cognito.describe_user_pool(UserPoolId=user_pool_id)["UserPool"]


def update_lambda_config(cognito: Any, user_pool_id: str, change: Callable[[dict], dict]) -> list[Difference]:
    """Sends the whole pool back with another LambdaConfig. Answers what else is different afterwards."""
    before, mfa_before = _everything(cognito, user_pool_id)
    request = resendable(cognito, before)
    request["LambdaConfig"] = change(before.get("LambdaConfig") or {})
    cognito.update_user_pool(**request)
    after, mfa_after = _everything(cognito, user_pool_id)
    return differences(before, after) + differences(mfa_before, mfa_after)


def resendable(cognito: Any, pool: dict) -> dict:
    """The described pool as UpdateUserPool takes it."""
    accepted = cognito.meta.service_model.operation_model("UpdateUserPool").input_shape.members
    request = {name: value for name, value in pool.items() if name in accepted and value not in (None, "")}
    request["UserPoolId"], request["PoolName"] = pool["Id"], pool["Name"]
    password = (pool.get("Policies") or {}).get("PasswordPolicy") or {}
    if "TemporaryPasswordValidityDays" in password and "AdminCreateUserConfig" in request:
        # The older of two names for one setting: Describe answers both, Update takes one.
        admin = request["AdminCreateUserConfig"]
        request["AdminCreateUserConfig"] = {k: v for k, v in admin.items() if k != "UnusedAccountValidityDays"}
    return request


def differences(before: dict, after: dict) -> list[Difference]:
    """(name, was, is) of every setting that moved, other triggers included."""
    found = [
        (name, before.get(name), after.get(name))
        for name in sorted(set(before) | set(after))
        if name not in NOT_COMPARED and before.get(name) != after.get(name)
    ]
    triggers, now = before.get("LambdaConfig") or {}, after.get("LambdaConfig") or {}
    for name in sorted((set(triggers) | set(now)) - OURS):
        if triggers.get(name) != now.get(name):
            found.append((f"LambdaConfig.{name}", triggers.get(name), now.get(name)))
    return found


def _everything(cognito: Any, user_pool_id: str) -> tuple[dict, dict]:
    """The pool and its second factors, which Describe does not show."""
    mfa = cognito.get_user_pool_mfa_config(UserPoolId=user_pool_id)
    return describe(cognito, user_pool_id), {name: value for name, value in mfa.items() if name != "ResponseMetadata"}
