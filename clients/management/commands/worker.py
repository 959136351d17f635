"""Takes up what is due: operations whose time has come, documents not yet published, last use."""

import logging
import signal
import time
from collections.abc import Callable

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from clients.services import (
    bulk_rotations,
    claims,
    handovers,
    operations,
    pool_sync,
    pools,
    reminders,
    retirements,
    rotations_due,
    tenant_changes,
    usage,
)

logger = logging.getLogger(__name__)
AFTER_A_FAILURE = 5.0  # seconds
# Each counts what it took up. The quiet ones only look, and have their turn when nothing else is due.
JOBS = (
    operations.resume_due,
    rotations_due.advance_due,
    bulk_rotations.advance_due,
    tenant_changes.advance_due,
    retirements.advance_due,
    claims.publish_due,
)
QUIET_JOBS = (
    usage.collect_due,
    handovers.erase_due,
    reminders.send_due,
    pools.check_due,
    pool_sync.compare_due,
    pool_sync.observe_due,
)


class Command(BaseCommand):
    help = "Resumes operations and publishes attributes. --once drains what is due and exits."
    stopping = False

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="drain what is due now, then exit")
        parser.add_argument("--pause", type=float, default=1.0, help="seconds between looks (default 1)")

    def handle(self, *args, **options) -> None:
        if settings.SECURE:  # the web server refuses a weak production; so does its worker
            self.check(include_deployment_checks=True)
        if options["once"]:
            while sum(job() for job in JOBS):
                pass
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            time.sleep(self._look(options["pause"]))

    def _look(self, pause: float) -> float:
        """One round; how long to rest after it. A job that fails, or a database that is away for a while, ends neither
        the worker nor the turn of the other jobs."""
        close_old_connections()
        counts = [_try(job) for job in JOBS]
        if not any(counts):
            counts += [_try(job) for job in QUIET_JOBS]
            return AFTER_A_FAILURE if None in counts else pause
        return AFTER_A_FAILURE if None in counts else 0

    def _stop(self, *_) -> None:
        self.stopping = True


def _try(job: Callable[[], int]) -> int | None:
    """How much it took up; None when it failed."""
    try:
        return job()
    except Exception:
        logger.exception("a job of the worker failed; it has its next turn soon")
        return None
