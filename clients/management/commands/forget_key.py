"""Gives up a key that is lost for good, with everything that only it could open."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.management.said import find_actor_who_may, refusals_told
from clients.services import lost_keys


class Command(BaseCommand):
    help = (
        "For a key that no backup has any more: erases what only it could open, so that the portal starts again."
        " Without --yes it only says how much that is."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("variable", choices=["SEALING_KEYS", "FINGERPRINT_KEYS"])
        parser.add_argument("key_id", help="as the refused start named it")
        parser.add_argument("--actor", required=True, metavar="EMAIL", help="who says so")
        parser.add_argument("--reason", required=True, help="how it was lost")
        parser.add_argument("--yes", action="store_true", help="do it; it cannot be undone")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_rotate_keys, "give up keys")
        key = (options["variable"], options["key_id"])
        with refusals_told():
            if options["yes"]:
                lost = lost_keys.forget_key(*key, reason=options["reason"], actor=actor, via=via)
            else:
                lost = lost_keys.count_lost(*key)
        self.stdout.write(
            f"{lost.secrets} sealed secret(s), {lost.factors} second factor(s), {lost.marks} mark(s) of secrets: "
            + ("erased." if options["yes"] else "they would be erased. Nothing was done; --yes does it.")
        )
