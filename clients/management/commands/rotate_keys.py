"""Seals everything anew under the first key of SEALING_KEYS."""

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clients import permissions, sealing
from clients.management.said import find_actor_who_may, refusals_told
from clients.services import keys

MISSING = "It is missing: put it back."


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
        self.stdout.write(f"{found.moved} value(s) sealed anew under {sealing.first_key_id()}.")
        self._tell_sealing_keys(found.under)
        self._tell_fingerprint_keys(keys.marked_under())
        if found.broken:
            raise CommandError(f"{len(found.broken)} did not open: " + "; ".join(found.broken[:10]))

    def _tell_sealing_keys(self, under: Counter[str]) -> None:
        ring = sealing.read_sealing_ring(settings.SEALING_KEYS)
        for key_id in dict.fromkeys([*ring, *under]):
            if key_id not in ring:
                verdict = MISSING
            elif key_id == sealing.first_key_id():
                verdict = "It seals what is new."
            else:
                verdict = "It stays until that is 0." if under[key_id] else "It may be removed from SEALING_KEYS."
            self.stdout.write(f"SEALING_KEYS {key_id}: {under[key_id]} sealed value(s). {verdict}")

    def _tell_fingerprint_keys(self, marked: Counter[str]) -> None:
        ring = sealing.read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS")
        for key_id in dict.fromkeys([*ring, *marked]):
            stays = "It stays: what it marked cannot be marked anew." if marked[key_id] else ""
            verdict = stays if key_id in ring else MISSING
            self.stdout.write(f"FINGERPRINT_KEYS {key_id}: marks {marked[key_id]} secret(s). {verdict}".rstrip())
