"""Restore mode on, after a backup was restored; it is ended on its page, by a person who has looked."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.management.said import find_actor_who_may, refusals_told
from clients.services import restores


class Command(BaseCommand):
    help = "After restoring a backup: the portal only reports differences until an administrator ends it on its page."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--actor", required=True, metavar="EMAIL", help="who says so")
        parser.add_argument("--reason", required=True, help="what was restored, and from when")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_end_restore, "enter restore mode")
        with refusals_told():
            restores.enter(reason=options["reason"], actor=actor, via=via)
        self.stdout.write(
            "Restore mode is on. The worker compares everything with AWS and changes nothing there. "
            "An administrator reads the differences on the page Restore mode and ends it."
        )
