"""Tokens for machines: the endpoint of each domain, and GetClientToken. `cognito_facts.md` sections 4 and 5."""

import base64
import json
import time
import uuid
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus, urlencode

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import json_response, set_request_account_id, set_request_region
from ministack.services import cognito

from portal.sandbox import cognito_secrets, trigger
from portal.sandbox.calls import TOKEN_PATH
from portal.sandbox.cognito_rules import CLIENT_TOKEN_AUTH, Refused, defined_scopes, invalid

FORM = "application/x-www-form-urlencoded"
PEOPLES_GRANTS = ("authorization_code", "refresh_token")


class OAuthError(Exception):
    """A refusal of the token endpoint: 400 in JSON, always. Section 4."""

    def __init__(self, error, description=None):
        super().__init__(error)
        self.document = {"error": error} | ({"error_description": description} if description else {})


@dataclass
class Request:
    """One request to a domain's endpoint, read."""

    pool: dict
    form: dict
    client_id: str
    secret: str


def is_token_path(path):
    """Whether the path is a token endpoint, real or not: MiniStack's own answers without a domain."""
    return path.startswith("/oauth2/token") or TOKEN_PATH.fullmatch(path) is not None


async def serve(call, scope, receive, send):
    """The ASGI side: reads the request, answers in JSON."""
    body = (await receive())["body"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    matched = TOKEN_PATH.fullmatch(scope["path"])
    pool = pool_of(matched.group(1)) if matched else None
    if pool is None:
        status, document = 404, {"message": "No such domain."}
    elif scope["method"] != "POST":
        status, document = 405, {"message": "Only POST is served."}
    else:
        call.pool = pool["Id"]
        status, document = await run_reentrant(_answer, call, pool, headers, body)
    payload = json.dumps(document).encode()
    fields = [(b"content-type", b"application/json;charset=UTF-8"), (b"cache-control", b"no-store")]
    fields.append((b"content-length", str(len(payload)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": payload})


def pool_of(domain):
    """The pool behind a domain, and from here on its account and Region. A pool without one has no endpoint."""
    for (account, region, name), pool_id in cognito._pool_domain_map.all_items():
        if name == domain:
            set_request_account_id(account)
            set_request_region(region)
            return cognito._user_pools.get(pool_id)
    return None


def _answer(call, pool, headers, body):
    try:
        request = _read(pool, headers, body)
        call.app_client = request.client_id
        return 200, _granted(request, headers)
    except OAuthError as refusal:
        return 400, refusal.document
    except trigger.Failed as failure:
        # What the real endpoint says here is unconfirmed (section 13); that it is no 500 is the design's choice.
        return 400, {"error": "invalid_request", "error_description": str(failure)}


def _read(pool, headers, body):
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request")
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs) or not form.get("grant_type"):
        raise OAuthError("invalid_request")
    client_id, secret = _credentials(headers.get("authorization", ""), form)
    return Request(pool, form, client_id, secret)


def _credentials(authorization, form):
    """client_secret_basic or client_secret_post. Beside Basic the form may repeat the id, not contradict it."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise OAuthError("invalid_client") from error
    client_id = unquote_plus(name)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request")
    # A raw `+` in Basic is a plus: only what is percent-encoded is decoded.
    return client_id, unquote_plus(secret.replace("+", "%2B"))


def _granted(request, headers):
    grant = request.form["grant_type"]
    if grant in PEOPLES_GRANTS:
        return _for_people(request, headers)
    if grant != "client_credentials":
        raise OAuthError("unsupported_grant_type")
    app_client = request.pool["_clients"].get(request.client_id)
    if app_client is None or not cognito_secrets.is_accepted(app_client, request.secret):
        raise OAuthError("invalid_client")
    # Section 1, the silent-false pitfall.
    if not app_client["AllowedOAuthFlowsUserPoolClient"]:
        raise OAuthError("invalid_grant")
    scopes = _scopes(request.pool, app_client, request.form.get("scope", "").split())
    if "client_credentials" not in app_client["AllowedOAuthFlows"]:
        raise OAuthError("unauthorized_client")
    return _token(request.pool, app_client, scopes, _metadata(request.form))


def _scopes(pool, app_client, wanted):
    """The wanted scopes, or all of the client's, less those removed from their resource server. Sections 3 and 4."""
    own = [scope for scope in app_client["AllowedOAuthScopes"] if "/" in scope]
    if not own or any(scope not in own for scope in wanted):
        raise OAuthError("invalid_scope")
    active = defined_scopes(pool)
    return [scope for scope in dict.fromkeys(wanted or own) if scope in active]


def _metadata(form):
    raw = form.get("aws_client_metadata")
    if not raw:
        return None
    try:
        metadata = json.loads(raw)
    except ValueError as error:
        raise OAuthError("invalid_request") from error
    if not isinstance(metadata, dict):
        raise OAuthError("invalid_request")
    return metadata


def _token(pool, app_client, scopes, metadata):
    """A signed token of the client's validity, its claims those of section 4, changed by the pool's trigger."""
    lifetime = cognito._token_validity(pool["Id"], app_client["ClientId"], "access")
    now = int(time.time())
    claims = {
        "sub": app_client["ClientId"],
        "token_use": "access",
        "scope": " ".join(scopes),
        "auth_time": now,
        "iss": f"https://cognito-idp.{cognito._pool_region(pool['Id'])}.amazonaws.com/{pool['Id']}",
        "exp": now + lifetime,
        "iat": now,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": app_client["ClientId"],
    }
    signed = cognito._signed_jwt(trigger.apply(pool, claims, metadata), pool["Id"], "access")
    return {"access_token": signed, "expires_in": lifetime, "token_type": "Bearer"}


def _for_people(request, headers):
    """Sign-ins of people are MiniStack's business: the secret is checked here, so that either of two will do."""
    app_client = request.pool["_clients"].get(request.client_id)
    if app_client is None:
        raise OAuthError("invalid_client")
    form = dict(request.form, client_id=request.client_id)
    if app_client.get("_secrets"):
        if not cognito_secrets.is_accepted(app_client, request.secret):
            raise OAuthError("invalid_client")
        form["client_secret"] = app_client.get("ClientSecret") or ""
    status, _, body = cognito._oauth2_token({}, {}, urlencode(form).encode(), {})
    document = json.loads(body)
    if status != 200:
        raise OAuthError(document.get("error", "invalid_request"), document.get("error_description"))
    return document


def get_client_token(data):
    """GetClientToken: a token without a domain, unsigned. Sections 1 and 4."""
    _, pool, app_client = cognito._find_pool_by_client_id(data["ClientId"])
    if app_client is None:
        raise Refused("ResourceNotFoundException", f"User pool client {data['ClientId']} does not exist.")
    if not cognito_secrets.is_accepted(app_client, data["Secret"]):
        raise Refused("NotAuthorizedException", "Invalid client or secret")
    if CLIENT_TOKEN_AUTH not in app_client["ExplicitAuthFlows"]:
        raise invalid("CLIENT_TOKEN_AUTH flow not enabled for this client")
    try:
        scopes = _scopes(pool, app_client, data.get("Scopes") or [])
        token = _token(pool, app_client, scopes, data.get("ClientMetadata"))
    except OAuthError as error:
        raise invalid("Invalid scope requested.") from error
    except trigger.Failed as failure:
        raise Refused("NotAuthorizedException", str(failure)) from failure
    members = {"AccessToken": "access_token", "ExpiresIn": "expires_in", "TokenType": "token_type"}
    return json_response({"ClientAuthenticationResult": {name: token[member] for name, member in members.items()}})


def discovery(original):
    """The discovery document names the domain's endpoint, the only one there is."""

    def document(pool_id, region=None, host=None, scheme="http"):
        status, headers, body = original(pool_id, region, host, scheme)
        found = json.loads(body)
        pool = cognito._get_pool_unscoped(pool_id) or {}
        domain = pool.get("Domain") or pool.get("CustomDomain")
        base = found.pop("token_endpoint").removesuffix("/oauth2/token")
        if domain:
            found["token_endpoint"] = f"{base}/_domain/{domain}/oauth2/token"
        return status, headers, json.dumps(found).encode()

    return document
