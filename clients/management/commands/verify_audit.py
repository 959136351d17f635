"""Checks the audit chain from the first entry to the last."""

from django.core.management.base import BaseCommand, CommandError

from clients.models import AuditEntry
from clients.services.audit import first_broken_entry


class Command(BaseCommand):
    help = "Verifies the audit chain; exits 1 and names the first broken entry."

    def handle(self, *args, **options) -> None:
        broken = first_broken_entry()
        if broken:
            raise CommandError(broken[1])
        self.stdout.write(f"{AuditEntry.objects.count()} entries, every one follows the one before it.")
