"""Prints a single-use invitation link."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clients.errors import PortalError
from clients.management.actor import os_user
from clients.models import Tenant
from clients.services import people


class Command(BaseCommand):
    help = "Invites a person; the link is valid once, for 7 days. This is how the first administrator comes in."

    def add_arguments(self, parser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True)
        parser.add_argument("--tenant", help="slug, for manager and developer")

    def handle(self, *args, **options) -> None:
        tenant = Tenant.objects.filter(slug=options["tenant"]).first() if options["tenant"] else None
        if options["tenant"] and tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        try:
            token = people.invite(
                options["email"], options["role"], tenant=tenant, actor=None, via=f"command line, OS user {os_user()}"
            )
        except PortalError as error:
            raise CommandError(error.sentence) from None
        # The token stands in the fragment: browsers do not send it, servers do not log it.
        self.stdout.write(f"{settings.BASE_URL}/invitation/#{token}")
