"""A client at a glance: is it in order, where it asks for tokens, what the next one will carry."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from clients import permissions
from clients.models import AppClient, Operation, Status
from clients.services import claims
from clients.services.usage import KEPT_DAYS
from clients.templatetags.portal import is_undelivered
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, person, signed_in

WASTEFUL = 3  # times what one server needs: a few servers may share a client
REMAINING = (
    ("create", "Create the app client in Cognito", "Its secret was made and sealed here before, so none can be lost."),
    ("settle", "Look for leftovers", "An answer was lost on its way; whatever else that request made is removed."),
    ("list-secrets", "Learn the secret’s id", "Needed to rotate it later."),
    ("publish", "Publish the attributes", "The trigger reads them when a token is asked for."),
)


@dataclass(frozen=True)
class Check:
    state: str  # done, todo, now
    title: str
    why: str = ""
    at: datetime | None = None
    otherwise: str = "Not yet"  # in place of a time while it is not done

    @property
    def is_done(self) -> bool:
        return self.state == "done"


@dataclass(frozen=True)
class Traffic:
    """Tokens issued on each of the last thirty days in UTC, today last; `needed` is what one server needs in a day."""

    first: date
    per_day: list[int]
    needed: int

    @property
    def today(self) -> int:
        return self.per_day[-1]

    @property
    def yesterday(self) -> int:
        return self.per_day[-2]

    @property
    def is_wasteful(self) -> bool:
        return self.yesterday > WASTEFUL * self.needed

    @property
    def words(self) -> str:
        busiest = f"{max(self.per_day):,} on the busiest day"
        return f"Tokens issued on each of {len(self.per_day)} days: {self.today:,} today, {busiest}"


def traffic(app_client: AppClient) -> Traffic | None:
    """None while no token was ever issued."""
    if not app_client.tokens_per_day:
        return None
    today = timezone.now().astimezone(UTC).date()
    days = [today - timedelta(days=KEPT_DAYS - 1 - n) for n in range(KEPT_DAYS)]
    per_day = [app_client.tokens_per_day.get(day.strftime("%Y%m%d"), 0) for day in days]
    return Traffic(days[0], per_day, ceil(86_400 / app_client.access_token_seconds))


@signed_in("GET")
def client_overview(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    scopes = list(app_client.scopes.values_list("full_name", flat=True))
    operation = app_client.operations.first()
    # Errors of AWS are the staff's business; members see how far it is.
    is_told = operation is not None and operation.state != "done" and person(request).is_staff_member
    checks = checklist(app_client, scopes)
    context = {
        "checks": checks,
        "done": sum(check.is_done for check in checks),
        "preview": claims.preview(
            app_client.pool, app_client.tenant, claims.overrides_of(app_client), scopes=scopes, app_client=app_client,
            access_token_seconds=app_client.access_token_seconds,
        ),
        "why_not": claims.why_not_in_token(app_client), "traffic": traffic(app_client),
        "operation": operation if is_told else None,
        "remaining": remaining(operation) if app_client.status == Status.CREATING else [],
        "may_retry": permissions.can_retry_operation(person(request)),
    }  # fmt: skip
    return client_page(request, app_client, "overview", context)


def remaining(operation: Operation | None) -> list[Check]:
    """The steps of creating, as far as the operation has come."""
    was_unknown = operation is not None and operation.was_unknown
    shown = [line for line in REMAINING if was_unknown or line[0] != "settle"]
    names = [name for name, _, _ in shown]
    at = names.index(operation.step) if operation and operation.step in names else 0
    states = ["done" if n < at else "now" if n == at else "todo" for n in range(len(shown))]
    return [Check(state, title, why) for state, (_, title, why) in zip(states, shown, strict=True)]


def _why_none(app_client: AppClient) -> str:
    if app_client.status == Status.PAUSED:
        return "Paused: nobody gets a token until it is resumed."
    return "Somebody took the client-credentials flow away in Cognito."


DRIFT = {
    "name": "the name",
    "scopes": "the scopes",
    "access_token_seconds": "the token validity",
    "flow": "the client-credentials flow",
    "secrets": "its secrets",
    "document": "the published attributes",
}


def drift_in_words(app_client: AppClient) -> str:
    if app_client.drift == ["missing"]:
        return "Cognito does not know this client any more. Somebody deleted it outside the portal."
    if app_client.drift:
        different = ", ".join(DRIFT.get(name, name) for name in app_client.drift)
        return f"In Cognito {different} differ from what stands here. Somebody changed it outside the portal."
    return "" if app_client.observed_at else "Not compared yet; the portal looks within minutes."


def checklist(app_client: AppClient, scopes: list[str]) -> list[Check]:
    """What a first token needs, in the order it has to come true."""
    undelivered, why_not = is_undelivered(app_client), claims.why_not_in_token(app_client)
    made = app_client.client_id is not None
    is_allowed = app_client.status != Status.PAUSED and "flow" not in app_client.drift
    is_in_sync = app_client.observed_at is not None and not app_client.drift
    held = f"{len(scopes)} of 50 scopes"
    delivered = [s.delivered_at for s in app_client.secrets.all() if s.delivered_at]

    def check(is_done: bool, title: str, why: str = "", at: datetime | None = None) -> Check:
        return Check("done" if is_done else "todo", title, why, at if is_done else None)

    return [
        check(bool(app_client.pool.token_url), "The pool has a token URL",
              "" if app_client.pool.token_url else "The pool has no domain yet, so nobody can ask for a token."),
        check(made, "The app client exists in Cognito", "" if made else "It is being created.", app_client.created_at),
        Check("done" if made and is_allowed else "todo", "It may ask for tokens",
              _why_none(app_client) if made and not is_allowed else "", otherwise="No" if made else "Not yet"),
        check(bool(scopes), "Scopes are allowed", held if scopes else "Without a scope every token request fails."),
        check(made and not undelivered and bool(delivered), "The secret is delivered",
              "It waits sealed until somebody is shown it." if undelivered else "", max(delivered, default=None)),
        check(is_in_sync, "It matches Cognito", drift_in_words(app_client),
              app_client.observed_at),
        check(not why_not, "The attributes reach the token", why_not),
        check(app_client.last_token_at is not None, "A first token was issued",
              "" if app_client.last_token_at else "Never used so far.", app_client.last_token_at),
    ]  # fmt: skip
