"""Creations, and the updates that reset what they leave out. `cognito_facts.md` sections 1, 3 and 5."""

import copy
import time

from ministack.core.responses import json_response
from ministack.services import cognito

from portal.sandbox import cognito_rules as rules
from portal.sandbox import cognito_secrets

# Section 1: what an app client gets where the request says nothing. An empty list of flows counts as nothing.
DEFAULT_FLOWS = ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
CLIENT_DEFAULTS = {
    "RefreshTokenValidity": 30,
    "AccessTokenValidity": None,
    "IdTokenValidity": None,
    "TokenValidityUnits": {},
    "ReadAttributes": [],
    "WriteAttributes": [],
    "ExplicitAuthFlows": DEFAULT_FLOWS,
    "SupportedIdentityProviders": [],
    "CallbackURLs": [],
    "LogoutURLs": [],
    "DefaultRedirectURI": None,
    "AllowedOAuthFlows": [],
    "AllowedOAuthScopes": [],
    "AllowedOAuthFlowsUserPoolClient": False,
    "AnalyticsConfiguration": None,
    "PreventUserExistenceErrors": "LEGACY",
    "EnableTokenRevocation": True,
    "EnablePropagateAdditionalUserContextData": False,
    "AuthSessionValidity": 3,
    "RefreshTokenRotation": None,
}
PASSWORD_POLICY = {
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "TemporaryPasswordValidityDays": 7,
}
# Section 5: UpdateUserPool resets every omitted attribute. The tier alone stays, as MiniStack found it to.
POOL_DEFAULTS = {
    "Policies": {"PasswordPolicy": PASSWORD_POLICY},
    "AutoVerifiedAttributes": [],
    "SmsVerificationMessage": "",
    "EmailVerificationMessage": "",
    "EmailVerificationSubject": "",
    "SmsAuthenticationMessage": "",
    "MfaConfiguration": "OFF",
    "EmailConfiguration": {},
    "SmsConfiguration": {},
    "UserPoolTags": {},
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": False, "UnusedAccountValidityDays": 7},
    "AccountRecoverySetting": {},
    "DeletionProtection": "INACTIVE",
    "LambdaConfig": {},
}
OPTIONAL_OF_POOL = (
    "DeviceConfiguration",
    "UserPoolAddOns",
    "VerificationMessageTemplate",
    "UserAttributeUpdateSettings",
)


def create_client(pool, data):
    """CreateUserPoolClient, with a secret we generate, one the caller chose, or none. Sections 1 and 2."""
    if data.get("ClientSecret") and data.get("GenerateSecret"):
        raise rules.invalid("ClientSecret and GenerateSecret cannot both be given.")
    value = data.get("ClientSecret") or (cognito_secrets.generated() if data.get("GenerateSecret") else None)
    rules.check_client(pool, data, has_secret=bool(value))
    now = time.time()
    app_client = {
        "UserPoolId": pool["Id"],
        # A template may leave the name out.
        "ClientName": data.get("ClientName", "app-client"),
        "ClientId": cognito._client_id(),
        "ClientSecret": value,
        "CreationDate": now,
        "LastModifiedDate": now,
        **_with_defaults(data),
    }
    if value:
        cognito_secrets.keep(app_client, value)
    pool["_clients"][app_client["ClientId"]] = app_client
    return json_response({"UserPoolClient": shown(app_client)})


def update_client(pool, data):
    """UpdateUserPoolClient: what is left out becomes the default, not what it was. Section 1."""
    app_client = existing_client(pool, data)
    rules.check_client(pool, data, has_secret=bool(app_client.get("_secrets")))
    app_client.update(_with_defaults(data), LastModifiedDate=time.time())
    if data.get("ClientName"):
        app_client["ClientName"] = data["ClientName"]
    return json_response({"UserPoolClient": shown(app_client)})


def _with_defaults(data):
    wanted = {name: data.get(name, default) for name, default in copy.deepcopy(CLIENT_DEFAULTS).items()}
    wanted["ExplicitAuthFlows"] = list(wanted["ExplicitAuthFlows"] or DEFAULT_FLOWS)
    wanted["RefreshTokenValidity"] = wanted["RefreshTokenValidity"] or 30
    return wanted


def describe_client(pool, data):
    """DescribeUserPoolClient, the secret in clear as AWS shows it. Section 1."""
    return json_response({"UserPoolClient": shown(existing_client(pool, data))})


def existing_client(pool, data):
    """The app client the request is about."""
    app_client = pool["_clients"].get(data.get("ClientId"))
    if app_client is None:
        raise rules.Refused("ResourceNotFoundException", f"User pool client {data.get('ClientId')} does not exist.")
    return app_client


def shown(app_client):
    """An app client as the API shows it: without what is empty or our own."""
    return {name: value for name, value in app_client.items() if value is not None and not name.startswith("_")}


def update_pool(pool, data):
    """UpdateUserPool: what is left out becomes the default. Section 5."""
    for name, default in copy.deepcopy(POOL_DEFAULTS).items():
        pool[name] = data.get(name, default)
    for name in OPTIONAL_OF_POOL:
        pool.pop(name, None)
        if data.get(name):
            pool[name] = data[name]
    pool["EmailConfiguration"] = cognito._email_configuration_out(pool["EmailConfiguration"])
    if data.get("UserPoolTier"):
        pool["UserPoolTier"] = data["UserPoolTier"]
    if data.get("PoolName"):
        pool["Name"] = data["PoolName"]
    pool["LastModifiedDate"] = time.time()
    return json_response({})


def update_resource_server(pool, data):
    """UpdateResourceServer: the name is required, and omitted scopes are no scopes. Section 3."""
    server = cognito._pool_resource_servers(pool).get(data["Identifier"])
    if server is None:
        raise rules.Refused("ResourceNotFoundException", f"Resource server {data['Identifier']} does not exist.")
    server["Name"] = data["Name"]
    server["Scopes"] = data.get("Scopes") or []
    return json_response({"ResourceServer": server})
