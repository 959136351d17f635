"""The engine: intent, one remote call per step, outcome; resume, back off, give up visibly. Knows no noun."""

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from clients.errors import AuditUnavailable, Conflict, OutcomeUnknown, PortalError, Throttled
from clients.models import LIVE, AppClient, Operation, OperationState, Outcome, Priority, User, is_overtaken
from clients.models.ids import new_ulid
from clients.services import audit, restores
from clients.services.crash import crash
from clients.services.pool_lease import LONGEST_LOOK, LONGEST_WAIT, pool_lease

logger = logging.getLogger(__name__)
MOST_ATTEMPTS = 25
LONGEST_PAUSE = timedelta(seconds=300)
URGENT = timedelta(seconds=10)  # so long the process of an emergency goes on by itself
# And for so long nobody gives it up: its many quick attempts are over in seconds, a secret may need minutes to work.
PATIENT = timedelta(hours=1)

# Runs in the outcome transaction, writes the facts, returns what the audit entry tells.
Record = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """`act(operation, unknown)` makes at most one remote write and returns what to record. `unknown`: an earlier
    attempt may have been applied, so look first."""

    name: str
    act: Callable[[Operation, bool], Record]
    writes_to_pool: bool
    after_unknown: bool = False  # only for operations that once had an outcome nobody knew


KINDS: dict[str, list[Step]] = {}


def step(
    kind: str, name: str, *, writes_to_pool: bool = False, after_unknown: bool = False
) -> Callable[[Callable[[Operation, bool], Record]], Any]:
    """Registers a step; the order of registration is the order of the steps."""

    def register(act: Callable[[Operation, bool], Record]) -> Callable[[Operation, bool], Record]:
        KINDS.setdefault(kind, []).append(Step(name, act, writes_to_pool, after_unknown))
        return act

    return register


class LeaseLost(Exception):
    """Somebody else drives this operation now; whatever we learned is theirs to find out."""


def run_once(
    operation_id: str, kind: str, params: dict[str, Any], actor: User, write: Callable[[], Operation]
) -> Operation:
    """Writes the intent in one transaction and drives it. A second click at the same moment gets the first one's
    operation instead of being told that somebody was faster."""
    try:
        with transaction.atomic():
            operation = write()
    except (Conflict, IntegrityError):
        if repeated := find_repeated(operation_id, kind, params, actor):
            return repeated
        raise
    return drive(operation)


