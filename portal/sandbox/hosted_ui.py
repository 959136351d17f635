"""The pages of a pool's domain where people sign in, and leave with a code for the token endpoint.

MiniStack 1.5.33 has the pages, the codes (single use, five minutes, bound to client, callback and PKCE challenge) and
the ID token. It serves them without a domain, for the clients of any pool, whatever their flow flag says. Source of
every rule here, where none is named: https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
"""

import json
import re
from urllib.parse import parse_qsl, urlencode

from ministack.services import cognito

from portal.sandbox import token_endpoint

PAGE = re.compile(r"/_domain/([^/]+)/(oauth2/authorize|login)")
# MiniStack's own: they would answer for a pool that has no domain. `cognito_facts.md` section 4.
WITHOUT_DOMAIN = ("/oauth2/authorize", "/oauth2/login", "/login")


def install():
    """Put our rules into MiniStack. Call once, before the first request."""
    cognito.well_known_openid_configuration = _discovery(cognito.well_known_openid_configuration)
    cognito._fake_token = _verified_only_if_so(cognito._fake_token)


def is_hosted_path(path):
    """Whether a person's browser may ask for it, with the Origin of our own pages."""
    return PAGE.fullmatch(path) is not None or path in WITHOUT_DOMAIN


async def serve(scope, receive, send):
    """The ASGI side."""
    body = (await receive())["body"]
    status, headers, payload = _answer(scope["method"], scope["path"], scope["query_string"], body)
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    # The page holds the request's parameters: another site must neither keep nor frame it.
    fields += [(b"cache-control", b"no-store"), (b"content-security-policy", b"frame-ancestors 'none'")]
    fields.append((b"content-length", str(len(payload)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": payload})


def _answer(method, path, query, body):
    matched = PAGE.fullmatch(path)
    domain, page = matched.groups() if matched else ("", "")
    pool = token_endpoint.pool_of(domain)
    if pool is None:
        return _refusal(404, "No such domain.")
    if method != ("POST" if page == "login" else "GET"):
        return _refusal(405, "The authorize endpoint is opened, the sign-in form is sent.")
    given = dict(parse_qsl((body if page == "login" else query).decode("utf-8", "replace"), keep_blank_values=True))
    # Without a client id it is a later step of a sign-in begun here: MiniStack knows it by a token.
    refusal = _refused(pool, given) if page != "login" or "client_id" in given else None
    if refusal:
        return refusal
    if page == "login":
        status, headers, payload = cognito.handle_login_submit(method, "/login", {}, body, {})
    else:
        status, headers, payload = cognito.handle_oauth2_authorize(method, "/oauth2/authorize", {}, given)
    headers.pop("Cache-Control", None)
    return status, headers, payload.replace(b'action="/login"', f'action="/_domain/{domain}/login"'.encode())


def _refused(pool, given):
    """What MiniStack lets through: a client of another pool, and one whose flow flag is off.

    While the callback is not known to be the client's, nobody is sent there: the error stays on this page.
    """
    app_client = pool["_clients"].get(given.get("client_id"))
    if app_client is None:
        return _refusal(400, "This domain has no such app client.")
    callback = given.get("redirect_uri", "")
    if callback not in (app_client.get("CallbackURLs") or []):
        return _refusal(400, "redirect_mismatch: the callback is not exactly one of the app client's.")
    # `cognito_facts.md` section 1, the silent-false pitfall: the client looks right, and no flow is open.
    if not app_client["AllowedOAuthFlowsUserPoolClient"] or "code" not in (app_client.get("AllowedOAuthFlows") or []):
        told = {"error": "unauthorized_client"} | ({"state": given["state"]} if given.get("state") else {})
        return 302, {"Location": f"{callback}{'&' if '?' in callback else '?'}{urlencode(told)}"}, b""
    return None


def _refusal(status, message):
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


def _discovery(original):
    """The document names the domain's pages, the only ones there are."""

    def document(pool_id, region=None, host=None, scheme="http"):
        status, headers, body = original(pool_id, region, host, scheme)
        found = json.loads(body)
        pool = cognito._get_pool_unscoped(pool_id) or {}
        domain = pool.get("Domain") or pool.get("CustomDomain")
        base = found.pop("authorization_endpoint").removesuffix("/oauth2/authorize")
        if domain:
            found["authorization_endpoint"] = f"{base}/_domain/{domain}/oauth2/authorize"
        return status, headers, json.dumps(found).encode()

    return document


def _verified_only_if_so(original):
    """An address nobody verified is not verified: MiniStack's ID token says so of every user without the attribute.
    That AWS writes `false` there and not nothing is unconfirmed; both are no `true`."""

    def token(*arguments, user_attrs=None, **options):
        if user_attrs and "email" in user_attrs:
            user_attrs = {"email_verified": "false", **user_attrs}
        return original(*arguments, user_attrs=user_attrs, **options)

    return token
