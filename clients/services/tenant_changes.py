"""Pausing, resuming and off-boarding a tenant: its clients follow one by one, as operations of their own."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from clients.errors import Conflict, InvalidInput, PortalError
from clients.models import (
    AppClient,
    Handover,
    Invitation,
    Operation,
    OperationState,
    Outcome,
    Rotation,
    Status,
    Tenant,
    TenantChange,
    TenantChangeKind,
    TenantStatus,
    User,
)
from clients.models.ids import new_ulid
from clients.models.operations import OperationQuerySet
from clients.services import audit, restores, secrets
from clients.services.client_states import DELETE as CLIENT_DELETE
from clients.services.client_states import PAUSE as CLIENT_PAUSE
from clients.services.client_states import delete_client, pause_client, resume_client

logger = logging.getLogger(__name__)
PAUSE = timedelta(seconds=30)
VIA = "portal, tenant"
Kind = TenantChangeKind
# What each kind starts from, what the tenant is from then on, and what happens to each client still to follow.
FROM = {
    Kind.PAUSE: (TenantStatus.ACTIVE,),
    Kind.RESUME: (TenantStatus.PAUSED,),
    Kind.OFF_BOARD: (TenantStatus.ACTIVE, TenantStatus.PAUSED),
}
BECOMES = {
    Kind.PAUSE: TenantStatus.PAUSED,
    Kind.RESUME: TenantStatus.ACTIVE,
    Kind.OFF_BOARD: TenantStatus.OFF_BOARDED,
}
ACT: dict[str, Callable[..., Operation]] = {
    Kind.PAUSE: pause_client,
    Kind.RESUME: resume_client,
    Kind.OFF_BOARD: delete_client,
}


def start_change(
    tenant: Tenant, kind: str, *, actor: User, reason: str, typed: str = "", via: str = "web"
) -> TenantChange:
    """The tenant is paused, resumed or off-boarded from here on; the worker takes its clients along.

    Off-boarding also ends its members' access, open invitations and hand-overs at once, and wants the slug typed.
    Refused: no reason, wrong slug (InvalidInput), a state it cannot start from or another change going on (Conflict).
    The same person starting the same again gets the change that is going on.
    """
    going_on = TenantChange.objects.filter(tenant=tenant, kind=kind, started_by=actor, finished_at__isnull=True)
    if repeated := going_on.first():  # a double click is the same change
        return repeated
    problems: dict[str, list[str]] = {}
    if not reason.strip():
        problems["reason"] = ["Give a reason: it stands in the trail of the tenant and of each of its clients."]
    if kind == Kind.OFF_BOARD and typed.strip() != tenant.slug:
        problems["typed"] = [f"Type {tenant.slug} to confirm: its clients are deleted for good."]
    if problems:
        raise InvalidInput(problems)
    try:
        with transaction.atomic():
            return _write_start(tenant, TenantChangeKind(kind), actor, reason.strip()[:500], via)
    except IntegrityError:
        raise Conflict(f"{tenant} is being changed already. Wait until that is done.") from None


def _write_start(tenant: Tenant, kind: TenantChangeKind, actor: User, reason: str, via: str) -> TenantChange:
    startable = Tenant.objects.filter(pk=tenant.pk, status__in=FROM[kind])
    if not startable.update(status=BECOMES[kind]):
        raise Conflict(f"{tenant} is {tenant.get_status_display().lower()}: this cannot be done now.")
    change = TenantChange.objects.create(tenant=tenant, kind=kind, reason=reason, started_by=actor)
    detail: dict[str, Any] = {"clients": to_follow(change).count()}
    if kind == Kind.OFF_BOARD:
        members = User.objects.filter(tenant=tenant, is_active=True)
        detail["members"] = members.update(is_active=False, session_epoch=F("session_epoch") + 1)
        open_ones = Invitation.objects.filter(tenant=tenant, accepted_at__isnull=True, revoked_at__isnull=True)
        detail["invitations"] = open_ones.update(revoked_at=timezone.now())
        offered = Handover.objects.filter(app_client__tenant=tenant)
        detail["handovers"] = secrets.withdraw_offers(offered, actor=actor, via=via)
    audit.append(f"tenant:{kind}", Outcome.OK, actor=actor, via=via, tenant=tenant, reason=reason, detail=detail)
    tenant.status = BECOMES[kind]
    if not to_follow(change).exists() and not _unfinished(change):
        _finish(change)  # a tenant without clients waits for no worker
    return change


def to_follow(change: TenantChange) -> QuerySet[AppClient]:
    """Clients this change has not reached yet."""
    rows = AppClient.objects.present().filter(tenant=change.tenant)
    if change.kind == Kind.PAUSE:  # a creation that was given up gets no tokens anyway
        creating = Q(status=Status.CREATING, operations__in=Operation.objects.live())
        return rows.filter(creating | Q(status__in=[Status.ACTIVE, Status.ROTATING])).distinct()
    return _paused_with(change.tenant, rows) if change.kind == Kind.RESUME else rows


def _paused_with(tenant: Tenant, rows: QuerySet[AppClient]) -> QuerySet[AppClient]:
    """Those that this tenant's last pause paused. One paused by hand before stays so, and so does one that an emergency
    stopped or somebody tried to delete: what took its tokens last was not the tenant's pause."""
    began = TenantChange.objects.filter(tenant=tenant, kind=Kind.PAUSE).order_by("-started_at").values("started_at")[:1]
    stops = Operation.objects.filter(app_client=OuterRef("pk"), kind__in=(CLIENT_PAUSE, CLIENT_DELETE))
    emergencies = Rotation.objects.filter(app_client=OuterRef("pk"), stops_tokens=True, started_at__gt=OuterRef("at"))
    last = stops.order_by("-created_at")
    rows = rows.filter(status=Status.PAUSED).annotate(
        by=Subquery(last.values("kind")[:1]), via=Subquery(last.values("via")[:1]),
        at=Subquery(last.values("created_at")[:1]),
    )  # fmt: skip
    return rows.filter(~Exists(emergencies), by=CLIENT_PAUSE, via=VIA, at__gte=Subquery(began))


