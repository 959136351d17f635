"""Runs the local AWS; a development tool, absent from a production image."""

import sys

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Runs the sandbox until it is told to stop."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser) -> None:
        parser.add_argument("--port", type=int, default=4566)
        parser.add_argument("--state-dir", required=True, help="what the sandbox remembers, and its control token")

    def handle(self, *args, **options) -> None:
        from portal.sandbox import server  # here: the package stands in requirements-dev.txt only

        sys.exit(server.main(options["port"], options["state_dir"]))
