"""Checks the audit chain from the first entry to the last."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clients.errors import Conflict
from clients.models import AuditEntry
from clients.services.anchors import first_missing, read_anchors
from clients.services.audit import first_broken_entry


class Command(BaseCommand):
    help = (
        "Verifies the audit chain; exits 1 and names the first broken entry. A cut tail leaves a chain that fits:"
        " it shows beside what anchor_audit wrote elsewhere (--anchors), or beside what this printed (--expect)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--anchors", metavar="FILE", default=settings.AUDIT_ANCHORS,
            help="what anchor_audit wrote; default: PORTAL_AUDIT_ANCHORS",
        )  # fmt: skip
        parser.add_argument("--expect", metavar="SEQUENCE:HASH", help="an entry that must still be there, unchanged")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = first_broken_entry()
        if broken:
            raise CommandError(broken[1])
        if options["anchors"]:
            self._anchors(Path(options["anchors"]))
        if options["expect"] is not None:
            self._expect(options["expect"])
        count, last = AuditEntry.objects.count(), AuditEntry.objects.order_by("-sequence").first()
        self.stdout.write(f"{count} entries, every one follows the one before it.")
        if last and not options["anchors"]:
            self.stdout.write("Entries cut off at the end show only beside a number kept elsewhere: keep the next one.")
        if last:
            self.stdout.write(f"Last: {last.sequence}:{last.hash}")

    def _anchors(self, file: Path) -> None:
        try:
            anchors = read_anchors(file)
        except Conflict as error:
            raise CommandError(error.sentence) from None
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        if missing := first_missing(anchors):
            raise CommandError(missing)
        self.stdout.write(f"{len(anchors)} anchor{'s' * (len(anchors) != 1)}, every one holds.")

    def _expect(self, text: str) -> None:
        sequence, _, wanted = text.partition(":")
        if not sequence.isdecimal() or len(sequence) > 18 or len(wanted) != 64:
            raise CommandError("--expect: write SEQUENCE:HASH as this command printed it.")
        entry = AuditEntry.objects.filter(sequence=int(sequence)).first()
        if entry is None:
            raise CommandError(f"Entry {sequence} is missing: the end was cut off, or it is another trail.")
        if entry.hash != wanted:
            raise CommandError(f"Entry {sequence} is not the one expected: the trail was written anew.")
