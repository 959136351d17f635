"""Starting a rotation of each client of a list: paced, after everything else, and resumable."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from clients import permissions
from clients.errors import Conflict, PortalError, refuse
from clients.models import AppClient, BulkItem, BulkRun, Operation, OperationState, Outcome, Priority, User
from clients.services import audit, restores
from clients.services.rotations import SHORTEST, start_rotation

MOST = 500
AT_ONCE = 3  # operations of one run that wait at the same time
VIA = "portal, bulk"


def start_run(
    app_clients: Iterable[AppClient], *, actor: User, overlap_hours: int, reason: str, run_id: str, via: str = "web"
) -> BulkRun:
    """Each of these clients gets a rotation of its own, begun by the worker one after the other; one that cannot have
    one is named with the reason and the others go on. The same `run_id` again is the same run. Refused (InvalidInput):
    none or more than 500 clients, no reason, hours no policy could allow."""
    if earlier := BulkRun.objects.filter(public_id=run_id).first():
        if earlier.started_by_id != actor.pk:
            raise Conflict("This form was used already. Open it again.")
        return earlier
    chosen = list(app_clients)
    problems = {"reason": [] if reason.strip() else ["Say why: it stands in the activity of each client."]}
    if not 1 <= len(chosen) <= MOST:
        problems["chosen"] = [f"Choose between 1 and {MOST} clients; these are {len(chosen)}."]
    if overlap_hours < SHORTEST:
        problems["overlap_hours"] = ["At least an hour."]
    refuse(problems)
    with transaction.atomic():
        run = BulkRun.objects.create(
            public_id=run_id, overlap_hours=overlap_hours, reason=reason.strip()[:500], started_by=actor
        )
        BulkItem.objects.bulk_create(BulkItem(run=run, app_client=app_client) for app_client in chosen)
        detail = {"run": run.public_id, "clients": len(chosen), "overlap_hours": overlap_hours}
        audit.append("bulk:rotate", Outcome.OK, actor=actor, via=via, reason=run.reason, detail=detail)
    return run


def stop_run(run: BulkRun, *, actor: User, via: str = "web") -> None:
    """What has not begun stays as it is; what has begun goes on. Refused (Conflict): one that is over."""
    _stop(run, actor, via)


def _stop(run: BulkRun, actor: User | None, via: str, reason: str = "") -> None:
    with transaction.atomic():
        going = BulkRun.objects.filter(pk=run.pk, finished_at=None, stopped_at=None)
        if not going.update(stopped_at=timezone.now(), finished_at=timezone.now()):
            raise Conflict("This run is over already.")
        audit.append("bulk:stop", Outcome.OK, actor=actor, via=via, reason=reason, detail={"run": run.public_id})


def advance_due(limit: int = 5) -> int:
    """Begins the next client of each run; how many began. Of one run few wait at a time, so that people's own changes
    find room between them."""
    if restores.is_on():
        return 0
    runs = BulkRun.objects.filter(finished_at=None).select_related("started_by").order_by("pk")
    return sum(_advance(run) for run in runs[:limit])


def _advance(run: BulkRun) -> bool:
    begun = run.items.exclude(begun_at=None).values("operation_id")
    if Operation.objects.live().filter(pk__in=begun).count() >= AT_ONCE:
        return False
    item = run.items.filter(begun_at=None).select_related("app_client__pool", "app_client__tenant").first()
    if item is None:
        return bool(BulkRun.objects.filter(pk=run.pk, finished_at=None).update(finished_at=timezone.now()))
    if not permissions.can_rotate_many(run.started_by):
        _stop(run, None, VIA, "Whoever started it may not rotate secrets any more.")
        return True
    refusal = ""
    try:
        start_rotation(
            item.app_client, actor=run.started_by, operation_id=item.operation_id, overlap_hours=run.overlap_hours,
            reason=run.reason, via=VIA, priority=Priority.BULK,
        )  # fmt: skip
    except PortalError as error:
        refusal = error.sentence
    # Written after it began: whoever dies in between begins the same operation once more, and it is the same one.
    BulkItem.objects.filter(pk=item.pk, begun_at=None).update(begun_at=timezone.now(), refusal=refusal[:500])
    return True


@dataclass(frozen=True)
class Progress:
    """How many of a run stand where."""

    total: int
    waiting: int
    going: int
    done: int
    refused: int

    @property
    def over(self) -> int:
        return self.done + self.refused


def progress_of(run: BulkRun) -> Progress:
    items = run.items.all()
    operations = Operation.objects.filter(pk__in=items.values("operation_id"))
    going = operations.live().count()
    done = operations.filter(state=OperationState.DONE).count()
    waiting = items.filter(begun_at=None).count()
    total = items.count()
    return Progress(total, waiting, going, done, total - waiting - going - done)
