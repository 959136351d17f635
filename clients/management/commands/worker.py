"""Takes up what is due: operations whose time has come, documents not yet published, last use."""

import logging
import signal
import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from clients.services import claims, operations, pool_sync, pools, usage

logger = logging.getLogger(__name__)
AFTER_A_FAILURE = 5.0  # seconds


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
            while self._work():
                pass
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            time.sleep(self._look(options["pause"]))

    def _work(self) -> int:
        return operations.resume_due() + claims.publish_due()

    def _look(self, pause: float) -> float:
        """One round; how long to rest after it. A database that is away for a while must not end the worker."""
        close_old_connections()
        try:
            if self._work():
                return 0
            usage.collect_due()
            pools.check_due()
            pool_sync.observe_due()
        except Exception:
            logger.exception("this round of the worker failed; the next one follows")
            return AFTER_A_FAILURE
        return pause

    def _stop(self, *_) -> None:
        self.stopping = True
