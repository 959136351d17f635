"""Emergencies: a leaked secret is removed, at once and whatever else goes on; a replacement comes first if it is the
only one of ours that Cognito holds."""

import time
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from clients.errors import Conflict, Throttled, refuse
from clients.models import (
    AppClient,
    Operation,
    OperationState,
    Outcome,
    Priority,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
    User,
)
from clients.services import audit, claims, client_states, operations, restores, secrets
from clients.services import secret_records as records
from clients.services.app_clients import client_of
from clients.services.operations import Record, begin, drive, find_repeated, step
from clients.services.secret_records import alive_secrets, of_operation
from clients.services.secret_steps import NOT_YET, accepts, add_replacement, held_there, remove

REVOKE = "secret:revoke"
REVOKED_JUST_NOW = "A secret of this client is being revoked just now. Its page says how far that is."
PATIENCE = 3.0  # seconds for which the person waits for another change of the client to end


def revoke_secret(
    secret: Secret, *, actor: User, operation_id: str, reason: str, typed: str, stop_now: bool, via: str = "web"
) -> Rotation:
    """The secret is gone from Cognito; when it was the only one, another one of ours is there first, sealed, tested and
    ready to be handed over. `stop_now`: the client is paused before all else, so that no token comes by any path until
    it is resumed. A rotation under way ends with it; a resuming that waits is given up where tokens are to stop.

    Refused: no reason, another ending typed (InvalidInput), a client that is not there, a secret that was removed or
    that nobody has seen (Conflict). Tokens already issued live until they expire (cognito_facts section 2).
    """
    params = {"secret": secret.public_id, "stop": stop_now}
    if repeated := _repeated(operation_id, params, actor):
        return repeated
    problems = {"reason": [] if reason.strip() else ["Say what happened: the tenant will ask."]}
    problems["typed"] = [] if typed.strip() == secret.ending else [f"Type {secret.ending}, the secret's last four."]
    refuse(problems)
    restores.refuse_while_on()
    try:
        with transaction.atomic():
            rotation = _write(secret, actor, reason.strip()[:500], stop_now, via, operation_id)
    except IntegrityError:  # the same form, or another one, at this very moment
        if repeated := _repeated(operation_id, params, actor):
            return repeated
        raise Conflict(REVOKED_JUST_NOW) from None
    if rotation.stops_tokens:
        _deny_at_once(rotation.app_client)
    begin_revocation(rotation, actor=actor, operation_id=operation_id, params=params, via=via, patience=PATIENCE)
    rotation.refresh_from_db()
    return rotation


def _repeated(operation_id: str, params: dict[str, Any], actor: User) -> Rotation | None:
    """What the same form began, also when its operation has not begun yet."""
    if operation := find_repeated(operation_id, REVOKE, params, actor):
        return of_operation(operation)
    return Rotation.objects.filter(public_id=operation_id, started_by=actor).select_related("app_client__pool").first()


def _write(secret: Secret, actor: User, reason: str, stop_now: bool, via: str, operation_id: str) -> Rotation:
    app_client = AppClient.objects.select_related("pool", "tenant").get(pk=secret.app_client_id)
    if app_client.status in (Status.CREATING, Status.DELETED) or not app_client.client_id:
        raise Conflict(f"The client is {app_client.get_status_display().lower()}: there is nothing to revoke.")
    state = Secret.objects.values_list("state", flat=True).get(pk=secret.pk)
    if state == SecretState.RETIRED:
        raise Conflict(f"The secret ending {secret.ending} was removed before. Nothing works with it any more.")
    if state == SecretState.PENDING:
        raise Conflict("Nobody has seen this secret yet. Cancel its rotation instead.")
    now = timezone.now()
    overtaken = Rotation.objects.under_way().filter(app_client=app_client)
    if overtaken.filter(state=RotationState.REVOKING).exists():
        raise Conflict(REVOKED_JUST_NOW)
    overtaken.update(state=RotationState.CANCELLED, finished_at=now, last_error="An emergency took its place.")
    live = Operation.objects.live().filter(app_client=app_client)
    if live.filter(kind=client_states.DELETE).exists():
        raise Conflict("The client is being deleted just now. With it all of its secrets stop working.")
    rotation = Rotation.objects.create(
        public_id=operation_id, app_client=app_client, old_secret=secret,
        new_secret=_unfinished(app_client, secret), state=RotationState.REVOKING, is_emergency=True,
        stops_tokens=stop_now, reason=reason, started_by=actor,
    )  # fmt: skip
    if stop_now and app_client.status in (Status.ACTIVE, Status.ROTATING):
        client_states.set_status(app_client, Status.PAUSED)
    detail = {"ending": secret.ending, "stop_now": stop_now, "rotation": rotation.public_id}
    audit.append(
        "secret:emergency", Outcome.OK, actor=actor, via=via, app_client=app_client, reason=reason, detail=detail
    )
    return rotation


