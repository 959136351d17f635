"""Providers of identities for the tests: the sandbox's own user pool, and a signer for what that would never say."""

import html
import json
import re
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from clients.models import User
from tests.support import Sandbox

BEGIN, CALLBACK = "/account/single-sign-on/", "/account/single-sign-on/callback/"
OPERATOR = "operator@portal.example"
PASSWORD = "Correct-horse-7-battery"  # noqa: S105  (test logins)


class Pool:
    """A user pool of the sandbox with an app client for people, as an organisation would set it up for the portal."""

    def __init__(self, sandbox: Sandbox, base_url: str) -> None:
        self.endpoint, self.cognito = sandbox.endpoint, sandbox.aws("cognito-idp")
        self.callback = f"{base_url}/account/single-sign-on/callback/"
        self.id = self.cognito.create_user_pool(PoolName="staff")["UserPool"]["Id"]
        self.domain = f"staff-{secrets.token_hex(6)}"
        self.cognito.create_user_pool_domain(UserPoolId=self.id, Domain=self.domain)
        self.app_client = self.add_client()
        self.issuer = f"{self.endpoint}/{self.id}"

    def add_client(self, **changes):
        wanted = {
            "UserPoolId": self.id, "ClientName": "portal", "GenerateSecret": True, "CallbackURLs": [self.callback],
            "AllowedOAuthFlows": ["code"], "AllowedOAuthFlowsUserPoolClient": True,
            "AllowedOAuthScopes": ["openid", "email", "profile"], "SupportedIdentityProviders": ["COGNITO"],
        } | changes  # fmt: skip
        return self.cognito.create_user_pool_client(**wanted)["UserPoolClient"]

    def settings(self):
        client = self.app_client
        return {
            "ISSUER": self.issuer, "CLIENT_ID": client["ClientId"], "CLIENT_SECRET": client["ClientSecret"],
            "NAME": "Harbourline",
        }  # fmt: skip

    def add(self, email, *, login="staff", verified="true", **attributes):
        """Somebody who may sign in there; their `sub`."""
        given = {"email": email, **attributes} | ({"email_verified": verified} if verified else {})
        listed = [{"Name": key, "Value": value} for key, value in given.items()]
        self.cognito.admin_create_user(
            UserPoolId=self.id, Username=login, UserAttributes=listed, MessageAction="SUPPRESS"
        )
        self.cognito.admin_set_user_password(UserPoolId=self.id, Username=login, Password=PASSWORD, Permanent=True)
        found = self.cognito.admin_get_user(UserPoolId=self.id, Username=login)["UserAttributes"]
        return next(each["Value"] for each in found if each["Name"] == "sub")

    def change_email(self, email, *, login="staff"):
        listed = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
        self.cognito.admin_update_user_attributes(UserPoolId=self.id, Username=login, UserAttributes=listed)

    def add_to_group(self, group, *, login="staff"):
        self.cognito.create_group(UserPoolId=self.id, GroupName=group)
        self.cognito.admin_add_user_to_group(UserPoolId=self.id, Username=login, GroupName=group)

    def answer(self, onward, login="staff", password=PASSWORD):
        """What a person does there: the page, its form; the address it sends back to."""
        page = requests.get(onward, timeout=10, allow_redirects=False)
        assert page.status_code == 200, page.text
        sent = send_form(onward, page.text, username=login, password=password)
        assert sent.status_code == 302, sent.text
        return sent.headers["Location"]


def send_form(where, page, **typed):
    """The form of the hosted page, filled in and sent as a browser would."""
    hidden = {n: html.unescape(v) for n, v in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)}
    host = "{0.scheme}://{0.netloc}".format(urlsplit(where))
    action = host + re.search(r'action="([^"]+)"', page)[1]
    return requests.post(action, hidden | typed, headers={"Origin": host}, timeout=10, allow_redirects=False)


class Signer:
    """A provider that says of anybody whatever a test wants: `claims` go into the next token, `key` signs it."""

    def __init__(self, endpoint):
        self.issuer, self.key = endpoint, rsa.generate_private_key(65537, 2048)
        self.published, self.claims, self.answer, self.nonce, self.asked = self.key.public_key(), {}, None, "", []
        self.metadata = {
            "issuer": endpoint, "jwks_uri": f"{endpoint}/jwks", "token_endpoint": f"{endpoint}/token",
            "authorization_endpoint": f"{endpoint}/authorize", "userinfo_endpoint": f"{endpoint}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }  # fmt: skip

    def settings(self):
        return {"ISSUER": self.issuer, "CLIENT_ID": "portal", "CLIENT_SECRET": "s", "NAME": "Elsewhere"}

    def document(self, path):
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return self.metadata
        if path == "/jwks":
            jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.published))
            return {"keys": [jwk | {"kid": "one", "alg": "RS256", "use": "sig"}]}
        if path == "/userinfo":
            return {"sub": "s", "email": "operator@portal.example", "email_verified": "true"}
        return self.answer or {"access_token": "a", "token_type": "Bearer", "id_token": self.token()}

    def token(self):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "portal", "sub": "s", "iat": now, "exp": now + 60, "nonce": self.nonce}
        told = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return jwt.encode(told, self.key, algorithm="RS256", headers={"kid": "one"})

    def sends_back(self, onward, **claims):
        """The address it sends back to, once it was asked at `onward`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(onward).query).items()}
        self.nonce, self.claims = asked["nonce"], claims
        return f"{asked['redirect_uri']}?code=c&state={asked['state']}"


@contextmanager
def signer():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(self.server.signer.document(urlsplit(self.path).path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *arguments):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.signer = Signer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.signer
    server.shutdown()
    server.server_close()


# --- A person with a browser ---------------------------------------------------------------------------


def begin(client, **sent):
    """Where the button leads."""
    answer = client.post(BEGIN, sent)
    assert answer.status_code == 200, answer.content.decode()
    return answer["Refresh"].removeprefix("0;url=")


def come(pool, client=None, login="staff"):
    """(browser, answer to the callback) of somebody who signs in at the pool."""
    client = client or Client()
    return client, client.get(pool.answer(begin(client), login))


def told(elsewhere, client=None, **claims):
    """The same at the signer, which says this of the operator."""
    client = client or Client()
    vouched = {"email": OPERATOR, "email_verified": True} | claims
    return client, client.get(elsewhere.sends_back(begin(client), **vouched))


def who(client):
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


def is_refused(client, answer, words):
    page = answer.content.decode()
    assert words in page and "Reference" in page and 'href="/account/login/"' in page, page
    assert who(client) is None and not client.session.get("socialaccount_sociallogin")
    return True
