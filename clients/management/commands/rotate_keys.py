"""Seals everything anew under the first key of SEALING_KEYS."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clients import permissions, sealing
from clients.management.said import find_actor_who_may, refusals_told
from clients.services import keys


class Command(BaseCommand):
    help = (
        "Seals every value under the first key of SEALING_KEYS, in batches: killed and run again it goes on. Says which"
        " of the other keys may be removed."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--actor", required=True, metavar="EMAIL", help="who says so")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_rotate_keys, "rotate keys")
        with refusals_told():
            found = keys.rotate_keys(actor=actor, via=via)
        first = sealing.first_key_id()
        self.stdout.write(f"{found.moved} value(s) sealed anew under {first}.")
        for key_id in sealing.read_sealing_ring(settings.SEALING_KEYS):
            left = found.under.get(key_id, 0)
            may_go = " It may be removed from SEALING_KEYS." if not left and key_id != first else ""
            self.stdout.write(f"SEALING_KEYS {key_id}: {left} sealed value(s).{may_go}")
        marked = keys.marked_under()
        for key_id in sealing.read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS"):
            stays = " It stays: what it marked cannot be marked anew." if marked.get(key_id) else ""
            self.stdout.write(f"FINGERPRINT_KEYS {key_id}: marks {marked.get(key_id, 0)} secret(s).{stays}")
        if found.broken:
            raise CommandError(f"{len(found.broken)} did not open: " + "; ".join(found.broken[:10]))
