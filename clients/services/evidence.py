"""What shows that a secret arrived, and that the new one of a rotation is in use."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from clients.errors import Conflict
from clients.models import Outcome, Rotation, RotationState, Secret, SecretState, User
from clients.services import audit


def mark_stored(secret: Secret, *, actor: User, via: str = "web") -> None:
    """Records "I've stored it" as evidence; the first one counts."""
    with transaction.atomic():
        hold_rotations(secret.app_client_id)
        first = Secret.objects.filter(pk=secret.pk, delivered_at__isnull=False, stored_at__isnull=True)
        if first.update(stored_at=timezone.now()):
            audit.append(
                "secret:stored",
                Outcome.OK,
                actor=actor,
                via=via,
                app_client=secret.app_client,
                detail={"ending": secret.ending},
            )
            acknowledge_stored(secret, actor=actor, via=via)


def acknowledge(rotation: Rotation, *, actor: User | None, via: str = "web") -> None:
    """The customer says that the new secret is in use: from here on the old one is the retiring one, and the overlap
    is counted anew, for it starts at evidence. The first one counts. Refused (Conflict): nobody was shown it yet, or
    the rotation is being ended or is over."""
    now = timezone.now()
    with transaction.atomic():
        first = Rotation.objects.filter(pk=rotation.pk, state=RotationState.OPEN, acknowledged_at=None)
        new = rotation.new_secret
        if new is None or not Secret.objects.filter(pk=new.pk, delivered_at__isnull=False).exists():
            raise Conflict("Nobody was shown the new secret yet, so nobody can use it.")
        counted_anew = Greatest(F("ends_at"), now + timedelta(hours=rotation.overlap_hours))
        is_first = first.update(acknowledged_at=now, acknowledged_by=actor, ends_at=counted_anew, remind_at=None)
        rotation.refresh_from_db(fields=["state", "acknowledged_at", "ends_at"])
        if rotation.acknowledged_at is None:
            raise Conflict(f"This cannot be said of it now: {rotation.get_state_display().lower()}.")
        if is_first:
            Secret.objects.filter(pk=new.pk).update(state=SecretState.CURRENT)
            Secret.objects.filter(pk=rotation.old_secret_id).update(state=SecretState.RETIRING)
            note(
                "acknowledge",
                rotation,
                actor,
                via,
                new=new.ending,
                both_until=rotation.ends_at.isoformat() if rotation.ends_at else "",
            )


def hold_rotations(app_client_id: int) -> None:
    """First in every transaction that ends or changes one: whoever waits then sees what the other did, and nobody holds
    the head of the trail while they wait (PostgreSQL; SQLite lets one writer in at a time)."""
    rows = Rotation.objects.select_for_update(no_key=True).filter(app_client=app_client_id).order_by("pk")
    list(rows.values_list("pk", flat=True))


def acknowledge_stored(secret: Secret, *, actor: User | None, via: str) -> None:
    """ "I've stored it" of a rotation's new secret says so too, from the customer: staff who received it speak for
    themselves. Inside the caller's transaction."""
    if actor is not None and actor.is_staff_member:
        return
    for rotation in Rotation.objects.filter(new_secret=secret, state=RotationState.OPEN, acknowledged_at=None):
        with suppress(Conflict):  # cancelled at this very moment: that it is stored is so all the same
            acknowledge(rotation, actor=actor, via=via)


def take_back_word(secret: Secret, *, via: str) -> None:
    """Whoever held the link of a rotation's new secret may have been anybody, so what they said of it is no evidence.
    What a signed-in member said stands. Inside the caller's transaction."""
    said = Rotation.objects.filter(new_secret=secret, state=RotationState.OPEN, acknowledged_at__isnull=False)
    for rotation in said.filter(acknowledged_by=None).select_related("app_client", "old_secret"):
        if said.filter(pk=rotation.pk, acknowledged_by=None).update(acknowledged_at=None, remind_at=None):
            Secret.objects.filter(pk=secret.pk).update(state=SecretState.NEW)
            Secret.objects.filter(pk=rotation.old_secret_id).update(state=SecretState.CURRENT)
            note("take_back", rotation, None, via, new=secret.ending)


def note(act: str, rotation: Rotation, actor: User | None, via: str, reason: str = "", **detail: Any) -> None:
    about = {"rotation": rotation.public_id, "old": rotation.old_secret.ending}
    audit.append(
        f"rotation:{act}", Outcome.OK, actor=actor, via=via, app_client=rotation.app_client, reason=reason,
        detail=about | detail,
    )  # fmt: skip
