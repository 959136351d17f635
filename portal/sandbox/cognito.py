"""Cognito as AWS runs it: puts the sandbox's operations and rules into MiniStack's dispatcher from outside."""

import asyncio
import threading

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json
from ministack.services import cognito

from portal.sandbox import cognito_rules as rules
from portal.sandbox import cognito_secrets, cognito_updates, token_endpoint
from portal.sandbox.control import SETTINGS

# New ones, and ours in place of MiniStack's.
OPERATIONS = {
    "CreateUserPoolClient": cognito_updates.create_client,
    "UpdateUserPoolClient": cognito_updates.update_client,
    "DescribeUserPoolClient": cognito_updates.describe_client,
    "UpdateResourceServer": cognito_updates.update_resource_server,
    "AddUserPoolClientSecret": cognito_secrets.add,
    "ListUserPoolClientSecrets": cognito_secrets.list_all,
    "DeleteUserPoolClientSecret": cognito_secrets.delete,
}
# MiniStack's own, called by CloudFormation too.
REPLACED = {
    "CreateUserPoolClient": "_create_user_pool_client",
    "UpdateUserPoolClient": "_update_user_pool_client",
    "DescribeUserPoolClient": "_describe_user_pool_client",
    "UpdateResourceServer": "_update_resource_server",
}
CHECKED = frozenset(OPERATIONS) | frozenset(
    """DeleteUserPoolClient ListUserPoolClients CreateResourceServer DescribeResourceServer DeleteResourceServer
    ListResourceServers CreateUserPool UpdateUserPool DescribeUserPool GetClientToken""".split()
)
# `cognito_facts.md` section 1: edits of different clients of one pool refuse each other too.
EXCLUSIVE = frozenset({"CreateUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"})

_writing = set()
_writing_lock = threading.Lock()


def install():
    """Replace what MiniStack 1.5.33 lacks or does too leniently. Call once, before the first request."""
    for operation, name in REPLACED.items():
        setattr(cognito, name, _of_pool(OPERATIONS[operation]))
    cognito._create_user_pool = _creating_pool(cognito._create_user_pool)
    cognito._update_user_pool = _updating_pool(cognito._update_user_pool)
    cognito._dispatch_idp = _dispatching(cognito._dispatch_idp)
    cognito.well_known_openid_configuration = token_endpoint.discovery(cognito.well_known_openid_configuration)


def _of_pool(act):
    """An operation on a pool that exists, its refusals as AWS words them."""

    def handler(data):
        pool, error = cognito._resolve_pool(data.get("UserPoolId"))
        if error:
            return error
        return _refusing(act, pool, data)

    return handler


def _refusing(act, *arguments):
    try:
        return act(*arguments)
    except rules.Refused as refusal:
        return error_response_json(refusal.code, refusal.message, 400)


def _creating_pool(original):
    def handler(data):
        return _refusing(lambda: rules.check_pool(data, cognito._user_pool_tier(data))) or original(data)

    return handler


def _updating_pool(original):
    """MiniStack's own checks first, then ours, then everything that was left out."""

    def update(pool, data):
        tier = data.get("UserPoolTier") or cognito._user_pool_tier(pool)
        rules.check_pool(data, tier)
        answer = original(data)
        return answer if answer[0] >= 400 else cognito_updates.update_pool(pool, data)

    return _of_pool(update)


def _dispatching(original):
    async def dispatch(action, data):
        refusal = _refusing(rules.check_shape, action, data) if _is_checked(action, data) else None
        if refusal:
            return refusal
        if action in EXCLUSIVE:
            return await _alone(action, data, original)
        return await _run(action, data, original)

    return dispatch


def _is_checked(action, data):
    # A custom domain is passed in the same field as a prefix, whose pattern has no dots: section 4.
    return action in CHECKED or (action == "CreateUserPoolDomain" and not data.get("CustomDomainConfig"))


async def _run(action, data, original):
    if action == "GetClientToken":
        return await run_reentrant(_refusing, token_endpoint.get_client_token, data)
    if action in OPERATIONS and action not in REPLACED:
        return await run_reentrant(_of_pool(OPERATIONS[action]), data)
    return await original(action, data)


async def _alone(action, data, original):
    """One write to a pool's app clients at a time; one that overlaps is refused, not queued. Section 1."""
    pool_id = data.get("UserPoolId")
    with _writing_lock:
        if pool_id in _writing:
            message = "Only one request to update user pool client can be processed at a time"
            return error_response_json("ConcurrentModificationException", message, 400)
        _writing.add(pool_id)
    try:
        if SETTINGS.write_hold_seconds > 0:
            await asyncio.sleep(SETTINGS.write_hold_seconds)
        return await original(action, data)
    finally:
        with _writing_lock:
            _writing.discard(pool_id)
