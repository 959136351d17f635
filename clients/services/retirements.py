"""Retiring a scope or a whole resource server: no new assignments, clients released one by one, removed last."""

import json
import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from clients.errors import Conflict, InvalidInput, NotFound, PortalError
from clients.models import (
    GOING_ON,
    AppClient,
    Operation,
    OperationState,
    Outcome,
    ResourceServer,
    Retirement,
    RetirementState,
    Scope,
    User,
)
from clients.models.ids import new_ulid
from clients.models.operations import OperationQuerySet
from clients.services import audit, catalogue, restores
from clients.services.app_clients import gateway_for
from clients.services.client_changes import CHANGE, change_scopes
from clients.services.operations import drive
from clients.services.pool_sync import observe, owned_facts

logger = logging.getLogger(__name__)
PAUSE = timedelta(seconds=30)
VIA = "portal, retirement"
NAMED = 5  # clients named of those that wait for the same reason
LOOKS = 20  # clients asked about in Cognito at a time


def start_retirement(
    server: ResourceServer, *, actor: User, scope_names: list[str], reason: str, via: str = "web"
) -> Retirement:
    """Nobody new is given these scopes from here on; who holds them keeps them. All of a server's scopes: the server
    itself goes, and so does one that has none. Refused: no reason, unknown scopes, a server with a retirement going on
    already (Conflict)."""
    rows = [scope for scope in server.scopes.all() if scope.name in scope_names]
    problems: dict[str, list[str]] = {}
    if not reason.strip():
        problems["reason"] = ["Say why: those who look after its clients will ask."]
    whole = len(rows) == server.scopes.count()
    if not (rows or whole) or len(rows) != len(set(scope_names)):
        problems["scopes"] = ["Choose scopes of this resource server."]
    if problems:
        raise InvalidInput(problems)
    try:
        with transaction.atomic():
            retirement = Retirement.objects.create(
                pool=server.pool, resource_server=server, identifier=server.identifier, whole_server=whole,
                scope_names=sorted(row.name for row in rows), reason=reason.strip()[:500], started_by=actor,
            )  # fmt: skip
            server.scopes.filter(pk__in=[row.pk for row in rows]).update(retiring_at=timezone.now())
            _audit("scope:retire", retirement, actor=actor, via=via, holders=holders(retirement).count())
    except IntegrityError:
        raise Conflict(f"A retirement on {server.identifier} is going on already. Finish or cancel it first.") from None
    return retirement


def _audit(action: str, retirement: Retirement, *, actor: User | None, via: str, **more: Any) -> None:
    detail = {"scopes": retirement.full_names, "whole_server": retirement.whole_server} | more
    audit.append(
        action, Outcome.OK, actor=actor, via=via, pool=retirement.pool, reason=retirement.reason, detail=detail
    )


def holders(retirement: Retirement) -> QuerySet[AppClient]:
    """Clients that still hold one of its scopes."""
    held = Scope.objects.filter(resource_server=retirement.resource_server, name__in=retirement.scope_names)
    through = AppClient.scopes.through.objects.filter(scope__in=held)
    return AppClient.objects.present().filter(pk__in=through.values("appclient_id"))


def stranded(retirement: Retirement) -> QuerySet[AppClient]:
    """Holders that would have no scope left: not released before somebody gives them another one, or deletes them."""
    others = AppClient.scopes.through.objects.filter(appclient=OuterRef("pk"))
    others = others.exclude(scope__resource_server=retirement.resource_server, scope__name__in=retirement.scope_names)
    return holders(retirement).exclude(Exists(others))


def _begun(retirement: Retirement) -> OperationQuerySet:
    return Operation.objects.filter(pool=retirement.pool, params__retirement=retirement.public_id)


def released(retirement: Retirement) -> int:
    """How many clients have been released, as far as Cognito knows."""
    done = _begun(retirement).filter(state=OperationState.DONE)
    return done.order_by().values("app_client").distinct().count()


def concerned(retirement: Retirement) -> int:
    """How many clients it is about: whose release was begun, whatever became of it, and who still holds its scopes."""
    about = Q(pk__in=_begun(retirement).values("app_client"))
    if retirement.is_going_on:
        about |= Q(pk__in=holders(retirement).values("pk"))
    return AppClient.objects.filter(about).count()


