"""Prints a single-use invitation link."""

from django.conf import settings
from django.core.management.base import BaseCommand

from clients.management.actor import os_user
from clients.management.said import find_tenant, refusals_told
from clients.services import people


class Command(BaseCommand):
    help = "Invites a person; the link is valid once, for 7 days. This is how the first administrator comes in."

    def add_arguments(self, parser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True)
        parser.add_argument("--tenant", help="slug, for manager and developer")

    def handle(self, *args, **options) -> None:
        tenant = find_tenant(options["tenant"]) if options["tenant"] else None
        via = f"command line, OS user {os_user()}"
        with refusals_told():
            token = people.invite(options["email"], options["role"], tenant=tenant, actor=None, via=via)
        # The token stands in the fragment: browsers do not send it, servers do not log it.
        self.stdout.write(f"{settings.BASE_URL}/invitation/#{token}")
