"""Restore mode: the database is an old one and AWS is ahead, so the portal only reports until a person has looked."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from clients.errors import Conflict, refuse
from clients.models import AppClient, Outcome, Restore, Secret, Status, User, UserPool
from clients.services import audit

SENTENCE = (
    "The database was restored from a backup, so the portal changes nothing in AWS until an administrator has looked "
    "at the differences and ended restore mode."
)


def is_on() -> bool:
    return Restore.objects.filter(cleared_at=None).exists()


def refuse_while_on() -> None:
    """Raises Conflict."""
    if is_on():
        raise Conflict(SENTENCE)


def enter(*, reason: str, actor: User | None, via: str) -> Restore:
    """From here on nothing is changed in AWS, nothing is published, and no secret is shown: it may have been shown
    since the backup. Everything is compared anew. Refused: no reason (InvalidInput), on already (Conflict)."""
    refuse({"reason": [] if reason.strip() else ["Say what was restored, and from when."]})
    try:
        with transaction.atomic():
            found = Restore.objects.create(reason=reason.strip()[:500])
            AppClient.objects.update(observe_after=None)
            UserPool.objects.update(compared_at=None)
            audit.append("restore:enter", Outcome.OK, actor=actor, via=via, reason=found.reason)
    except IntegrityError:
        raise Conflict("Restore mode is on already.") from None
    return found


def leave(*, actor: User, reason: str, via: str = "web") -> None:
    """The portal works again: what it owns it repairs, what waits goes on. Refused: no reason (InvalidInput), clients
    or pools not compared since (Conflict), or off already."""
    refuse({"reason": [] if reason.strip() else ["Say what you found, and what you did about it."]})
    if left := not_compared():
        raise Conflict(f"Not everything is compared with Cognito yet: {left} to go. The worker does it by itself.")
    with transaction.atomic():
        if not Restore.objects.filter(cleared_at=None).update(cleared_at=timezone.now(), cleared_by=actor):
            raise Conflict("Restore mode is off already.")
        audit.append("restore:leave", Outcome.OK, actor=actor, via=via, reason=reason.strip())


def not_compared() -> int:
    """How many clients and pools nobody has compared since restore mode is on."""
    since = Restore.objects.filter(cleared_at=None).values_list("noticed_at", flat=True).first()
    if since is None:
        return 0
    clients = AppClient.objects.filter(client_id__isnull=False).exclude(status__in=[Status.CREATING, Status.DELETED])
    clients = clients.filter(Q(observed_at=None) | Q(observed_at__lt=since))
    return clients.count() + UserPool.objects.filter(Q(compared_at=None) | Q(compared_at__lt=since)).count()


@dataclass(frozen=True)
class Difference:
    """One thing that stands otherwise in AWS. `what`: facts that differ, by name."""

    kind: str
    what: list[str]
    app_client: AppClient | None = None
    secret: Secret | None = None
    pool: UserPool | None = None
    foreign: dict[str, Any] | None = None


def differences() -> list[Difference]:
    """All of them: clients that differ or are missing, secrets and clients nobody knows here, and sealed secrets that
    may have been shown since the backup."""
    found = []
    rows = AppClient.objects.select_related("tenant", "pool").order_by("name", "pk")
    for app_client in rows.exclude(drift=[]).exclude(status=Status.DELETED):
        kind = "missing" if app_client.drift == ["missing"] else "differs"
        if names := [name for name in app_client.drift if name != "strangers"]:  # those stand each by itself below
            found.append(Difference(kind, names, app_client))
    for app_client in rows.exclude(foreign_secrets=[]):
        found.append(Difference("secret", list(app_client.foreign_secrets), app_client))
    for pool in UserPool.objects.exclude(foreign_clients=[]):
        found += [Difference("client", [], pool=pool, foreign=each) for each in pool.foreign_clients]
    sealed = Secret.objects.undelivered().filter(sealed_value__isnull=False).select_related("app_client__tenant")
    return found + [Difference("sealed", [], each.app_client, each) for each in sealed.order_by("pk")]
