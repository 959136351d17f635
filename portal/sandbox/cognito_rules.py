"""What Cognito refuses: pure checks of a request against AWS's own service model and the rules it does not state."""

import re
from functools import cache

import botocore.session

STANDARD_SCOPES = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
# Seconds, and the default unit. `cognito_facts.md` section 1.
WINDOWS = {
    "AccessToken": (300, 86400, "hours"),
    "IdToken": (300, 86400, "hours"),
    "RefreshToken": (3600, 315360000, "days"),
}
CLIENT_TOKEN_AUTH = "ALLOW_CLIENT_TOKEN_AUTH"  # noqa: S105  the name of a flow
# Documented, but absent from the enum of this service model: section 1.
ALSO_ALLOWED = {"ExplicitAuthFlowsType": {CLIENT_TOKEN_AUTH}}


class Refused(Exception):
    """The error code AWS answers with, and its message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message):
    """The commonest refusal."""
    return Refused("InvalidParameterException", message)


def check_shape(operation, data):
    """Lengths, ranges, patterns and enums of the operation's input, as AWS's own service model states them."""
    _check(_input_shape(operation), data, "")


@cache
def _input_shape(operation):
    return botocore.session.get_session().get_service_model("cognito-idp").operation_model(operation).input_shape


def _check(shape, value, path):
    if value is None:
        return
    if shape.type_name == "structure":
        _check_structure(shape, value, path)
    elif shape.type_name == "list":
        _expect(value, list)
        _check_size(shape, len(value), path, "length")
        for each in value:
            _check(shape.member, each, f"{path}.member")
    elif shape.type_name == "map":
        _expect(value, dict)
        for each in value.values():
            _check(shape.value, each, f"{path}.value")
    elif shape.type_name == "string":
        _expect(value, str)
        _check_string(shape, value, path)
    elif shape.type_name in ("integer", "long"):
        _expect(value, int)
        _check_size(shape, value, path, "value")


def _expect(value, kind):
    if not isinstance(value, kind):
        raise Refused("SerializationException", f"Expected {kind.__name__}")


def _check_structure(shape, value, path):
    _expect(value, dict)
    for name in shape.required_members:
        if value.get(name) is None:
            raise _constraint(_below(path, name), "Member must not be null")
    for name, member in shape.members.items():
        _check(member, value.get(name), _below(path, name))


def _below(path, name):
    """AWS names a member in lower camel case, from the request's root."""
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _check_size(shape, size, path, what):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        raise _constraint(path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        raise _constraint(path, f"Member must have {what} less than or equal to {most}")


def _check_string(shape, value, path):
    _check_size(shape, len(value), path, "length")
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern and not pattern.fullmatch(value):
        raise _constraint(path, f"Member must satisfy regular expression pattern: {pattern.pattern}")
    allowed = set(shape.enum) | ALSO_ALLOWED.get(shape.name, set())
    if shape.enum and value not in allowed:
        raise _constraint(path, f"Member must satisfy enum value set: [{', '.join(sorted(allowed))}]")


@cache
def _pattern(text):
    r"""AWS's patterns are Java's: `\w` is ASCII. Those with `\p{…}` do not compile here and guard texts, not names."""
    if not text or r"\p{" in text:
        return None
    return re.compile(text, re.ASCII)


def _constraint(path, sentence):
    # AWS quotes the value as well. It may be a secret, so we do not.
    return invalid(f"1 validation error detected: Value at '{path}' failed to satisfy constraint: {sentence}")


def check_client(pool, wanted, *, has_secret):
    """What an app client may not be, whatever its shape. `cognito_facts.md` section 1."""
    _check_explicit_flows(wanted.get("ExplicitAuthFlows") or [])
    _check_flows(wanted, has_secret=has_secret)
    _check_scopes(pool, wanted.get("AllowedOAuthScopes") or [])
    for kind in WINDOWS:
        _check_validity(kind, wanted)


def _check_explicit_flows(flows):
    """`ALLOW_CLIENT_TOKEN_AUTH` stands alone, and the old names do not mix with the new ones. Section 1."""
    new = [flow for flow in flows if flow.startswith("ALLOW_")]
    if new and len(new) != len(flows):
        raise invalid("ExplicitAuthFlows must not mix values that begin with ALLOW_ with legacy values.")
    if CLIENT_TOKEN_AUTH in flows and len(set(flows)) > 1:
        raise invalid(f"{CLIENT_TOKEN_AUTH} must be the only explicit authentication flow.")


def _check_flows(wanted, *, has_secret):
    """Section 1, with AWS's own messages."""
    flows = wanted.get("AllowedOAuthFlows") or []
    if "client_credentials" not in flows:
        return
    if len(set(flows)) > 1:
        raise _flow_error("client_credentials flow can not be selected along with code flow or implicit flow")
    if not has_secret:
        raise _flow_error("client_credentials flow can not be selected if client does not have a client secret")
    for scope in wanted.get("AllowedOAuthScopes") or []:
        if scope in STANDARD_SCOPES:
            raise _flow_error(f"{scope} is not supported with client_credentials flow")


def _flow_error(message):
    return Refused("InvalidOAuthFlowException", message)


def _check_scopes(pool, scopes):
    """A scope must exist before a client refers to it, on update too. Sections 1 and 3."""
    known = defined_scopes(pool) | set(STANDARD_SCOPES)
    for scope in scopes:
        if scope not in known:
            raise Refused("ScopeDoesNotExistException", f"Invalid scope requested: {scope}")


def defined_scopes(pool):
    """Every scope the pool's resource servers define, in full."""
    servers = (pool.get("_resource_servers") or {}).values()
    return {f"{server['Identifier']}/{each['ScopeName']}" for server in servers for each in server.get("Scopes") or []}


def _check_validity(kind, wanted):
    """Five minutes to a day, in hours unless a unit is named. Section 1."""
    value = wanted.get(f"{kind}Validity")
    # A refresh validity of 0 is replaced by 30 days, whatever its unit.
    if not value:
        return
    least, most, unit = WINDOWS[kind]
    unit = (wanted.get("TokenValidityUnits") or {}).get(kind) or unit
    if not least <= value * SECONDS[unit] <= most:
        raise invalid("Invalid range for token validity.")


def check_pool(wanted, tier):
    """Triggers a plan does not include, and two triggers in one slot. Section 5."""
    triggers = wanted.get("LambdaConfig") or {}
    configured = triggers.get("PreTokenGenerationConfig") or {}
    if configured.get("LambdaVersion") == "V3_0" and tier == "LITE":
        raise Refused(
            "FeatureUnavailableInTierException",
            "The following features need to be disabled for the LITE pricing tier configured: "
            "Access Token Customization for machine identities",
        )
    legacy = triggers.get("PreTokenGeneration")
    if legacy and configured and legacy != configured.get("LambdaArn"):
        raise invalid("PreTokenGeneration and PreTokenGenerationConfig must hold the same Lambda ARN.")