def hash_params(params: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def find_repeated(operation_id: str, kind: str, params: dict[str, Any], actor: User) -> Operation | None:
    """The operation a double click already started. Raises Conflict when the id was used for something else."""
    earlier = Operation.objects.filter(pk=operation_id).first()
    if earlier is None:
        return None
    if (earlier.kind, earlier.params_hash, earlier.actor_id) != (kind, hash_params(params), actor.pk):
        raise Conflict("This form was already used for another change. Open it again and repeat what you wanted.")
    return earlier


def begin(
    operation_id: str,
    kind: str,
    *,
    target: str,
    params: dict[str, Any],
    actor: User,
    via: str,
    told: dict[str, Any] | None = None,
    **fields: Any,
) -> Operation:
    """Writes the intent: the row, leased to the caller, and the audit entry "started". Inside the caller's transaction.

    `params` is what the person asked for and tells a repeated form from another one; `told` is kept beside it for the
    trail. Raises Conflict when the target has a live operation already, and in restore mode.
    """
    restores.refuse_while_on()
    try:
        with transaction.atomic(savepoint=False):  # a Conflict undoes the caller's whole transaction anyway
            operation = Operation.objects.create(
                id=operation_id,
                kind=kind,
                target=target,
                params=params | (told or {}),
                params_hash=hash_params(params),
                actor=actor,
                via=via,
                step=KINDS[kind][0].name,
                lease_token=new_ulid(),
                lease_until=_lease_end(),
                attempts=1,
                **fields,
            )
    except IntegrityError:
        raise Conflict("Another change to this is still under way. Wait until it is done, then try again.") from None
    _audit(operation, Outcome.STARTED, {"params": operation.params})
    return operation


def _lease_end(*, looking: bool = False):
    """Longer than a step can take: waiting for the pool, three calls up to their timeout, a margin, and a long look."""
    seconds = LONGEST_WAIT + 3 * settings.COGNITO_TIMEOUT_SECONDS + settings.UNKNOWN_OUTCOME_MARGIN_SECONDS
    return timezone.now() + timedelta(seconds=seconds + (LONGEST_LOOK if looking else 0))


def longest_lease() -> timedelta:
    return _lease_end(looking=True) - timezone.now() + timedelta(seconds=1)


def _audit(operation: Operation, outcome: Outcome, detail: dict[str, Any]) -> None:
    audit.append(
        operation.kind,
        outcome,
        actor=operation.actor,
        via=operation.via,
        app_client=operation.app_client,
        pool=operation.pool,
        operation=operation,
        reason=operation.reason,
        detail=detail,
    )


def drive(operation: Operation, *, unknown: bool = False) -> Operation:
    """Takes a leased operation as far as it goes now. Returns it as it stands: done, waiting, refused or given up."""
    try:
        while operation.is_live:
            if _attempt(operation, unknown):
                unknown = False
                continue
            if (again := _claim_urgent(operation)) is None:
                break
            unknown = again
    except LeaseLost:
        logger.warning("operation %s: lease lost at step %s", operation.id, operation.step)
        operation.refresh_from_db()
    except AuditUnavailable:
        # The intent stands in the trail and the call was made: nobody may read that nothing was done. The row is left
        # as it was, so a worker looks what came of it once the lease is over.
        logger.exception("operation %s: its outcome at step %s could not be recorded", operation.id, operation.step)
        operation.refresh_from_db()
    return operation


def _claim_urgent(operation: Operation) -> bool | None:
    """An emergency that AWS put off is tried again here, while the person waits; None for anything else."""
    now = timezone.now()
    if operation.priority != Priority.EMERGENCY or operation.state != OperationState.WAITING:
        return None
    pause = (operation.next_try_at - now).total_seconds()
    if operation.step_in_flight or now - operation.created_at > URGENT:
        return None
    time.sleep(max(pause, 0))
    return claim(operation)


def _attempt(operation: Operation, unknown: bool) -> bool:
    """One step: the remote call without a transaction, then its outcome. True when the operation advanced."""
    point = f"{operation.kind}:{operation.step}"
    crash("calling:" + point)
    try:
        current = _step_of(operation)
        record = _call(operation, current, unknown)
    except PortalError as error:
        _record_failure(operation, error, unknown)
        return False
    except Exception as error:
        _record_failure(operation, _defect(operation, error), unknown)
        return False
    crash("answered:" + point)
    try:
        _record_success(operation, current, record, unknown)
    except LeaseLost:
        raise
    except Exception as error:  # of any kind: AWS has done it and we could not write it down, so look again later
        _record_failure(operation, _defect(operation, error), unknown)
        return False
    crash("recorded:" + point)
    return True


def _defect(operation: Operation, error: Exception) -> OutcomeUnknown:
    """A mistake of ours as an outcome we do not know: the operation must not be lost with it."""
    logger.exception("operation %s failed at step %s", operation.id, operation.step)
    sentence = "The portal made a mistake here. It is logged and will be tried again."
    return OutcomeUnknown(sentence, technical=repr(error))


def _step_of(operation: Operation) -> Step:
    """Raises Throttled for a step this process does not know: during a deploy an older worker may meet newer rows."""
    for known in KINDS.get(operation.kind, []):
        if known.name == operation.step:
            return known
    raise Throttled(
        "This process does not know this step: it runs an older or a newer version. Another worker goes on.",
        technical=f"{operation.kind}:{operation.step}",
    )


def _call(operation: Operation, current: Step, unknown: bool) -> Record:
    if not current.writes_to_pool:
        return current.act(operation, unknown)
    with pool_lease(operation.pool, looking=unknown or operation.was_unknown, priority=operation.priority):
        return current.act(operation, unknown)


def _hold(operation: Operation, changes: dict[str, Any]) -> None:
    """Compare-and-set: writes only while the lease is ours and the step unchanged. Raises LeaseLost."""
    mine = Operation.objects.filter(
        pk=operation.pk, lease_token=operation.lease_token, step=operation.step, state__in=LIVE
    )
    if mine.update(**changes) != 1:
        raise LeaseLost


def _remember(operation: Operation, changes: dict[str, Any]) -> None:
    """The row in memory follows once the transaction is through: one that broke must not leave traces here."""
    for name, value in changes.items():
        setattr(operation, name, value)


def _record_success(operation: Operation, current: Step, record: Record, unknown: bool) -> None:
    steps = KINDS[operation.kind]
    following = [s for s in steps[steps.index(current) + 1 :] if operation.was_unknown or not s.after_unknown]
    now = timezone.now()
    changes: dict[str, Any] = {"last_error": "", "last_error_code": "", "technical": ""}
    if following:
        changes |= {"step": following[0].name, "step_in_flight": True, "step_started_at": now, "attempts": 1}
        changes |= {"lease_until": _lease_end(looking=operation.was_unknown)}
    else:
        changes |= {"state": OperationState.DONE, "step_in_flight": False, "finished_at": now, "lease_until": now}
    with transaction.atomic():
        _hold(operation, changes)
        detail = record() | {"step": current.name}
        if unknown:
            _audit(operation, Outcome.RESOLVED, detail)
        if not following:
            _audit(operation, Outcome.OK, detail)
    _remember(operation, changes)


def _record_failure(operation: Operation, error: PortalError, unknown: bool) -> None:
    """Waiting (with when), refused or given up; the caller's next attempt learns whether to look first."""
    now = timezone.now()
    is_unknown = isinstance(error, OutcomeUnknown)
    again = is_unknown or isinstance(error, Throttled)
    state = OperationState.WAITING if again else OperationState.REFUSED
    if again and _is_tired(operation, now):
        state = OperationState.GIVEN_UP
    pause = min(2.0 ** min(operation.attempts, 30), LONGEST_PAUSE.total_seconds()) * random.uniform(0.5, 1)
    if operation.priority == Priority.EMERGENCY:
        # Short and the same for as long as the process goes on by itself, then as for anybody else.
        pause = random.uniform(0.05, 0.2) if now - operation.created_at < URGENT else min(pause, 5.0)
    if is_unknown:
        # The lost request may still be on its way: conclude nothing before its timeout and a margin have passed.
        pause = max(pause, settings.COGNITO_TIMEOUT_SECONDS + settings.UNKNOWN_OUTCOME_MARGIN_SECONDS)
    changes: dict[str, Any] = {
        "state": state,
        "step_in_flight": unknown or is_unknown,
        "was_unknown": operation.was_unknown or is_unknown,
        "lease_until": now,
        "next_try_at": now + timedelta(seconds=pause),
        "last_error": error.sentence[:500] if state in LIVE or not again else _gave_up(error, operation.attempts),
        "last_error_code": error.code,
        "technical": error.technical,
        "finished_at": None if state in LIVE else now,
    }
    with transaction.atomic():
        _hold(operation, changes)
        if state not in LIVE and operation.app_client_id:  # what it wanted may stand here and not there: look soon
            AppClient.objects.filter(pk=operation.app_client_id).update(observe_after=None)
        detail = {"step": operation.step, "error": error.code, "technical": error.technical}
        if is_unknown and not unknown:
            _audit(operation, Outcome.UNKNOWN, detail)
        if state not in LIVE:
            _audit(operation, Outcome.FAILED, detail | {"given_up": state == OperationState.GIVEN_UP})
    _remember(operation, changes)


def _is_tired(operation: Operation, now: datetime) -> bool:
    if operation.priority == Priority.EMERGENCY and now - operation.created_at < PATIENT:
        return False
    return operation.attempts >= MOST_ATTEMPTS


def _gave_up(error: PortalError, attempts: int) -> str:
    return f"{error.sentence[:400]} After {attempts} attempts the portal has stopped trying."


def claim(operation: Operation) -> bool | None:
    """Takes a due operation for this process. None: another was faster. Else whether its step's outcome is unknown."""
    now, token = timezone.now(), new_ulid()
    free = Operation.objects.filter(pk=operation.pk, attempts=operation.attempts).live().unleased(longest_lease())
    free = free.filter(step=operation.step, step_in_flight=operation.step_in_flight)
    taken = free.update(
        state=OperationState.RUNNING,
        lease_token=token,
        lease_until=_lease_end(looking=operation.step_in_flight),
        attempts=operation.attempts + 1,
        step_in_flight=True,
        step_started_at=now,
        was_unknown=operation.was_unknown or operation.step_in_flight,
    )
    if not taken:
        return None
    unknown = operation.step_in_flight
    operation.refresh_from_db(
        fields=["state", "lease_token", "lease_until", "attempts", "step_in_flight", "step_started_at", "was_unknown"]
    )
    return unknown


def resume_due(limit: int = 50) -> int:
    """Drives what is due, most urgent first. Returns how many operations were taken up."""
    if restores.is_on():
        return 0
    due = Operation.objects.due(longest_lease(), LONGEST_PAUSE)
    due = due.select_related("actor", "app_client__pool", "app_client__tenant", "pool")
    return sum(_resume(operation) for operation in due[:limit])


def _resume(operation: Operation) -> bool:
    """One operation's trouble is its own: whatever escapes is logged, its lease runs out, the next one has its turn."""
    try:
        unknown = claim(operation)
        if unknown is None:
            return False
        drive(operation, unknown=unknown)
    except Exception:
        logger.exception("operation %s: driving it failed", operation.id)
        return False
    return True


def retry_operation(operation: Operation, *, actor: User, via: str = "web") -> Operation:
    """Puts a waiting, refused or given-up operation on again, now. Refused when its target has another live one, or a
    later one: what was wished for then may not be what is wished for now."""
    now = timezone.now()
    restores.refuse_while_on()
    if operation.is_overruled or Operation.objects.filter(pk=operation.pk).filter(is_overtaken()).exists():
        raise Conflict("There was a later change to this. Look at what it is now, and change that if you need to.")
    settle = settings.COGNITO_TIMEOUT_SECONDS + settings.UNKNOWN_OUTCOME_MARGIN_SECONDS
    if operation.step_in_flight and operation.step_started_at + timedelta(seconds=settle) > now:
        raise Conflict(
            "The last request may still be on its way. The portal looks and goes on by itself in a few seconds."
        )
    with transaction.atomic():
        stopped = Operation.objects.filter(pk=operation.pk).unleased(longest_lease()).exclude(state=OperationState.DONE)
        try:
            changed = stopped.update(state=OperationState.WAITING, next_try_at=now, attempts=0, finished_at=None)
        except IntegrityError:
            raise Conflict("Another change to this is under way. Wait until it is done.") from None
        if not changed:
            raise Conflict("This operation is being worked on or is done already.")
        operation.refresh_from_db()
        audit.append(
            "operation:retry",
            Outcome.OK,
            actor=actor,
            via=via,
            app_client=operation.app_client,
            pool=operation.pool,
            operation=operation,
        )
    unknown = claim(operation)
    return operation if unknown is None else drive(operation, unknown=unknown)
