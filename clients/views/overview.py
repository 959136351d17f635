"""A client at a glance: is it in order, where it asks for tokens, what the next one will carry."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from math import ceil
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from clients import permissions
from clients.models import AppClient, Operation, OperationState, Status
from clients.services import claims
from clients.services.usage import KEPT_DAYS
from clients.views.checklist import Check, checklist, scopes_there
from clients.views.client_page import client_page, unfinished
from clients.views.fetching import acting, get_app_client, person, signed_in

WASTEFUL = 3  # times what one server needs: a few servers may share a client
REMAINING = (
    ("create", "Create the app client in Cognito", "Its secret was made and sealed here before, so none can be lost."),
    ("settle", "Look for leftovers", "An answer was lost on its way; whatever else that request made is removed."),
    ("list-secrets", "Learn the secret’s id", "Needed to rotate it later."),
    ("publish", "Publish the attributes", "The trigger reads them when a token is asked for."),
)


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
    if app_client.status == Status.DELETED:
        return client_page(request, app_client, "deleted", _end_of(app_client))
    change = unfinished(app_client)
    checks = checklist(person(request), app_client, change, has_fixes=acting(request) is None)
    context = {
        "checks": checks,
        "done": sum(check.is_done for check in checks),
        "preview": claims.preview(
            app_client.pool, app_client.tenant, claims.overrides_of(app_client), app_client=app_client,
            scopes=scopes_there(app_client, change), access_token_seconds=app_client.access_token_seconds,
        ),
        "why_not": claims.why_not_in_token(app_client), "traffic": traffic(app_client),
        "remaining": remaining(change) if app_client.status == Status.CREATING else [],
        "may_rotate": permissions.can_rotate_secret(person(request)) and app_client.status == Status.ACTIVE,
    }  # fmt: skip
    return client_page(request, app_client, "overview", context)


def _end_of(app_client: AppClient) -> dict[str, Any]:
    """When it was deleted and by whom, and until when tokens issued before may still be taken for good."""
    deleted = app_client.operations.filter(kind="client:delete", state=OperationState.DONE).first()
    at = deleted.finished_at if deleted else None
    return {"deleted": deleted, "tokens_until": app_client.tokens_until(at) if at else None}


def remaining(operation: Operation | None) -> list[Check]:
    """The steps of creating, as far as the operation has come."""
    was_unknown = operation is not None and operation.was_unknown
    shown = [line for line in REMAINING if was_unknown or line[0] != "settle"]
    names = [name for name, _, _ in shown]
    at = names.index(operation.step) if operation and operation.step in names else 0
    states = ["done" if n < at else "now" if n == at else "todo" for n in range(len(shown))]
    return [Check(state, title, why) for state, (_, title, why) in zip(states, shown, strict=True)]