# --- What the worker does ------------------------------------------------------------------------


def advance_due(limit: int = 5) -> int:
    """Takes each tenant's change a client further; how many moved."""
    if restores.is_on():
        return 0
    due = TenantChange.objects.filter(finished_at__isnull=True, next_try_at__lte=timezone.now())
    return sum(advance(change) for change in due.select_related("tenant", "started_by")[:limit])


def advance(change: TenantChange) -> bool:
    """One client, or the end. One that cannot follow now is named, and the others have their turn."""
    stuck = ""
    for app_client in to_follow(change).select_related("pool", "tenant").order_by("pk"):
        why = _take_along(change, app_client)
        if not why:
            return True
        stuck = f"{app_client.name}: {why}"
    stuck = stuck or _unfinished(change)
    if stuck:
        TenantChange.objects.filter(pk=change.pk).update(last_error=stuck[:500], next_try_at=timezone.now() + PAUSE)
        return False
    return bool(_finish(change))


def _begun(change: TenantChange) -> OperationQuerySet:
    return Operation.objects.filter(via=VIA, app_client__tenant=change.tenant, created_at__gte=change.started_at)


def _take_along(change: TenantChange, app_client: AppClient) -> str:
    """Begins the client's own operation; empty when it is on its way, else why not. One that Cognito refused is not
    begun again by itself: somebody has to look, and *Try again* is there for that."""
    ended = _begun(change).filter(app_client=app_client).order_by("-created_at").first()
    try:
        if ended is None or ended.state == OperationState.DONE:
            said = {"actor": change.started_by, "reason": change.reason, "via": VIA}
            ended = ACT[change.kind](app_client, operation_id=new_ulid(), **said)
            if ended.is_live or ended.state == OperationState.DONE:
                return ""
    except PortalError as error:
        return error.sentence
    return ended.told


def _unfinished(change: TenantChange) -> str:
    """A client whose change Cognito has not got yet, and why."""
    first = _begun(change).not_made_good().select_related("app_client").first()
    return f"{first.app_client}: {first.told}" if first else ""


def _finish(change: TenantChange) -> int:
    with transaction.atomic():
        going = TenantChange.objects.filter(pk=change.pk, finished_at__isnull=True)
        done = going.update(finished_at=timezone.now(), last_error="")
        if done:
            action = f"tenant:{change.kind}_done"
            audit.append(action, Outcome.OK, actor=None, via="portal", tenant=change.tenant, reason=change.reason)
        return done
