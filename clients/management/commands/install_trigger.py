"""Installs the token trigger on a user pool, with the AWS profile of the person who runs it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from clients import edge
from clients.aws import trigger_installer
from clients.management.actor import os_user
from clients.models import UserPool
from clients.services.pools import note_trigger


class Command(BaseCommand):
    help = (
        "Creates or updates the token trigger and attaches it to a user pool. Uses your AWS profile, not the portal's."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--pool-id", required=True)
        parser.add_argument("--region", required=True)
        parser.add_argument("--profile", help="your AWS profile (default: boto3's own order)")
        parser.add_argument("--claims-table", required=True)
        parser.add_argument("--usage-table", required=True)
        parser.add_argument(
            "--role-arn", required=True, help="the role of clients/edge/template.yaml (output TriggerRoleArn)"
        )
        parser.add_argument("--mode", required=True, choices=trigger_installer.MODES)
        parser.add_argument("--function-name", default=trigger_installer.FUNCTION_NAME)
        parser.add_argument(
            "--cache-seconds", type=int, default=3, help="how long a pause may take to be seen (default 3)"
        )
        parser.add_argument(
            "--function-only", action="store_true", help="leave the pool alone: your own trigger calls ours"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            session = trigger_installer.person_session(options["region"], options["profile"])
            plan = trigger_installer.make_plan(session, _wanted(options))
            if not plan.changes:
                self._note(plan.trigger_arn, options)
                self.stdout.write(f"Everything is in place: {plan.trigger_arn}")
                return
            self._show(plan)
            if not options["yes"] and input("Go ahead? [y/N] ").strip().lower() != "y":
                self.stdout.write("Nothing was changed.")
                return
            arn = trigger_installer.apply(session, plan)
        except trigger_installer.InstallRefused as refusal:
            raise CommandError(refusal.sentence) from None
        self._note(arn, options)
        self.stdout.write(self.style.SUCCESS(f"Done: {arn}"))

    def _note(self, arn: str, options: dict[str, Any]) -> None:
        """On the portal's own row, where the pool is connected already: its pages say which function holds the slot."""
        if options["function_only"]:
            return
        try:
            pool = UserPool.objects.filter(user_pool_id=options["pool_id"]).first()
            if pool is not None:
                note_trigger(pool, arn=arn, mode=options["mode"], actor=None, via=f"command line, OS user {os_user()}")
        except DatabaseError:
            self.stderr.write("The portal's database was not reached from here: its pages will not name this function.")

    def _show(self, plan: trigger_installer.Plan) -> None:
        self.stdout.write("This will change:")
        for change in plan.changes:
            self.stdout.write(f"  - {change}")
        if plan.losing:
            self.stdout.write(self.style.WARNING("These clients have no published attributes and will get no token:"))
            for app_client in plan.losing:
                self.stdout.write(f"  - {app_client}")


def _wanted(options: dict[str, Any]) -> trigger_installer.Wanted:
    return trigger_installer.Wanted(
        user_pool_id=options["pool_id"],
        claims_table=options["claims_table"],
        usage_table=options["usage_table"],
        role_arn=options["role_arn"],
        mode=options["mode"],
        source=edge.TRIGGER_SOURCE.read_text(encoding="utf-8"),
        function_name=options["function_name"],
        cache_seconds=options["cache_seconds"],
        attach=not options["function_only"],
    )
