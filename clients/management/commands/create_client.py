"""Creates a client and, once, writes its curl kit: the one reveal."""

import json
import os
import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clients import permissions
from clients.management.said import find_actor_who_may, find_pool, find_tenant, pairs, refusals_told
from clients.models import AppClient, Status
from clients.models.ids import new_ulid
from clients.services import app_clients, secrets
from clients.snippets.context import kit_context
from clients.snippets.kit import render_curl

LATER = 75  # sysexits.h, EX_TEMPFAIL: not now, run it again


class Command(BaseCommand):
    help = "Creates an app client in Cognito. With --kit the secret goes, once, into that file (mode 0600)."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--pool", required=True, help="environment label or Cognito's pool id")
        parser.add_argument("--tenant", required=True, help="slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scope", action="append", default=[], help="resource-server/scope; repeat")
        parser.add_argument("--attribute", action="append", default=[], help="claim=value for this client; repeat")
        parser.add_argument("--validity-minutes", type=int, default=60)
        end = parser.add_mutually_exclusive_group()
        end.add_argument("--lifetime-days", type=int, default=180, help="90, 180 (default) or 365")
        end.add_argument("--no-end", metavar="REASON", help="a secret without an end, and why")
        parser.add_argument("--actor", required=True, help="e-mail of the person this is done for")
        parser.add_argument("--operation-id", help="of an earlier run that was not finished: goes on with that one")
        parser.add_argument("--kit", type=Path, help="file to create; it will hold the secret")
        parser.add_argument("--json", action="store_true", help="machine-readable result, never a secret")

    def handle(self, *args, **options) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_create_client, "create clients")
        pool, tenant = find_pool(options["pool"]), find_tenant(options["tenant"])
        attributes = pairs("--attribute", options["attribute"])
        wanted = {
            "name": options["name"], "scopes": options["scope"], "attributes": attributes,
            "access_token_seconds": options["validity_minutes"] * 60, "no_expiry_reason": options["no_end"] or "",
            "lifetime_days": None if options["no_end"] is not None else options["lifetime_days"],
        }  # fmt: skip
        operation_id = options["operation_id"] or new_ulid()
        if not re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", operation_id, re.ASCII):
            raise CommandError(f"--operation-id {operation_id}: write it as this command printed it.")
        kit = self._open_kit(options["kit"]) if options["kit"] else None
        try:
            with refusals_told():
                app_client = app_clients.create_client(
                    pool, actor=actor, operation_id=operation_id, tenant=tenant, via=via, **wanted
                )
                self._hand_out(app_client, actor, via, kit, options)
        finally:
            if kit is not None:
                _close(kit, options["kit"])

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
            _write(kit, render_curl(context, secret=value.reveal()))
        result = {
            "id": app_client.public_id,
            "client_id": app_client.client_id,
            "name": app_client.name,
            "status": app_client.status,
            "pool": app_client.pool.user_pool_id,
            "tenant": app_client.tenant.slug,
            "kit": str(options["kit"]) if is_active and kit is not None else None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
        elif is_active:
            self.stdout.write(f"{app_client.name}: client ID {app_client.client_id}")
        if not is_active:
            operation = app_client.operations.latest("id")
            self.stderr.write(
                f"{app_client.name} is not there yet: {operation.last_error} Its secret waits sealed in the portal."
                f" Run the same again with --operation-id {operation.pk}: nothing is created twice."
            )
            raise SystemExit(LATER)


def _write(descriptor: int, text: str) -> None:
    """Whole or not at all: half a kit helps nobody, and may hold most of the secret."""
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        os.ftruncate(descriptor, 0)
        raise CommandError(f"The kit was not written: {error.strerror}. Its secret is lost with it: rotate.") from None


def _close(descriptor: int, path: Path) -> None:
    """A kit nothing was written to must not lie about: the next try would be refused by it."""
    is_empty = os.fstat(descriptor).st_size == 0
    os.close(descriptor)
    if is_empty:
        path.unlink(missing_ok=True)
