"""Who calls an AppSync API: tokens of its user pools, verified, and what the schema's directives leave them.

`cognito_facts.md` section 6. MiniStack 1.5.33 reads the token's claims and verifies nothing.
"""

import re
from dataclasses import dataclass

import jwt
import ministack.services.appsync as appsync
import ministack.services.cognito as cognito
from graphql import GraphQLError, ObjectTypeDefinitionNode, ObjectTypeExtensionNode, parse
from ministack.core import responses

MODE = "AMAZON_COGNITO_USER_POOLS"
PROVIDER_DIRECTIVES = {"aws_auth", "aws_cognito_user_pools", "aws_api_key", "aws_iam", "aws_oidc", "aws_lambda"}


class Refused(Exception):
    """The token does not open this API; the message is for the caller."""


@dataclass(frozen=True)
class Caller:
    """A verified token and the pool configuration that accepted it."""

    claims: dict
    default_action: str
    is_default_provider: bool


def pool_configs(api):
    """Every user pool configuration of the API, and whether it is the default provider's."""
    providers = [api, *(api.get("additionalAuthenticationProviders") or [])]
    return [
        (provider.get("userPoolConfig") or {}, provider is api)
        for provider in providers
        if isinstance(provider, dict) and provider.get("authenticationType") == MODE
    ]


def verify(api, headers):
    """The caller, once one of the API's pools vouches for the token. Refused otherwise."""
    token = _bearer(headers)
    refusal = Refused("You are not authorized to make this call.")
    for config, is_default in pool_configs(api):
        try:
            claims = _verified_claims(token, config)
        except jwt.ExpiredSignatureError:
            refusal = Refused("Token has expired.")
        except (jwt.PyJWTError, Refused):
            continue
        else:
            return Caller(claims, config.get("defaultAction") or "ALLOW", is_default)
    raise refusal


def _bearer(headers):
    given = {str(name).lower(): value for name, value in headers.items()}.get("authorization") or ""
    token = given[7:] if given[:7].lower() == "bearer " else given
    if token.count(".") != 2 or given.startswith("AWS4-HMAC-SHA256"):
        raise Refused("Valid authorization header not provided.")
    return token


def _verified_claims(token, config):
    pool_id = config.get("userPoolId", "")
    # Not the lookup MiniStack offers: that one also moves the request to the pool's account and Region.
    region = next((region for (_, region, id_), _pool in cognito._user_pools.all_items() if id_ == pool_id), None)
    if region is None:
        raise Refused("The pool does not exist.")
    kid = jwt.get_unverified_header(token).get("kid")
    signers = {use: cognito._pool_signing_key(pool_id, use) for use in ("access", "id")}
    use = next((use for use, (key, jwk) in signers.items() if key is not None and jwk["kid"] == kid), None)
    if use is None:
        raise Refused("The token is signed with another key.")
    claims = jwt.decode(
        token,
        signers[use][0].public_key(),
        algorithms=["RS256"],
        issuer=f"https://cognito-idp.{config.get('awsRegion') or region}.amazonaws.com/{pool_id}",
        options={"verify_aud": False, "require": ["exp", "iss", "sub", "token_use"]},
    )
    if claims["token_use"] != use:
        raise Refused("The token is for another use.")
    _refuse_other_apps(claims, config.get("appIdClientRegex"))
    return claims


def _refuse_other_apps(claims, pattern):
    """No pattern means no filter: every app client of the pool, present and future, gets in."""
    if not pattern:
        return
    app_client = claims.get("client_id") if claims["token_use"] == "access" else claims.get("aud")
    try:
        matches = re.fullmatch(pattern, str(app_client or ""))
    except re.error:
        matches = None
    if not matches:
        raise Refused("This app client is not accepted.")


def another_provider(is_authenticated):
    """Whether a provider other than a user pool accepts the request; the pools are asked by `verify` alone."""

    def check(api_id, api, headers):
        try:
            return bool(verify(api, headers or {}))
        except Refused:
            pass
        modes = appsync._auth_modes(api) - {MODE}
        others = {**api, "authenticationType": None, "additionalAuthenticationProviders": list(modes)}
        # MiniStack reads a missing default as API_KEY, which such an API may not offer.
        others["authenticationType"] = next(iter(modes), "NONE")
        return is_authenticated(api_id, others, headers)

    return check


def identity(api, headers):
    """`ctx.identity` of a verified token, else None. A machine has neither user name nor groups."""
    try:
        caller = verify(api, headers or {})
    except Refused:
        return None
    claims = caller.claims
    return {
        "sub": claims["sub"],
        "issuer": claims["iss"],
        "username": claims.get("cognito:username") or claims.get("username"),
        "groups": claims.get("cognito:groups"),
        "claims": claims,
        "sourceIp": [responses._request_client_ip.get()],
        "defaultAuthStrategy": caller.default_action,
    }


def field_rule(api_id, caller):
    """May the caller use a top-level field? The schema's directives decide, and without one the default action.

    A field without a directive is the default provider's alone. A directive's no is an error of the field, like
    `util.unauthorized()`; DENY refuses the request as a whole.
    """
    directives = _directives((appsync._schemas.get(api_id) or {}).get("definition") or "")
    groups = set(caller.claims.get("cognito:groups") or [])

    def authorize(type_name, field_name):
        found = directives.get((type_name, field_name)) or directives.get((type_name, None))
        if field_name == "__typename" or (not found and caller.is_default_provider):
            return caller.default_action == "ALLOW"
        named = [found[name] for name in ("aws_auth", "aws_cognito_user_pools") if name in found]
        if not any(wanted is None or groups & wanted for wanted in named):
            raise appsync._unauthorized_field(type_name, field_name)
        return True

    return authorize


def _directives(sdl):
    """(type, field or None) -> {directive: its cognito_groups or None}."""
    try:
        document = parse(sdl)
    except GraphQLError:
        return {}
    found: dict[tuple[str, str | None], dict] = {}
    for definition in document.definitions:
        if not isinstance(definition, (ObjectTypeDefinitionNode, ObjectTypeExtensionNode)):
            continue
        for field, node in [(None, definition), *((each.name.value, each) for each in definition.fields)]:
            mine = {one.name.value: _groups(one) for one in node.directives if one.name.value in PROVIDER_DIRECTIVES}
            found.setdefault((definition.name.value, field), {}).update(mine)
    return found


def _groups(directive):
    for argument in directive.arguments:
        if argument.name.value == "cognito_groups":
            return {value.value for value in getattr(argument.value, "values", [argument.value])}
    return None
