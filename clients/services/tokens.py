"""Getting a token as the customer's server would, to see that all is in order. It never counts as use."""

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from clients import sealing
from clients.aws import token_endpoint
from clients.aws.token_endpoint import TokenAnswer
from clients.errors import NotReady, refuse
from clients.models import AppClient, Outcome, Secret, SecretState, Status, User
from clients.sealing import SecretValue
from clients.services import audit, claims
from clients.services.claims import Claim


@dataclass
class Attempt:
    """`milliseconds` until the answer was there. `absent`: claims it should carry and does not. `reason` and `act`: why
    there is no token, and one thing to do."""

    status: int
    milliseconds: int
    asked: list[str]
    error: str = ""
    granted: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    seconds_left: int = 0
    reason: str = ""
    act: str = ""

    @property
    def is_issued(self) -> bool:
        return bool(self.claims)

    @property
    def withheld(self) -> list[str]:
        return [scope for scope in self.asked if scope not in self.granted]


def get_token(
    app_client: AppClient, secret: SecretValue, scopes: list[str], *, actor: User, via: str = "web"
) -> Attempt:
    """Asks once, with the secret from memory, and keeps neither it nor the token. Refused before anything is sent: a
    secret of ours with a typo in it (InvalidInput), a pool without a token URL or a client without an id (NotReady)."""
    pool = app_client.pool
    if not pool.token_url or not app_client.client_id:
        raise NotReady("Nobody can ask for a token yet: the pool has no token URL, or the client no client ID.")
    refuse({"secret": check_secret(secret)})
    answer = token_endpoint.ask_for_token(pool.token_url, app_client.client_id, secret, scopes)
    attempt = Attempt(answer.status, round(answer.seconds * 1000), scopes, answer.error)
    if answer.token:
        _read(attempt, answer, app_client)
    else:
        attempt.reason, attempt.act = _why(app_client, secret, scopes, answer)
    detail = {"status": answer.status, "error": answer.error, "scopes": scopes}
    outcome = Outcome.OK if attempt.is_issued else Outcome.FAILED
    with transaction.atomic():
        audit.append("client:get_token", outcome, actor=actor, via=via, app_client=app_client, detail=detail)
    return attempt


def check_secret(secret: SecretValue) -> list[str]:
    """Ours has a checksum, so that a typo is told without asking Cognito; of any other nothing is known."""
    text = secret.reveal()
    if text.startswith("cps_") and not sealing.is_well_formed(text):
        return ["This secret has a typo in it, or a part of it is missing. Copy it whole."]
    return []


def _read(attempt: Attempt, answer: TokenAnswer, app_client: AppClient) -> None:
    pool = app_client.pool
    found = token_endpoint.verified_claims(answer.token, jwks_url=pool.jwks_url, issuer=pool.issuer)
    ours = claims.preview(pool, app_client.tenant, claims.overrides_of(app_client), app_client=app_client)
    known = {claim.name: claim for claim in ours.claims}
    unknown = Claim("", None, "cognito")
    told = {name: known.get(name, unknown) for name in found}
    attempt.claims = [Claim(name, value, told[name].source, told[name].was) for name, value in found.items()]
    wanted = [claim.name for claim in ours.claims if claim.source in ("tenant", "client", "default")]
    attempt.absent = [name for name in wanted if name not in found]
    attempt.granted = str(found.get("scope", "")).split()
    attempt.seconds_left = int(found["exp"]) - int(found["iat"])


def _why(app_client: AppClient, secret: SecretValue, scopes: list[str], answer: TokenAnswer) -> tuple[str, str]:
    """(why, one thing to do), as far as our rows know it."""
    held = set(app_client.scopes.values_list("full_name", flat=True))
    missing = [scope for scope in scopes if scope not in held]
    if answer.error == "invalid_client":
        return _why_unknown(app_client, secret)
    if answer.error == "invalid_scope":
        named = ", ".join(missing) or "One of the scopes"
        said = f"{named} is not on this client, and Cognito then refuses the whole request."
        return said, "Ask without it, or add it."
    if answer.error in ("invalid_grant", "unauthorized_client"):
        if app_client.status == Status.PAUSED:
            return "The client is paused, so it gets no tokens.", "Resume the client."
        return "In Cognito the client-credentials flow of this client is off.", "Look at Out of sync on its overview."
    if answer.status == 429:
        return "Too many tokens are asked for in this account.", "Wait a minute, then try again."
    said = str(answer.document.get("error_description", ""))[:200]
    why = f"Cognito answered {answer.status} {answer.error}. {said}".strip()
    return why, "Try again; if it stays, look at the trigger."


def _why_unknown(app_client: AppClient, secret: SecretValue) -> tuple[str, str]:
    marks = [mark for _, mark in sealing.fingerprints(secret)]
    known: Any = Secret.objects.filter(app_client=app_client, fingerprint__in=marks).first()
    if known is None:
        return "Cognito does not know this secret for this client.", "Check that it is this client’s, and copied whole."
    if known.state == SecretState.RETIRED:
        return f"The secret ending {known.ending} was removed.", "Use the current secret of this client."
    return (
        f"The secret ending {known.ending} is this client’s, yet Cognito refuses it.",
        "If it is new, wait a minute and try again; else look at Out of sync.",
    )
