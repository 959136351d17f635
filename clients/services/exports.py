"""Lists taken out of the portal: who took how much of what."""

from typing import Any

from django.db import transaction

from clients.models import Outcome, User
from clients.services import audit


def record_activity_export(count: int, *, actor: User, form: str, filters: dict[str, Any], via: str = "web") -> int:
    """The same for the trail itself; returns the number of this entry, which the export ends before."""
    with transaction.atomic():
        detail = {"count": count, "form": form, "filter": filters}
        return audit.append(
            "activity:export", Outcome.OK, actor=actor, via=via, tenant=actor.tenant, detail=detail
        ).sequence  # fmt: skip


def record_client_export(count: int, *, actor: User, filters: dict[str, Any], via: str = "web") -> None:
    """The export is in the audit trail before its first line leaves; if that cannot be written, nothing leaves."""
    with transaction.atomic():
        audit.append(
            "client:export", Outcome.OK, actor=actor, via=via, tenant=actor.tenant,
            detail={"count": count, "filter": filters},
        )  # fmt: skip