def _unfinished(app_client: AppClient, leaked: Secret) -> Secret | None:
    """One that a rotation has just begun to add: it replaces the leaked one."""
    pending = (held for held in alive_secrets(app_client) if held.state == SecretState.PENDING)
    return next((held for held in pending if held.pk != leaked.pk), None)


def _deny_at_once(app_client: AppClient) -> None:
    """Before and beside whatever else is done to the client; what fails is published by the operation or the worker."""
    fresh = AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk)
    deadline = time.monotonic() + PATIENCE
    while not claims.publish(fresh) and time.monotonic() < deadline:
        time.sleep(0.2)


# --- Its operation -----------------------------------------------------------------------------------


def begin_revocation(
    rotation: Rotation, *, actor: User, operation_id: str, params: dict[str, Any], via: str, patience: float = 0
) -> Operation | None:
    """Begins the operation and drives it; None while another change holds the client: the worker begins it then."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with transaction.atomic():
                target = take_over(f"client:{rotation.app_client.public_id}", stops=rotation.stops_tokens)
                operation = _begin(rotation, target, actor, operation_id, params, via) if target else None
        except Conflict:  # another process was faster: with something else, or with this very operation
            if begun := Operation.objects.filter(pk=operation_id).first():
                return begun
            operation = None
        if operation:
            return drive(operation)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.1)


def take_over(target: str, *, stops: bool) -> str:
    """The target to work on; "" while somebody is doing what an emergency must not meet. Such a one that waits is given
    up: a rotation's, and a resuming when tokens are to stop. Anything else goes on beside it, each with its turn on the
    pool."""
    live = Operation.objects.live().filter(target=target).first()
    if live is None:
        return target
    if live.aspect != "secrets" and not (stops and live.kind == client_states.RESUME):
        return f"{target}:emergency"
    waiting = Operation.objects.unleased(operations.longest_lease()).filter(
        pk=live.pk, state=OperationState.WAITING, attempts=live.attempts
    )
    now = timezone.now()
    said = "An emergency took its place. Look at the client, and try again if it is still wanted."
    if not waiting.update(state=OperationState.GIVEN_UP, finished_at=now, last_error=said):
        return ""
    audit.append(
        live.kind, Outcome.FAILED, actor=live.actor, via=live.via, app_client=live.app_client, pool=live.pool,
        operation=live, reason=live.reason, detail={"step": live.step, "given_up": True, "for": "emergency"},
    )  # fmt: skip
    return target


def _begin(
    rotation: Rotation, target: str, actor: User, operation_id: str, params: dict[str, Any], via: str
) -> Operation:
    app_client = AppClient.objects.select_related("pool", "tenant").get(pk=rotation.app_client_id)
    if rotation.stops_tokens and app_client.status in (Status.ACTIVE, Status.ROTATING):
        client_states.set_status(app_client, Status.PAUSED)  # a resuming that was under way came through meanwhile
    told = {"rotation": rotation.public_id, "ending": rotation.old_secret.ending}
    return begin(
        operation_id, REVOKE, target=target, params=params, told=told, actor=actor, via=via,
        pool=app_client.pool, app_client=app_client, reason=rotation.reason, aspect="secrets",
        priority=Priority.EMERGENCY, was_unknown=_may_be_there(rotation),
    )  # fmt: skip


def _may_be_there(rotation: Rotation) -> bool:
    """The replacement is one that an overtaken rotation may have added without learning of it."""
    new = rotation.new_secret
    if new is None or new.cognito_secret_id:
        return False
    return Rotation.objects.filter(new_secret=new).exclude(pk=rotation.pk).exists()


@step(REVOKE, "deny")
def _deny(operation: Operation, unknown: bool) -> Record:
    """Published before the operation began, as a rule."""
    is_denied = AppClient.objects.filter(operations=operation, published_version__gte=F("document_version")).exists()
    return dict if is_denied else client_states.publish(operation)


@step(REVOKE, "look")
def _look(operation: Operation, unknown: bool) -> Record:
    """Kept already where a resuming was given up for it: what it found may be either."""
    is_kept = AppClient.objects.filter(operations=operation, before_pause__isnull=False).exists()
    return client_states.keep_flows(operation) if of_operation(operation).stops_tokens and not is_kept else dict


@step(REVOKE, "take-flow", writes_to_pool=True)
def _take_flow(operation: Operation, unknown: bool) -> Record:
    return client_states.take_flow(operation) if of_operation(operation).stops_tokens else dict


@step(REVOKE, "compare")
def _compare(operation: Operation, unknown: bool) -> Record:
    """What Cognito holds decides, not what stood here at the click: a finishing or cancelling may have ended meanwhile,
    or somebody removed the other one in the console. When none of ours is left beside the leaked one, another is
    sealed."""
    rotation, app_client = of_operation(operation), client_of(operation)
    ids, strangers = held_there(app_client)
    foreign = [] if _may_be_there(rotation) else strangers  # before we add one, whatever nobody knows is foreign
    others = [held for held in alive_secrets(app_client) if held.pk != rotation.old_secret_id]
    gone = [held for held in others if held.cognito_secret_id and held.cognito_secret_id not in ids]
    is_last = len(gone) == len(others) and operation.actor is not None
    new = secrets.seal_new_secret(app_client, actor=operation.actor) if is_last else None
    return lambda: _record_there(rotation, gone, new, foreign, operation)


def _record_there(
    rotation: Rotation, gone: list[Secret], new: Secret | None, foreign: list[str], operation: Operation
) -> dict[str, Any]:
    """Other secrets that are gone there are gone here as well."""
    AppClient.objects.filter(pk=rotation.app_client_id).update(foreign_secrets=foreign)
    if new:
        new.save(force_insert=True)
    kept = None if rotation.new_secret in gone else rotation.new_secret
    Rotation.objects.filter(pk=rotation.pk).update(new_secret=new or kept)
    for secret in gone:
        records.retire(secret)
        audit.append(
            "secret:missing", Outcome.OK, actor=None, via="portal", app_client=rotation.app_client,
            operation=operation, detail={"ending": secret.ending},
        )  # fmt: skip
    return {"missing": [secret.ending for secret in gone]}


@step(REVOKE, "add", writes_to_pool=True)
def _add(operation: Operation, unknown: bool) -> Record:
    """First, for Cognito does not remove the last secret of a client (cognito_facts section 2). Beside a foreign one
    there is no room: that one stays, so the leaked one goes first."""
    return _add_where_there_is_room(operation)


def _add_where_there_is_room(operation: Operation) -> Record:
    rotation = of_operation(operation)
    if rotation.new_secret is None or rotation.new_secret.cognito_secret_id:
        return dict
    ids, strangers = held_there(client_of(operation))
    unknown = [secret_id for secret_id in strangers if secret_id not in rotation.app_client.foreign_secrets]
    if len(ids) > 1 and not unknown:
        return dict
    return add_replacement(operation, rotation, unknown)


@step(REVOKE, "remove", writes_to_pool=True)
def _remove(operation: Operation, unknown: bool) -> Record:
    rotation = of_operation(operation)
    remove(client_of(operation), rotation.old_secret.cognito_secret_id)
    return lambda: _record_removed(rotation)


def _record_removed(rotation: Rotation) -> dict[str, Any]:
    """Tokens of the leaked one live until `tokens_until`; a second secret that was there is the current one now."""
    records.note_removed(rotation, timezone.now())
    records.retire(rotation.old_secret)
    kept = [held for held in alive_secrets(rotation.app_client) if held.state != SecretState.PENDING]
    if kept:
        records.settle_on(rotation.app_client, kept[0])
    return {"removed": rotation.old_secret.ending}


@step(REVOKE, "add-after", writes_to_pool=True)
def _add_after(operation: Operation, unknown: bool) -> Record:
    return _add_where_there_is_room(operation)


@step(REVOKE, "test")
def _test(operation: Operation, unknown: bool) -> Record:
    """The replacement, before anybody sees it. One that never works is not handed over: it is to be rotated."""
    rotation = of_operation(operation)
    new = rotation.new_secret
    if rotation.state != RotationState.REVOKING:  # the client was deleted beside it, and the replacement with it
        return dict
    if new is None or not rotation.app_client.pool.token_url:  # nobody can ask: better untested than never at its end
        return lambda: _record_over(rotation)
    if accepts(client_of(operation), new):
        return lambda: _record_over(rotation, tested=True)
    if rotation.added_at and records.gave_up(rotation.added_at):
        return lambda: _record_over(rotation, tested=False)
    raise Throttled(NOT_YET)


def _record_over(rotation: Rotation, *, tested: bool | None = None) -> dict[str, Any]:
    now, new = timezone.now(), rotation.new_secret
    said = "Cognito never accepted the replacement, so nobody is handed it: rotate." if tested is False else ""
    Rotation.objects.filter(pk=rotation.pk, state=RotationState.REVOKING).update(
        state=RotationState.FINISHED, finished_at=now, tested_at=now if tested else None, last_error=said
    )
    if new is None:
        return {"replacement": ""}
    days = rotation.app_client.secret_lifetime_days
    changes: dict[str, Any] = {"expires_at": now + timedelta(days=days) if days else None}
    if tested is False:
        changes |= {"sealed_value": None, "sealing_key_id": ""}
    Secret.objects.filter(pk=new.pk).update(**changes)
    records.settle_on(rotation.app_client, new)
    return {"replacement": new.ending, "accepted": tested}
