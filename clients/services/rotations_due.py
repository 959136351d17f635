"""What the worker does with rotations: puts right what was given up, begins what waits, ends what the policy ends."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clients.errors import PortalError
from clients.models import Operation, Rotation, RotationState, Secret, SecretState, User
from clients.models.ids import new_ulid
from clients.services import clocks, restores, revocations
from clients.services.rotations import AUTOMATICALLY, CANCEL, FINISH, ROTATE, cancel_rotation, finish_rotation

logger = logging.getLogger(__name__)
PAUSE, LONG_PAUSE = timedelta(seconds=30), timedelta(hours=1)
VIA = "portal"
NEVER_WORKED = "The new secret was never accepted."


def advance_due(limit: int = 20) -> int:
    """How many moved. One's trouble is its own: it is written down there, and has its next turn later."""
    if restores.is_on():
        return 0
    now = timezone.now()
    soon = Q(next_try_at__lte=now) | Q(next_try_at__gt=now + 2 * LONG_PAUSE)  # by a clock that went wrong
    rows = Rotation.objects.filter(soon)
    rows = rows.select_related("app_client__pool", "app_client__tenant", "old_secret", "new_secret", "started_by")
    free = rows.exclude(app_client__operations__in=Operation.objects.live())
    between = (RotationState.STARTING, RotationState.FINISHING, RotationState.CANCELLING)
    over = free.filter(
        state=RotationState.OPEN, ends_at__lte=now, acknowledged_at__isnull=False, tested_at__isnull=False,
        app_client__tenant__removes_automatically=True, new_secret__delivered_at__isnull=False,
    )  # fmt: skip
    waiting = [
        *rows.filter(state=RotationState.REVOKING)[:limit],
        *free.filter(state__in=between)[:limit],
        *over[:limit],
    ]
    return sum(_advance(rotation) for rotation in waiting)


def _advance(rotation: Rotation) -> bool:
    try:
        return ADVANCE[RotationState(rotation.state)](rotation)
    except PortalError as error:
        _later(rotation, error.sentence, LONG_PAUSE)
    except Exception:
        logger.exception("rotation %s", rotation.public_id)
        _later(rotation, rotation.last_error, LONG_PAUSE)
    return False


def _later(rotation: Rotation, said: str, pause: timedelta) -> None:
    Rotation.objects.filter(pk=rotation.pk).update(last_error=said[:500], next_try_at=timezone.now() + pause)


def _last(rotation: Rotation, kind: str) -> Operation | None:
    own = Operation.objects.filter(app_client=rotation.app_client_id, params__rotation=rotation.public_id, kind=kind)
    return own.order_by("-created_at").first()


def _never_started(rotation: Rotation) -> bool:
    """Its operation was refused or given up: what there is of the new secret is taken away; the old one was never
    touched."""
    operation = _last(rotation, ROTATE)
    said = operation.last_error if operation else NEVER_WORKED
    cancel_rotation(rotation, actor=_starter(rotation), operation_id=new_ulid(), reason=said[:500], via=VIA)
    Rotation.objects.filter(pk=rotation.pk).update(last_error=said)
    return True


def _starter(rotation: Rotation) -> User:
    if rotation.started_by is None:
        raise ValueError(f"Rotation {rotation.pk} was begun by nobody.")
    return rotation.started_by


def _not_removed(rotation: Rotation) -> bool:
    """Both are there still. People decide again, but for a new secret that never worked: that one is tried again."""
    kind = FINISH if rotation.state == RotationState.FINISHING else CANCEL
    ended = _last(rotation, kind)
    if rotation.tested_at:
        said = ended.last_error if ended else ""
        with transaction.atomic():
            back = Rotation.objects.filter(pk=rotation.pk, state=rotation.state)
            # Not at once again where the policy ends it: what was refused now is refused in a second as well.
            later = timezone.now() + LONG_PAUSE
            found = back.update(state=RotationState.OPEN, last_error=said[:500], next_try_at=later)
            if found:  # what cancelling had kept from being shown
                held_back = Secret.objects.filter(app_client=rotation.app_client_id, state=SecretState.PENDING)
                held_back.update(state=SecretState.NEW)
        return bool(found)
    if ended and ended.created_at > timezone.now() - LONG_PAUSE:
        _later(rotation, ended.last_error, LONG_PAUSE)
        return False
    cancel_rotation(rotation, actor=_starter(rotation), operation_id=new_ulid(), reason=NEVER_WORKED, via=VIA)
    return True


def _begin_revocation(rotation: Rotation) -> bool:
    """One that had to wait for another change of the client; one that was refused or given up is people's to retry."""
    begun = _last(rotation, revocations.REVOKE)
    if begun:
        if not begun.is_live:
            _later(rotation, begun.last_error, LONG_PAUSE)
        return False
    params = {"secret": rotation.old_secret.public_id, "stop": rotation.stops_tokens}
    operation = revocations.begin_revocation(
        rotation, actor=_starter(rotation), operation_id=rotation.public_id, params=params, via=VIA
    )
    if operation is None:
        _later(rotation, "Another change of the client is being done just now.", timedelta(seconds=1))
    return operation is not None


def _overlap_over(rotation: Rotation) -> bool:
    """Never by this machine's clock alone: what is removed does not come back."""
    if not clocks.is_right(rotation.app_client.pool):
        _later(rotation, "The clock could not be compared with that of AWS, so nothing was removed.", PAUSE)
        return False
    finish_rotation(rotation, actor=_starter(rotation), operation_id=new_ulid(), via=AUTOMATICALLY)
    return True


ADVANCE = {
    RotationState.STARTING: _never_started,
    RotationState.FINISHING: _not_removed,
    RotationState.CANCELLING: _not_removed,
    RotationState.REVOKING: _begin_revocation,
    RotationState.OPEN: _overlap_over,
}
