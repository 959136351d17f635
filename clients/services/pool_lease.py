"""One writer per pool at a time, paced below Cognito's quota; shared by web and workers through the pool's row."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.models import Q, QuerySet

from clients.errors import Throttled
from clients.models import Priority, UserPool
from clients.models.ids import new_ulid

LONGEST_WAIT = 10.0  # seconds; then the operation waits in its row instead of in a process
LONGEST_LOOK = 45.0  # seconds to list the 10,000 clients a pool can have, when an outcome is unknown


@contextmanager
def pool_lease(pool: UserPool, *, looking: bool, priority: int = Priority.INTERACTIVE) -> Iterator[None]:
    """Holds the pool for one write; `looking`: for one that lists the pool first. Of those who wait the most urgent has
    the next slot: the others stand back while it says that it waits.

    Cognito refuses parallel writes (cognito_facts section 1) and counts 5 per second per operation (section 7).
    Raises Throttled when no slot comes within 10 s.
    """
    token = new_ulid()
    _wait_for(pool, token, LONGEST_LOOK if looking else 0, priority)
    try:
        yield
    finally:
        free_at = time.time()
        interval = 1 / settings.COGNITO_WRITES_PER_SECOND if settings.COGNITO_WRITES_PER_SECOND else 0
        UserPool.objects.filter(pk=pool.pk, lease_token=token).update(
            lease_token="", lease_until=0, next_write_at=free_at + interval
        )


def _free_at(pool: UserPool, now: float) -> QuerySet[UserPool]:
    """A lease or a slot further ahead than any can be was written by a clock that went wrong, and holds nobody up."""
    longest = LONGEST_LOOK + 2 * settings.COGNITO_TIMEOUT_SECONDS + settings.UNKNOWN_OUTCOME_MARGIN_SECONDS + 60
    unleased = Q(lease_until__lte=now) | Q(lease_until__gt=now + longest)
    return UserPool.objects.filter(unleased, Q(next_write_at__lte=now) | Q(next_write_at__gt=now + longest), pk=pool.pk)


def _said_to_wait(pool: UserPool, priority: int, now: float) -> None:
    """For a second, unless somebody more urgent says so; said again as long as it waits."""
    others = Q(wanted_by__gte=priority) | Q(wanted_until__lte=now) | Q(wanted_until__gt=now + 60)
    UserPool.objects.filter(others, pk=pool.pk).update(wanted_by=priority, wanted_until=now + 1)


def _wait_for(pool: UserPool, token: str, look: float, priority: int) -> None:
    deadline, pause = time.time() + LONGEST_WAIT, 0.02
    hold = look + 3 * settings.COGNITO_TIMEOUT_SECONDS + settings.UNKNOWN_OUTCOME_MARGIN_SECONDS
    while True:
        now = time.time()
        nobody_more_urgent = Q(wanted_by__gte=priority) | Q(wanted_until__lte=now) | Q(wanted_until__gt=now + 60)
        free = _free_at(pool, now).filter(nobody_more_urgent)
        if free.update(lease_token=token, lease_until=now + hold, wanted_until=0):
            return
        _said_to_wait(pool, priority, now)
        if now > deadline:
            raise Throttled("Other changes to this pool are being made.")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
