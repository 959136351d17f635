"""Reminding of ends before they come: of a secret's, and of an overlap's nobody has finished."""

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from clients.errors import Conflict, refuse
from clients.models import (
    AppClient,
    Outcome,
    Reminder,
    ReminderKind,
    Role,
    Rotation,
    RotationState,
    Status,
    User,
    UserPool,
)
from clients.services import audit, clocks, restores
from clients.services.mail import send_reminder

logger = logging.getLogger(__name__)

DAYS = (30, 14, 7, 3, 1, 0)
SOON, LATER = timedelta(minutes=5), timedelta(hours=1)
LONGEST = timedelta(days=365)


@dataclass(frozen=True)
class Due:
    """What is to be reminded of now: an end, and which of the days before it this is."""

    app_client: AppClient
    kind: ReminderKind
    ends_at: datetime
    days: int
    rotation: Rotation | None = None


def stage_of(ends_at: datetime, now: datetime) -> int | None:
    """The reminder that is due: the smallest of the days that are still left, 0 from the day itself on."""
    left = max(math.ceil((ends_at - now) / timedelta(days=1)), 0)
    return next((days for days in sorted(DAYS) if days >= left), None)


def next_look(ends_at: datetime, now: datetime) -> datetime:
    """When the one after that is due; long after the end there is none."""
    coming = [ends_at - timedelta(days=days) for days in DAYS]
    return next((moment for moment in coming if moment > now), now + LONGEST)


def send_due(limit: int = 50) -> int:
    """Mails what is due to the contact and to the customer, with one link to the step; how many mails. Nothing by a
    clock that differs from that of AWS."""
    now = timezone.now()
    if restores.is_on():
        return 0
    rows = AppClient.objects.present().exclude(status=Status.CREATING)
    rows = rows.filter(Q(remind_at=None) | Q(remind_at__lte=now), expires_at__isnull=False)
    rows = rows.select_related("pool", "tenant__contact", "contact").order_by("expires_at", "pk")
    waits: dict[int, timedelta | None] = {}  # by pool, asked once
    sent = _one_by_one(rows[:limit], lambda app_client: _look_at(app_client, now, waits))
    open_ones = Rotation.objects.filter(state=RotationState.OPEN, ends_at__lte=now + timedelta(days=max(DAYS)))
    open_ones = open_ones.filter(Q(remind_at=None) | Q(remind_at__lte=now))
    related = ("app_client__pool", "app_client__tenant__contact", "app_client__contact", "started_by", "old_secret")
    overlaps = open_ones.select_related(*related)[:limit]
    return sent + _one_by_one(overlaps, lambda rotation: _look_at_overlap(rotation, now, waits))


def _one_by_one(rows: QuerySet[Any], look: Callable[[Any], int]) -> int:
    """One that cannot be looked at keeps nobody behind it from being reminded; it is looked at again later."""
    sent = 0
    for row in rows:
        try:
            sent += look(row)
        except Exception:
            logger.exception("nobody is reminded of %s", row)
            rows.model.objects.filter(pk=row.pk).update(remind_at=timezone.now() + LATER)
    return sent


def _wait(pool: UserPool, waits: dict[int, timedelta | None]) -> timedelta | None:
    """None when the clock can be trusted. Else for how long nothing is sent, counted from what this clock says; less
    than nothing where it is ahead, for by the right one the moment must not lie far away."""
    if pool.pk not in waits:
        ahead = clocks.ahead(pool)
        waits[pool.pk] = None if clocks.is_tolerable(ahead) else SOON - (ahead or timedelta(0))
    return waits[pool.pk]


def _look_at(app_client: AppClient, now: datetime, waits: dict[int, timedelta | None]) -> int:
    ends_at, sent = app_client.expires_at, 0
    assert ends_at is not None  # noqa: S101  (the query asked for it)
    look = next_look(ends_at, now)
    if app_client.reminders_after and app_client.reminders_after > now:
        look = app_client.reminders_after
    elif (days := stage_of(ends_at, now)) is not None and not _is_rotating(app_client):
        if (wait := _wait(app_client.pool, waits)) is not None:
            AppClient.objects.filter(pk=app_client.pk).update(remind_at=now + wait)
            return 0
        sent, is_whole = _send(Due(app_client, ReminderKind.EXPIRY, ends_at, days))
        look = look if is_whole else now + LATER
    AppClient.objects.filter(pk=app_client.pk, expires_at=ends_at).update(remind_at=look)
    return sent


