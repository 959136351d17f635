"""Whether a client is in order: what a first token needs, and beside what is missing the one thing to do."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from clients import permissions
from clients.models import EVERYTHING, AppClient, Operation, Status, User
from clients.services import claims
from clients.templatetags.portal import is_undelivered

# What a change writes, by the aspect of its operation, in the words of `AppClient.drift`.
WRITES = {"scopes": {"scopes"}, "settings": {"name", "access_token_seconds"}}
DRIFT = {
    "name": "the name",
    "scopes": "the scopes",
    "access_token_seconds": "the token validity",
    "flow": "the client-credentials flow",
    "secrets": "its secrets",
    "document": "the published attributes",
}


@dataclass(frozen=True)
class Fix:
    """The one thing to do: the words of a link and where it leads."""

    words: str
    path: str


@dataclass(frozen=True)
class Check:
    state: str  # done, todo, now
    title: str
    why: str = ""
    at: datetime | None = None
    otherwise: str = "Not yet"  # in place of a time while it is not done
    fix: Fix | None = None

    @property
    def is_done(self) -> bool:
        return self.state == "done"


def drift_in_words(app_client: AppClient, change: Operation | None = None) -> str:
    """Why Cognito holds something else. `change`: what the portal itself has not brought there (yet)."""
    if app_client.drift == ["missing"]:
        return "Cognito does not know this client any more. Somebody deleted it outside the portal."
    strange = "Cognito holds a secret that the portal did not make." if "strangers" in app_client.drift else ""
    if names := [name for name in app_client.drift if name != "strangers"]:
        different = ", ".join(DRIFT.get(name, name) for name in names)
        whose = ". Somebody changed it outside the portal."
        if change and set(names) <= _written_by(change):
            whose = ": the portal’s own change is not there."
        return f"In Cognito {different} differ from what stands here{whose} {strange}".strip()
    if strange:
        return strange
    if change and _written_by(change):
        return "The last change is not in Cognito yet." if change.is_live else "The last change did not reach Cognito."
    return "" if app_client.observed_at else "Not compared yet; the portal looks within minutes."


def _written_by(change: Operation) -> set[str]:
    return set(DRIFT) if change.aspect == EVERYTHING else WRITES.get(change.aspect, set())


def scopes_there(app_client: AppClient, change: Operation | None) -> list[str]:
    """The scopes the next token is issued for: those Cognito holds, where a change of ours is not there yet or
    somebody changed them outside."""
    observed = (app_client.observed or {}).get("scopes")
    differs = "scopes" in app_client.drift or (change is not None and "scopes" in _written_by(change))
    if differs and observed is not None:
        return list(observed)
    return list(app_client.scopes.values_list("full_name", flat=True))


def checklist(user: User, app_client: AppClient, change: Operation | None, *, has_fixes: bool = True) -> list[Check]:
    """In the order it has to come true. `has_fixes`: with links to what this person may do about it."""
    fixes = _fixes(user, app_client) if has_fixes else {}
    scopes, undelivered = scopes_there(app_client, change), is_undelivered(app_client)
    why_not, made = claims.why_not_in_token(app_client), app_client.client_id is not None
    is_allowed = app_client.status != Status.PAUSED and "flow" not in app_client.drift
    drift = drift_in_words(app_client, change) if made else "It is compared once it exists."
    delivered = [s.delivered_at for s in app_client.secrets.all() if s.delivered_at]

    def check(name: str, is_done: bool, title: str, why: str = "", at: datetime | None = None) -> Check:
        if is_done:
            return Check("done", title, why, at)
        return Check("todo", title, why, otherwise="No" if made and name in ("asks", "ends") else "Not yet",
                     fix=fixes.get(name))  # fmt: skip

    return [
        check("pool", bool(app_client.pool.token_url), "The pool has a token URL",
              "" if app_client.pool.token_url else "The pool has no domain yet, so nobody can ask for a token."),
        check("made", made, "The app client exists in Cognito", "" if made else _why_not_made(change),
              app_client.created_at),
        check("asks", made and is_allowed, "It may ask for tokens",
              "" if is_allowed or not made else _why_none(app_client)),
        check("scopes", bool(scopes), "Scopes are allowed",
              f"{len(scopes)} of 50 scopes" if scopes else "Without a scope every token request fails."),
        check("delivered", made and not undelivered and bool(delivered), "The secret is delivered",
              "It waits sealed until somebody is shown it." if undelivered else "", max(delivered, default=None)),
        check("ends", not app_client.is_expired, "The secret has not ended", _why_ended(app_client)),
        check("same", made and not drift, "It matches Cognito", drift, app_client.observed_at),
        check("claims", not why_not, "The attributes reach the token", why_not),
        check("token", app_client.last_token_at is not None, "A first token was issued", _why_unused(app_client),
              app_client.last_token_at),
    ]  # fmt: skip


def _fixes(user: User, app_client: AppClient) -> dict[str, Fix]:
    """What this person may do about each check that is open."""

    def fix(words: str, route: str) -> Fix:
        return Fix(words, reverse(route, args=[app_client.public_id]))

    found: dict[str, Fix] = {}
    if app_client.client_id is None:
        return found
    if differing := _of_drift(user, app_client):
        found["same"] = fix(*differing)
    if permissions.can_change_scopes(user) and app_client.is_changeable:
        found["scopes"] = fix("Choose scopes", "client-scopes")
    if permissions.can_resume_client(user) and app_client.status == Status.PAUSED:
        found["asks"] = fix("Resume client", "client-resume")
    if permissions.can_send_handover(user):
        found["delivered"] = fix("Hand over", "handover-create")
    if permissions.can_rotate_secret(user) and app_client.status == Status.ACTIVE:
        found["ends"] = fix("Rotate secret", "secret-rotate")
    if permissions.can_get_token(user) and app_client.status != Status.PAUSED:
        found["token"] = fix("Get a token", "client-token")
    return found


def _of_drift(user: User, app_client: AppClient) -> tuple[str, str] | None:
    """(words, route) of where what differs in Cognito is looked at."""
    may_change = permissions.can_change_scopes(user) and app_client.is_changeable
    if may_change and "scopes" in app_client.drift:
        return "Review scopes", "client-scopes"
    if may_change and {"name", "access_token_seconds"} & set(app_client.drift):
        return "Review settings", "client-settings"
    return ("Look at the secrets", "client-secrets") if "strangers" in app_client.drift else None


def _why_not_made(change: Operation | None) -> str:
    if change and not change.is_live:
        return "Creating it did not succeed, and does not go on by itself."
    return "It is being created."


def _why_none(app_client: AppClient) -> str:
    if app_client.status == Status.PAUSED:
        return "Paused: nobody gets a token until it is resumed."
    return "Somebody took the client-credentials flow away in Cognito."


def _why_ended(app_client: AppClient) -> str:
    return app_client.expired_means if app_client.is_expired else ""


def _why_unused(app_client: AppClient) -> str:
    if app_client.last_token_at:
        return ""
    if not app_client.pool.reports_use:
        return "Not available: only the portal’s trigger reports tokens, and the pool does not run it."
    if app_client.pool.is_use_stale:
        return "Not available: the usage table cannot be read at present."
    return "Never used so far."