def to_be_typed(retirement: Retirement) -> str:
    return retirement.identifier if retirement.whole_server else ", ".join(retirement.full_names)


def release_holders(retirement: Retirement, *, actor: User, typed: str, via: str = "web") -> None:
    """The worker takes the scopes from each client that holds them, one by one, then removes them.

    `typed`: the identifier or scope as the person typed it, wanted while clients still hold it. Refused when cancelled
    or over, or typed wrongly. May be cancelled until the removal itself.
    """
    wanted = to_be_typed(retirement)
    if holders(retirement).exists() and typed.strip() != wanted:
        raise InvalidInput({"typed": [f"Type {wanted} to confirm: clients still hold it."]})
    with transaction.atomic():
        waiting = Retirement.objects.filter(pk=retirement.pk, state=RetirementState.WAITING)
        if not waiting.update(state=RetirementState.RELEASING, next_try_at=timezone.now()):
            raise Conflict("This retirement is going on already, was cancelled or is done.")
        _audit("scope:release", retirement, actor=actor, via=via, holders=holders(retirement).count())
    retirement.refresh_from_db()


def cancel_retirement(retirement: Retirement, *, actor: User, via: str = "web") -> None:
    """The scopes can be given out again. Clients released meanwhile stay released; the trail names them. Refused once
    the removal is under way or done."""
    with transaction.atomic():
        going = Retirement.objects.filter(pk=retirement.pk, state__in=GOING_ON)
        going = going.exclude(resource_server__isnull=True)
        if not going.update(state=RetirementState.CANCELLED, finished_at=timezone.now()):
            raise Conflict("This retirement is over already.")
        # Looked at once the row is ours: a removal that began meanwhile held it, and is seen now.
        if Operation.objects.live().filter(pool=retirement.pool, id=_removal_id(retirement)).exists():
            raise Conflict("The scopes are being removed just now. Create them anew if you need them.")
        Scope.objects.filter(resource_server=retirement.resource_server, name__in=retirement.scope_names).update(
            retiring_at=None
        )
        _audit("scope:retire_cancel", retirement, actor=actor, via=via)
    retirement.refresh_from_db()


def _removal_id(retirement: Retirement) -> str:
    """The one removal of a retirement: a second worker that comes to it meets the first one's operation."""
    return retirement.public_id


# --- What the worker does ------------------------------------------------------------------------


def advance_due(limit: int = 5) -> int:
    """Takes each releasing retirement a client further, or removes what nobody holds any more; how many moved."""
    if restores.is_on():
        return 0
    now = timezone.now()
    due = Retirement.objects.filter(state=RetirementState.RELEASING, next_try_at__lte=now)
    moved = 0
    for retirement in due.select_related("resource_server__pool", "pool", "started_by")[:limit]:
        moved += advance(retirement)
    return moved


def advance(retirement: Retirement) -> bool:
    """One step. Clients that cannot be released (a change under way, or no scope would be left) are named, and the
    others have their turn."""
    if retirement.resource_server is None:
        return False
    why: dict[str, list[str]] = {}
    for app_client in holders(retirement).select_related("pool", "tenant").order_by("pk"):
        try:
            _release(retirement, app_client)
            return True
        except PortalError as error:
            why.setdefault(error.sentence, []).append(app_client.name)
    stuck = _told(why) or _unfinished(retirement) or _held_in_cognito(retirement)
    if stuck:
        _wait(retirement, stuck)
        return False
    return _remove(retirement)


def _told(why: dict[str, list[str]]) -> str:
    """Each reason after the names of those it holds for."""
    lines = []
    for sentence, names in why.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"{', '.join(names[:NAMED])}{more}: {sentence}")
    return " ".join(lines)


def _wait(retirement: Retirement, why: str) -> None:
    Retirement.objects.filter(pk=retirement.pk).update(last_error=why[:500], next_try_at=timezone.now() + PAUSE)


def _release(retirement: Retirement, app_client: AppClient) -> None:
    """An operation of its own: the client's scopes without these."""
    _go_on(retirement)
    kept = app_client.scopes.exclude(full_name__in=retirement.full_names).values_list("full_name", flat=True)
    if not kept:
        raise Conflict("no scope would be left. Give another one, or delete the client.")
    change_scopes(
        app_client, actor=retirement.started_by, operation_id=new_ulid(), generation=app_client.generation,
        scopes=sorted(kept), via=VIA, told={"retirement": retirement.public_id},
    )  # fmt: skip


