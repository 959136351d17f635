"""Writes the head of the audit trail to a file elsewhere."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clients.errors import Conflict
from clients.services.anchors import anchor_head


class Command(BaseCommand):
    help = (
        "Adds the last entry of the trail to a file, which belongs on a machine or a store the portal cannot write"
        " back: verify_audit --anchors then sees that the end was cut off. Refused when the trail is broken."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--to", metavar="FILE", default=settings.AUDIT_ANCHORS, help="default: PORTAL_AUDIT_ANCHORS"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["to"]:
            raise CommandError("Say where with --to FILE, or set PORTAL_AUDIT_ANCHORS.")
        try:
            anchor = anchor_head(Path(options["to"]))
        except Conflict as error:
            raise CommandError(f"{error.sentence} Nothing was anchored.") from None
        except OSError as error:
            raise CommandError(f"{options['to']} cannot be written: {error.strerror}.") from None
        self.stdout.write(f"Anchored entry {anchor.sequence}." if anchor else "The trail is empty: nothing to anchor.")
