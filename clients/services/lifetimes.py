"""How long a client's secret is meant to live: our own fact, Cognito knows no end."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from clients.errors import Conflict, refuse
from clients.models import AppClient, Outcome, SecretState, Status, User
from clients.services import audit, claims
from clients.services.app_clients import check_lifetime


def change_lifetime(
    app_client: AppClient, *, actor: User, generation: int, days: int | None, reason: str, via: str = "web"
) -> None:
    """The current secret ends `days` after it was made, or never, with a reason. Here alone: it goes on working in
    Cognito until it is removed. Refused: other lengths, no end without a reason, an end that has passed already
    (InvalidInput), a form older than the client (Conflict). Saving the same again is no act."""
    refuse({"secret_lifetime": check_change(app_client, days, reason)})
    if app_client.status in (Status.CREATING, Status.DELETED):
        raise Conflict(f"The client is {app_client.get_status_display().lower()}: this cannot be changed now.")
    if differs(app_client, days, reason):
        with transaction.atomic():
            claims.raise_generation(app_client, generation)
            write_lifetime(app_client, days, reason, actor=actor, via=via)


def check_change(app_client: AppClient, days: int | None, reason: str) -> list[str]:
    ends_at, problems = _end(app_client, days), check_lifetime(days, reason)
    if not problems and ends_at and ends_at <= timezone.now():
        problems = [f"It would have ended on {ends_at:%-d %b %Y}. Choose a longer one, or rotate the secret."]
    return problems


def differs(app_client: AppClient, days: int | None, reason: str) -> bool:
    return _before(app_client) != _after(days, reason)


def write_lifetime(app_client: AppClient, days: int | None, reason: str, *, actor: User, via: str) -> None:
    """The rows and their audit entry, inside a transaction of the caller, who also sees to the generation."""
    before, after, ends_at = _before(app_client), _after(days, reason), _end(app_client, days)
    AppClient.objects.filter(pk=app_client.pk).update(
        secret_lifetime_days=days,
        no_expiry_reason=after["reason"],
        expires_at=ends_at,
        remind_at=None,
        reminders_after=None,  # what was postponed or dismissed was another end
        reminders_reason="",
    )
    app_client.secrets.filter(state=SecretState.CURRENT).update(expires_at=ends_at)
    # The client takes over the end of this one as soon as it is the only one.
    newer = F("created_at") + timedelta(days=days) if days else None
    app_client.secrets.filter(state=SecretState.NEW).update(expires_at=newer)
    detail = {"before": before, "after": after}
    audit.append("client:change_lifetime", Outcome.OK, actor=actor, via=via, app_client=app_client, detail=detail)


def _before(app_client: AppClient) -> dict[str, Any]:
    return {"days": app_client.secret_lifetime_days, "reason": app_client.no_expiry_reason}


def _after(days: int | None, reason: str) -> dict[str, Any]:
    return {"days": days, "reason": "" if days else reason.strip()}


def _end(app_client: AppClient, days: int | None) -> datetime | None:
    """Counted from when the current secret was made."""
    current = app_client.secrets.filter(state=SecretState.CURRENT).first()
    return (current.created_at if current else app_client.created_at) + timedelta(days=days) if days else None
