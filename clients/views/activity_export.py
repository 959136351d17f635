"""The trail as CSV for spreadsheets and as JSON Lines for machines: what the filters leave, all of it."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from clients import permissions
from clients.forms.activity import ActivityFilter
from clients.models import AuditEntry, User
from clients.services.exports import record_activity_export
from clients.views.activity import shown_to
from clients.views.exports import csv_lines
from clients.views.fetching import need, person, signed_in
from clients.views.words import WORDS

AT_ONCE = 500
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}


@signed_in("GET")
def activity_export(request: HttpRequest, form: str) -> HttpResponseBase:
    user = person(request)
    need(user, permissions.can_see_activity)
    filters = ActivityFilter(request.GET, user=user, actions=WORDS)
    found = filters.apply(shown_to(user))
    told = {name: str(value) for name, value in filters.chosen.items()}
    own = record_activity_export(found.count(), actor=user, form=form, filters=told)
    entries = found.filter(sequence__lt=own).order_by("sequence").iterator(chunk_size=AT_ONCE)
    rows = (_row(entry, user) for entry in entries)
    headers = {
        "Content-Disposition": f'attachment; filename="activity-{timezone.now():%Y-%m-%d}.{form}"',
        "Cache-Control": "no-store",
    }
    lines = _as_csv(rows) if form == "csv" else (f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return StreamingHttpResponse(lines, content_type=TYPES[form], headers=headers)


def _row(entry: AuditEntry, user: User) -> dict[str, Any]:
    """One entry with the ids its hash is made of, and their names as of today. Members learn neither the addresses
    staff work from nor their e-mail."""
    origin = getattr(entry, "origin", None) if user.is_staff_member else None
    actor, app_client = entry.actor, entry.app_client
    return {
        "sequence": entry.sequence, "at": entry.at.isoformat(), "actor_id": entry.actor_id, "actor": str(actor or ""),
        "actor_email": actor.email if actor and user.is_staff_member else "", "via": entry.via,
        "action": entry.action, "outcome": entry.outcome, "operation_id": entry.operation_id,
        "app_client_id": entry.app_client_id, "client": app_client.name if app_client else "",
        "client_id": (app_client.client_id or "") if app_client else "", "tenant_id": entry.tenant_id,
        "tenant": entry.tenant.slug if entry.tenant else "", "pool_id": entry.pool_id,
        "pool": entry.pool.environment if entry.pool else "", "reason": entry.reason, "detail": entry.detail,
        "address": (origin.address or "") if origin else "", "agent": origin.agent if origin else "",
        "previous_hash": entry.previous_hash, "hash": entry.hash,
    }  # fmt: skip


def _as_csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    first = next(rows, None)
    if first is not None:
        yield from csv_lines(first, (_cells(row) for row in chain([first], rows)))


def _cells(row: dict[str, Any]) -> list[str]:
    told = row | {"detail": json.dumps(row["detail"], ensure_ascii=False, sort_keys=True)}
    return ["" if cell is None else str(cell) for cell in told.values()]
