"""Rotating a secret: a new one beside the old one, tested before anybody sees it, the old one removed on evidence."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from clients.errors import Conflict, InvalidInput, NotReady, refuse
from clients.models import (
    AppClient,
    Operation,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
    User,
)
from clients.services import secrets
from clients.services.evidence import hold_rotations, note
from clients.services.operations import begin, find_repeated, run_once
from clients.services.secret_records import alive_secrets, foreign_sentence
from clients.services.secret_steps import CANCEL, FINISH, ROTATE

SHORTEST = 1  # hour
# Cancelling: also one whose operation was given up, and again when taking the new secret away was.
FROM = {
    FINISH: (RotationState.OPEN,),
    CANCEL: (RotationState.STARTING, RotationState.OPEN, RotationState.CANCELLING),
}
AUTOMATICALLY = "portal, overlap over"
ONLY_ONE_SHOWN = "The new secret is the only one anybody was shown: the customer would be left without one. Finish it."


# --- Start ---------------------------------------------------------------------------------------


def check_overlap(app_client: AppClient, hours: int) -> list[str]:
    most = app_client.tenant.overlap_hours_max
    if SHORTEST <= hours <= most:
        return []
    return [f"Choose between {SHORTEST} and {most} hours, as the policy of {app_client.tenant} allows."]


def start_rotation(
    app_client: AppClient, *, actor: User, operation_id: str, overlap_hours: int, reason: str = "", via: str = "web",
    **how: Any,
) -> Operation:  # fmt: skip
    """A second secret of ours is in Cognito, sealed here, and accepted by the token endpoint; the first one goes on
    working for `overlap_hours` and longer, until somebody or the tenant's policy removes it. The client ID stays.

    Refused: hours outside the policy (InvalidInput), two secrets there already, a client that is not active, another
    rotation under way (Conflict), a pool without a token URL (NotReady). A failure midway leaves the old secret as it
    is; a new one that is never accepted is removed again. Source: cognito_facts section 2, failure_model section 3.
    """
    params = {"client": app_client.public_id, "overlap_hours": overlap_hours}
    if repeated := find_repeated(operation_id, ROTATE, params, actor):
        return repeated
    refuse({"overlap_hours": check_overlap(app_client, overlap_hours)})
    rows = AppClient.objects.select_related("pool", "tenant")
    secret_to_rotate(rows.get(pk=app_client.pk))
    new = secrets.seal_new_secret(app_client, actor=actor)

    def write() -> Operation:
        fresh = rows.get(pk=app_client.pk)
        old = secret_to_rotate(fresh)
        rotation = _write_start(fresh, old, new, actor, overlap_hours, reason)
        told = {"rotation": rotation.public_id, "old": old.ending}
        return begin(
            operation_id, ROTATE, target=f"client:{fresh.public_id}", params=params, told=told, actor=actor, via=via,
            pool=fresh.pool, app_client=fresh, reason=rotation.reason, aspect="secrets", **how,
        )  # fmt: skip

    return run_once(operation_id, ROTATE, params, actor, write)


def secret_to_rotate(app_client: AppClient) -> Secret:
    """The one secret there is. Raises Conflict, NotReady with the sentence that says why no rotation starts now."""
    if app_client.status == Status.PAUSED:
        raise Conflict("The client is paused, so nobody could see that a new secret works. Resume it first.")
    if app_client.status not in (Status.ACTIVE, Status.ROTATING) or not app_client.client_id:
        raise Conflict(f"The client is {app_client.get_status_display().lower()}: no rotation can start now.")
    if not app_client.pool.token_url:
        raise NotReady("The pool has no token URL, so a new secret cannot be tested before it is handed over.")
    alive = alive_secrets(app_client)
    if len(alive) > 1:
        both = " and ".join(f"…{secret.ending}" for secret in alive)
        raise Conflict(f"Two secrets are there already, {both}. Finish or cancel the rotation under way first.")
    if app_client.foreign_secrets:
        raise Conflict(foreign_sentence(app_client.foreign_secrets))
    if not alive:
        raise Conflict("The portal knows no secret of this client.")
    return alive[0]


def _write_start(
    app_client: AppClient, old: Secret, new: Secret, actor: User, overlap_hours: int, reason: str
) -> Rotation:
    new.save(force_insert=True)
    begun = {
        "state": RotationState.STARTING, "new_secret": new, "overlap_hours": overlap_hours, "started_by": actor,
        "started_at": timezone.now(), "last_error": "",
    }  # fmt: skip
    asked_for = Rotation.objects.filter(app_client=app_client, state=RotationState.REQUESTED).first()
    if asked_for:  # somebody who holds a spent link asked for it; staff starts it now
        if not Rotation.objects.filter(pk=asked_for.pk, state=RotationState.REQUESTED).update(**begun):
            raise Conflict("Somebody else has just started this rotation.")
        asked_for.refresh_from_db()
        return asked_for
    try:
        with transaction.atomic():
            reason = reason.strip()[:500]
            return Rotation.objects.create(app_client=app_client, old_secret=old, reason=reason, **begun)
    except IntegrityError:
        raise Conflict("A rotation of this client is under way already. Its page says how far it is.") from None


def request_rotation(secret: Secret, reason: str) -> Rotation | None:
    """A rotation that waits for staff, once per client; None when one is under way. Inside the caller's transaction,
    which writes the audit entry."""
    try:
        with transaction.atomic():
            return Rotation.objects.create(
                app_client=secret.app_client, old_secret=secret, state=RotationState.REQUESTED, reason=reason
            )
    except IntegrityError:
        return None


def dismiss_request(rotation: Rotation, *, actor: User, reason: str, via: str = "web") -> None:
    """Nothing is rotated: staff found that it is not needed. Refused: no reason, or one that has begun."""
    refuse({"reason": [] if reason.strip() else ["Say why: the next one who looks will ask."]})
    now = timezone.now()
    with transaction.atomic():
        waiting = Rotation.objects.filter(pk=rotation.pk, state=RotationState.REQUESTED)
        if not waiting.update(state=RotationState.CANCELLED, finished_at=now):
            raise Conflict("This rotation has begun, or was dismissed already.")
        note("dismiss", rotation, actor, via, reason)


# --- While both work -------------------------------------------------------------------------------


def extend_overlap(rotation: Rotation, *, hours: int, actor: User, via: str = "web") -> datetime:
    """Both work for so many hours more, until the last second; returns until when. Refused: longer than the policy
    allows, counted from now (InvalidInput), a rotation that is being finished or is over (Conflict)."""
    now = timezone.now()
    with transaction.atomic():
        fresh = Rotation.objects.select_related("app_client__tenant", "old_secret").get(pk=rotation.pk)
        ends_at = max(fresh.ends_at or now, now) + timedelta(hours=hours)
        most = fresh.app_client.tenant.overlap_hours_max
        if hours < SHORTEST or ends_at > now + timedelta(hours=most):
            raise InvalidInput({"hours": [f"Both may work for at most {most} hours from now on."]})
        same = Rotation.objects.filter(pk=fresh.pk, state=RotationState.OPEN, ends_at=fresh.ends_at)
        if not same.update(ends_at=ends_at, remind_at=None, last_error=""):
            raise Conflict("This rotation was changed just now, or is over. Look at it again.")
        note("extend", fresh, actor, via, hours=hours, both_until=ends_at.isoformat())
    return ends_at


# --- Finish and cancel -----------------------------------------------------------------------------


def finish_rotation(
    rotation: Rotation, *, actor: User, operation_id: str, typed: str = "", reason: str = "", via: str = "web"
) -> Operation:
    """The old secret is gone from Cognito; the new one is the client's only one.

    On evidence that it is in use; else an override of staff: `typed` the old secret's ending, and `reason`
    (InvalidInput). Refused in any case (Conflict) while nobody was shown the new one: the old one is then all the
    customer holds. Before it is removed Cognito is asked whether the new one is there. Tokens issued live on.
    """
    old = rotation.old_secret
    if not rotation.has_evidence:
        problems = {"typed": [] if typed.strip() == old.ending else [f"Type {old.ending}: evidence is missing."]}
        problems["reason"] = [] if reason.strip() else ["Say why it is removed without evidence."]
        refuse(problems)
    return _end(rotation, FINISH, RotationState.FINISHING, actor, operation_id, reason, via)


def cancel_rotation(
    rotation: Rotation, *, actor: User, operation_id: str, typed: str = "", reason: str = "", via: str = "web"
) -> Operation:
    """The new secret is gone from Cognito and here; the one before works on, unchanged. When the customer has said
    that the new one is in use: `typed` its ending, and `reason` (InvalidInput). Refused (Conflict) when it is the only
    one that anybody was shown."""
    new = rotation.new_secret
    if rotation.acknowledged_at and new:
        problems = {"typed": [] if typed.strip() == new.ending else [f"Type {new.ending}: the customer uses it."]}
        problems["reason"] = [] if reason.strip() else ["Say why a secret is removed that is in use."]
        refuse(problems)
    return _end(rotation, CANCEL, RotationState.CANCELLING, actor, operation_id, reason, via)


def _end(
    rotation: Rotation, kind: str, state: RotationState, actor: User, operation_id: str, reason: str, via: str
) -> Operation:
    params = {"rotation": rotation.public_id}
    if repeated := find_repeated(operation_id, kind, params, actor):
        return repeated

    def write() -> Operation:
        hold_rotations(rotation.app_client_id)
        app_client = AppClient.objects.select_related("pool", "tenant").get(pk=rotation.app_client_id)
        mine = Rotation.objects.filter(pk=rotation.pk, state__in=FROM[kind])
        if kind == FINISH:
            mine = mine.filter(new_secret__delivered_at__isnull=False)
            if not rotation.has_evidence or via == AUTOMATICALLY:
                # What the person saw must still be so: an acknowledgement that came meanwhile is no surprise, an
                # overlap that was extended is one.
                mine = mine.filter(ends_at=rotation.ends_at)
        if kind == CANCEL:  # nor may one go that came into use meanwhile, nor the only one that anybody holds
            mine = mine.filter(acknowledged_at=rotation.acknowledged_at)
            mine = mine.exclude(new_secret__delivered_at__isnull=False, old_secret__delivered_at=None)
        if not mine.update(state=state, **({"last_error": ""} if kind == FINISH else {})):
            raise Conflict(_why_not(rotation, kind))
        if kind == CANCEL:
            _hold_back(rotation)
        told = {"old": rotation.old_secret.ending, "new": rotation.new_secret.ending if rotation.new_secret else ""}
        return begin(
            operation_id, kind, target=f"client:{app_client.public_id}", params=params, told=told, actor=actor,
            via=via, pool=app_client.pool, app_client=app_client, reason=reason.strip()[:500], aspect="secrets",
        )  # fmt: skip

    return run_once(operation_id, kind, params, actor, write)


def _hold_back(rotation: Rotation) -> None:
    """Nobody is shown what is about to go. It may have been shown since it was looked at: then it is all there is."""
    unseen = Secret.objects.filter(app_client=rotation.app_client_id, state=SecretState.NEW, delivered_at=None)
    unseen.update(state=SecretState.PENDING)
    shown = Rotation.objects.filter(pk=rotation.pk, new_secret__delivered_at__isnull=False)
    if shown.filter(old_secret__delivered_at=None).exists():
        raise Conflict(ONLY_ONE_SHOWN)


def _why_not(rotation: Rotation, kind: str) -> str:
    fresh = Rotation.objects.select_related("old_secret", "new_secret").get(pk=rotation.pk)
    if fresh.is_open and kind == FINISH and fresh.new_secret and not fresh.new_secret.delivered_at:
        return "Nobody was shown the new secret yet: the old one is all the customer has. Hand over the new one first."
    if fresh.is_open and kind == CANCEL and not fresh.old_secret.delivered_at:
        return ONLY_ONE_SHOWN
    if fresh.is_open:
        return "This rotation was changed just now. Look at it again."
    return f"This cannot be done now: {fresh.get_state_display().lower()}."
