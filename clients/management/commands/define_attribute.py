"""Defines an attribute: a claim that tokens may carry."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.management.said import find_actor_who_may, refusals_told
from clients.models import AttributeType
from clients.services.attributes import define_attribute


class Command(BaseCommand):
    help = "Defines an attribute. With --default it reaches every client's token at once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--claim-name", required=True)
        parser.add_argument("--type", required=True, choices=AttributeType.values)
        parser.add_argument("--choice", action="append", default=[], help="for --type choice; repeat")
        parser.add_argument("--required", action="store_true", help="every tenant or client must have a value")
        parser.add_argument("--default", help="what is carried where nobody set a value")
        parser.add_argument("--overridable", action="store_true", help="a client may differ from its tenant")
        parser.add_argument("--description", default="")
        parser.add_argument("--actor", required=True, help="e-mail of the administrator this is done for")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_define_attribute, "define attributes")
        with refusals_told():
            definition = define_attribute(
                actor=actor, via=via, claim_name=options["claim_name"], type=options["type"], choices=options["choice"],
                is_required=options["required"], default=options["default"], is_overridable=options["overridable"],
                description=options["description"],
            )  # fmt: skip
        self.stdout.write(f"{definition.claim_name}: {definition.get_type_display()}")
