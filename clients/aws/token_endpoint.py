"""Asking for a token as a customer's server does, and for the keys that prove it (cognito_facts.md section 4)."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import jwt

from clients.aws import outbound
from clients.aws.outbound import Unreachable
from clients.sealing import SecretValue

OURS = json.dumps({"portal": "test"})  # the trigger does not count it as use


@dataclass(frozen=True)
class TokenAnswer:
    """What the endpoint said. `document` is its JSON, empty when it was none; `seconds` until all of it was there."""

    status: int
    seconds: float
    document: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.document.get("access_token", "")) if self.status == 200 else ""

    @property
    def error(self) -> str:
        return str(self.document.get("error", ""))[:60]


def ask_for_token(url: str, client_id: str, secret: SecretValue, scopes: list[str]) -> TokenAnswer:
    """One request, once; without scopes for all of the client's. Raises NotAsked, Unreachable."""
    form = {"grant_type": "client_credentials", "aws_client_metadata": OURS}
    form |= {"scope": " ".join(scopes)} if scopes else {}
    basic = b64encode(f"{quote(client_id, safe='')}:{quote(secret.reveal(), safe='')}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    answer = outbound.ask(url, body=urlencode(form), headers=headers)
    return TokenAnswer(answer.status, answer.seconds, _json(answer.text))


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def verified_claims(token: str, *, jwks_url: str, issuer: str) -> dict[str, Any]:
    """The claims of a token that this pool signed; raises Unreachable when that cannot be shown."""
    keys = outbound.ask(jwks_url)
    try:
        ring = jwt.PyJWKSet.from_dict(_json(keys.text))
        key = ring[str(jwt.get_unverified_header(token).get("kid"))]
        # An access token of Cognito has no audience; how fresh it is, is not asked of a token a second old.
        return jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, leeway=60, options={"verify_aud": False})
    except (jwt.PyJWTError, KeyError) as error:
        said = "The token was issued, but it does not fit the pool's published keys."
        raise Unreachable(said, technical=type(error).__name__) from None