def _is_rotating(app_client: AppClient) -> bool:
    """Then the overlap is what there is to remind of."""
    return Rotation.objects.filter(app_client=app_client, state=RotationState.OPEN).exists()


def _look_at_overlap(rotation: Rotation, now: datetime, waits: dict[int, timedelta | None]) -> int:
    ends_at, sent = rotation.ends_at, 0
    assert ends_at is not None  # noqa: S101  (an open one has an end)
    look, days = next_look(ends_at, now), stage_of(ends_at, now)
    # Nobody is reminded of what they have just been told: only days that began after the rotation did.
    if days is not None and ends_at - timedelta(days=days) > rotation.started_at + LATER:
        if (wait := _wait(rotation.app_client.pool, waits)) is not None:
            Rotation.objects.filter(pk=rotation.pk).update(remind_at=now + wait)
            return 0
        sent, is_whole = _send(Due(rotation.app_client, ReminderKind.OVERLAP, ends_at, days, rotation))
        look = look if is_whole else now + LATER
    Rotation.objects.filter(pk=rotation.pk, ends_at=ends_at).update(remind_at=look)
    return sent


def addressees(app_client: AppClient, rotation: Rotation | None = None) -> list[str]:
    """The contact, or who began the rotation; and the customer: the tenant's managers, else its recorded address."""
    tenant = app_client.tenant
    own = app_client.contact or tenant.contact or (rotation.started_by if rotation else None)
    managers = User.objects.filter(tenant=tenant, role=Role.MANAGER, is_active=True).order_by("pk")
    theirs = [person.email for person in managers] or ([tenant.contact_email] if tenant.contact_email else [])
    return list(dict.fromkeys(([own.email] if own and own.is_active else []) + theirs))


def _send(due: Due) -> tuple[int, bool]:
    """(how many mails, whether all that were to be sent are)."""
    sent, is_whole = 0, True
    for email in addressees(due.app_client, due.rotation):
        key = {"app_client": due.app_client, "kind": due.kind, "ends_at": due.ends_at, "days": due.days}
        mark = hashlib.sha256(email.encode()).hexdigest()
        try:
            with transaction.atomic():
                row = Reminder.objects.create(**key, to_hash=mark)
        except IntegrityError:
            continue  # sent before
        if send_reminder(due.app_client, due.kind, due.ends_at, due.days, email):
            sent += 1
        else:  # the mail server took nothing, so it may be tried again
            row.delete()
            is_whole = False
    if sent:
        detail = {"kind": due.kind, "days": due.days, "mails": sent, "ends_at": due.ends_at.isoformat()}
        with transaction.atomic():
            audit.append(
                "reminder:send", Outcome.OK, actor=None, via="portal", app_client=due.app_client, detail=detail
            )
    return sent, is_whole


def postpone(app_client: AppClient, *, until: datetime | None, reason: str, actor: User, via: str = "web") -> None:
    """No reminder of this end before `until`, none at all of it with None; the end itself stays. Refused: no reason, a
    moment that is over or more than a year ahead (InvalidInput), a client without an end (Conflict)."""
    now = timezone.now()
    if app_client.expires_at is None:
        raise Conflict("The secret of this client has no end, so nobody is reminded of it.")
    problems = {"reason": [] if reason.strip() else ["Say why: the next one who looks will ask."]}
    if until is not None and not now < until <= now + LONGEST:
        problems["until"] = ["Choose a day within the next year."]
    refuse(problems)
    after = until or max(app_client.expires_at, now) + LONGEST
    with transaction.atomic():
        AppClient.objects.filter(pk=app_client.pk).update(
            reminders_after=after, reminders_reason=reason.strip()[:200], remind_at=None
        )
        detail = {"until": until.isoformat() if until else "for good", "ends_at": app_client.expires_at.isoformat()}
        audit.append(
            "reminder:postpone", Outcome.OK, actor=actor, via=via, app_client=app_client, reason=reason.strip(),
            detail=detail,
        )  # fmt: skip
