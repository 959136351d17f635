"""Takes up what is due: operations whose time has come, documents not yet published."""

import signal
import time

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from clients.services import claims, operations, usage


class Command(BaseCommand):
    help = "Resumes operations and publishes attributes. --once drains what is due and exits."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="drain what is due now, then exit")
        parser.add_argument("--pause", type=float, default=1.0, help="seconds between looks (default 1)")

    def handle(self, *args, **options) -> None:
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            done = operations.resume_due() + claims.publish_due()
            if options["once"] and not done:
                return
            if not done:
                usage.collect_due()
                close_old_connections()
                time.sleep(options["pause"])

    def _stop(self, *_) -> None:
        self.stopping = True
