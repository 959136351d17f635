"""Creates a client and, once, writes its curl kit: the one reveal."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.management.actor import find_actor
from clients.models import AppClient, Status, Tenant, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, secrets
from clients.snippets.context import kit_context
from clients.snippets.kit import render_curl


class Command(BaseCommand):
    help = "Creates an app client in Cognito. With --kit the secret goes, once, into that file (mode 0600)."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--pool", required=True, help="environment label or Cognito's pool id")
        parser.add_argument("--tenant", required=True, help="slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scope", action="append", default=[], help="resource-server/scope; repeat")
        parser.add_argument("--attribute", action="append", default=[], help="claim=value for this client; repeat")
        parser.add_argument("--validity-minutes", type=int, default=60)
        parser.add_argument("--lifetime-days", type=int, default=180)
        parser.add_argument("--actor", required=True, help="e-mail of the person this is done for")
        parser.add_argument("--kit", type=Path, help="file to create; it will hold the secret")
        parser.add_argument("--json", action="store_true", help="machine-readable result, never a secret")

    def handle(self, *args, **options) -> None:
        actor, via = find_actor(options["actor"])
        if not permissions.can_create_client(actor):
            raise CommandError(f"{actor.email} is {actor.get_role_display()} and may not create clients.")
        pool = (
            UserPool.objects.filter(environment=options["pool"]).first()
            or UserPool.objects.filter(user_pool_id=options["pool"]).first()
        )
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if pool is None or tenant is None:
            missing = f"pool {options['pool']}" if pool is None else f"tenant {options['tenant']}"
            raise CommandError(f"There is no {missing}.")
        kit = self._open_kit(options["kit"]) if options["kit"] else None
        try:
            app_client = app_clients.create_client(
                pool,
                actor=actor,
                operation_id=new_ulid(),
                tenant=tenant,
                name=options["name"],
                scopes=options["scope"],
                attributes=_attributes(options["attribute"]),
                access_token_seconds=options["validity_minutes"] * 60,
                lifetime_days=options["lifetime_days"],
                via=via,
            )
            self._hand_out(app_client, actor, via, kit, options)
        except PortalError as error:
            if kit is not None:
                _remove_empty(kit, options["kit"])
            raise CommandError(_sentences(error)) from None

    def _open_kit(self, path: Path) -> int:
        """Created before anything else, exclusively, so that a secret never meets a file somebody else prepared."""
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise CommandError(f"--kit {path}: {error.strerror}. Name a file that does not exist yet.") from None

    def _hand_out(self, app_client: AppClient, actor: Any, via: str, kit: int | None, options: dict[str, Any]) -> None:
        is_active = app_client.status == Status.ACTIVE
        if is_active and kit is not None:
            secret = app_client.secrets.get()
            context = kit_context(app_client, secret.ending)
            render_curl(context)  # whatever is wrong with it shows before the one reveal is spent
            value = secrets.reveal_secret(secret, actor=actor, via=via)
            with os.fdopen(kit, "w", encoding="utf-8") as file:
                file.write(render_curl(context, secret=value.reveal()))
        elif kit is not None:
            _remove_empty(kit, options["kit"])
        result = {
            "id": app_client.public_id,
            "client_id": app_client.client_id,
            "name": app_client.name,
            "status": app_client.status,
            "pool": app_client.pool.user_pool_id,
            "tenant": app_client.tenant.slug,
            "kit": str(options["kit"]) if is_active and kit else None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
        elif is_active:
            self.stdout.write(f"{app_client.name}: client ID {app_client.client_id}")
        if not is_active:
            waiting = app_client.operations.latest("id").last_error
            self.stderr.write(
                f"{app_client.name} is still being created. {waiting} Its secret waits sealed in the portal."
            )


def _attributes(pairs: list[str]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    wrong = [name for name, equals, _ in split if not equals]
    if wrong:
        raise CommandError(f"--attribute {wrong[0]}: write claim=value.")
    return {name: value for name, _, value in split}


def _sentences(error: PortalError) -> str:
    if isinstance(error, InvalidInput):
        return "\n".join(f"{field}: {sentence}" for field, group in error.fields.items() for sentence in group)
    return error.sentence


def _remove_empty(descriptor: int, path: Path) -> None:
    os.close(descriptor)
    path.unlink(missing_ok=True)
