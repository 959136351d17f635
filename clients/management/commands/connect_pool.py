"""Connects a user pool that exists in Cognito."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.management.said import find_actor_who_may, refusals_told
from clients.models import TriggerMode
from clients.services.pools import connect_pool


class Command(BaseCommand):
    help = "Connects a user pool. Domain, plan, trigger, token URL, issuer and JWKS are read from Cognito."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--environment", required=True, help="label such as prod: part of every secret")
        parser.add_argument("--region", required=True)
        parser.add_argument("--user-pool-id", required=True)
        parser.add_argument("--claims-table", required=True, help="DynamoDB table the trigger reads")
        parser.add_argument("--usage-table", required=True, help="DynamoDB table the trigger writes")
        parser.add_argument("--trigger-mode", choices=TriggerMode.values, default=TriggerMode.NONE)
        for name in ("token-url", "issuer", "jwks-url"):
            parser.add_argument(f"--{name}", default="", help="only where it is not AWS's own")
        parser.add_argument("--actor", required=True, help="e-mail of the administrator this is done for")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_connect_pool, "connect pools")
        names = ("environment", "region", "user_pool_id", "claims_table", "usage_table", "trigger_mode")
        urls = ("token_url", "issuer", "jwks_url")
        with refusals_told():
            pool = connect_pool(actor=actor, via=via, **{name: options[name] for name in (*names, *urls)})
        self.stdout.write(f"{pool.environment}: {pool.user_pool_id} is connected.")
        no_domain = "none. The pool has no domain: give it one in Cognito, else no token can be asked for."
        self.stdout.write(f"Token URL: {pool.token_url or no_domain}")
        if pool.why_no_claims:
            self.stdout.write(f"Attributes: {pool.why_no_claims} See manage.py install_trigger --help.")
