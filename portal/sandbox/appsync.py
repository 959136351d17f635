"""AppSync as AWS runs it: puts the sandbox's rules into MiniStack's AppSync from outside."""

import ministack.services.appsync as appsync
from ministack.services.cloudformation import provisioners

from portal.sandbox import appsync_auth, appsync_dynamodb, appsync_functions


def install():
    """Replace what MiniStack 1.5.33 does too leniently. Safe to call twice; call it before the first request."""
    if appsync._cognito_identity is appsync_auth.identity:
        return
    appsync._execute_graphql = _refusing(appsync._execute_graphql)
    appsync._request_is_authenticated = appsync_auth.another_provider(appsync._request_is_authenticated)
    appsync._cognito_identity = appsync_auth.identity
    appsync._ds_dynamodb_in_region = appsync_dynamodb.run
    appsync._resolve_dynamodb = _refuse_guessing
    # The handlers of a type are looked up at each stack operation, so replacing the entry is enough.
    provisioners._RESOURCE_HANDLERS["AWS::AppSync::FunctionConfiguration"] = appsync_functions.HANDLERS


def _refusing(execute):
    """The data plane behind the door: nothing is parsed and no resolver runs before the caller is known."""

    def execute_graphql(api_id, data, request_headers=None, authorize=None):
        api = appsync._apis.get(api_id)
        if api is None or "AMAZON_COGNITO_USER_POOLS" not in appsync._auth_modes(api):
            return execute(api_id, data, request_headers, authorize)
        headers = request_headers or {}
        try:
            caller = appsync_auth.verify(api, headers)
        except appsync_auth.Refused as refusal:
            # AppSync accepts a request that satisfies any one of the API's providers.
            if not appsync._request_is_authenticated(api_id, api, headers):
                return appsync._unauthorized_response(str(refusal))
        else:
            authorize = authorize or appsync_auth.field_rule(api_id, caller)
        return execute(api_id, data, headers, authorize)

    return execute_graphql


def _refuse_guessing(data_source, resolver, args, sub_fields):
    """MiniStack guesses the operation of a VTL resolver from its field's name. A wrong answer is worse than none."""
    raise appsync._AppSyncResolverError("The sandbox runs APPSYNC_JS resolvers only", "NotImplemented")