def _go_on(retirement: Retirement) -> None:
    """Raises Conflict when somebody cancelled it since the worker read the row."""
    going = Retirement.objects.filter(pk=retirement.pk, state=RetirementState.RELEASING)
    if not going.update(next_try_at=timezone.now(), last_error=""):
        raise Conflict("This retirement was cancelled.")


def _unfinished(retirement: Retirement) -> str:
    """A client whose release Cognito has not got yet, and why: until then the scope must not go."""
    first = _begun(retirement).not_made_good().select_related("app_client").first()
    return f"{first.app_client}: {first.told}" if first else ""


def _held_in_cognito(retirement: Retirement) -> str:
    """A client that holds one of the scopes there though not here: a change of its scopes has not arrived, or somebody
    gave it the scope in the console. Removing it would take it away unseen, so a person decides."""
    gateway, names, looked = gateway_for(retirement.pool), set(retirement.full_names), 0
    for app_client in _may_hold(retirement)[:LOOKS]:
        looked += 1
        try:
            held = names & set(owned_facts(gateway.describe_client(str(app_client.client_id)))["scopes"])
        except NotFound:
            held = set()
        except PortalError as error:
            return f"{app_client.name}: {error.sentence}"
        if held:
            return f"{app_client.name}: it holds {min(held)} in Cognito, though not here. Save its scopes again."
        observe(app_client)  # so that it is not asked about again
    return "More clients are looked at before the removal." if looked == LOOKS else ""


def _may_hold(retirement: Retirement) -> QuerySet[AppClient]:
    """By what was last seen of each, unless it was released since."""
    changes = Operation.objects.filter(pool=retirement.pool, kind=CHANGE, aspect="scopes")
    done = changes.filter(app_client=OuterRef("pk"), state=OperationState.DONE)
    since = done.filter(finished_at__gte=OuterRef("observed_at"))
    seen = Q()
    for name in retirement.full_names:
        seen |= Q(seen__contains=json.dumps(name))
    rows = AppClient.objects.present().filter(pool=retirement.pool, client_id__isnull=False)
    rows = rows.annotate(seen=Cast("observed", TextField()))
    pending = Q(pk__in=changes.not_made_good().values("app_client"))
    return rows.filter(pending | seen & ~Exists(since)).select_related("pool", "tenant").order_by("pk")


def is_stopped(retirement: Retirement) -> bool:
    """Its removal was refused or given up: nothing of it goes on by itself."""
    removal = Operation.objects.filter(pk=_removal_id(retirement)).first()
    return removal is not None and not removal.is_live and removal.state != OperationState.DONE


def _remove(retirement: Retirement) -> bool:
    """The removal itself, once, when nobody holds the scopes."""
    removal = Operation.objects.filter(pk=_removal_id(retirement)).first()
    if removal is None:
        try:
            removal = drive(_begin_removal(retirement))
        except (PortalError, IntegrityError) as error:
            _wait(retirement, getattr(error, "sentence", "Another process removes it just now."))
            return False
    if removal.state == OperationState.DONE:
        _finish(retirement)
        return True
    _wait(retirement, removal.last_error)
    return False


def _begin_removal(retirement: Retirement) -> Operation:
    server = retirement.resource_server
    if server is None:
        raise Conflict("The resource server is gone.")
    said: dict[str, Any] = {"actor": retirement.started_by, "operation_id": _removal_id(retirement)}
    said |= {"via": VIA, "reason": retirement.reason}
    with transaction.atomic():
        _go_on(retirement)
        if retirement.whole_server and set(server.scopes.values_list("name", flat=True)) == set(retirement.scope_names):
            return catalogue.begin_delete(server, **said)
        params = {
            "server": server.identifier, "pool": server.pool.public_id, "generation": server.generation,
            "name": None, "descriptions": {}, "added": {}, "removed": retirement.scope_names,
        }  # fmt: skip
        return catalogue.begin_change(server, params, **said)


def _finish(retirement: Retirement) -> None:
    with transaction.atomic():
        going = Retirement.objects.filter(pk=retirement.pk, state=RetirementState.RELEASING)
        if going.update(state=RetirementState.DONE, finished_at=timezone.now(), last_error=""):
            _audit("scope:removed", retirement, actor=None, via="portal")
