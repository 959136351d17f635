"""Creates a tenant with the values its clients' tokens carry."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.management.said import find_actor_who_may, pairs, refusals_told
from clients.services.tenants import create_tenant


class Command(BaseCommand):
    help = "Creates a tenant: a customer organisation. The slug is its identity in tokens and never changes."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--slug", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--contact-email", default="")
        parser.add_argument("--value", action="append", default=[], help="claim=value; repeat")
        parser.add_argument("--actor", required=True, help="e-mail of the person this is done for")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_change_tenants, "create tenants")
        wanted = {name: options[name] for name in ("slug", "name", "contact_email")}
        with refusals_told():
            tenant = create_tenant(actor=actor, via=via, values=pairs("--value", options["value"]), **wanted)
        self.stdout.write(f"{tenant.slug}: {tenant.name}")
