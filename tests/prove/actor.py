"""The process that acts and may be killed: `python -m tests.prove.actor JSON`, answering with a line of JSON.

PROVE_CLOCK_SHIFT: seconds by which its clock is wrong. PROVE_DIE_IN_INTENT: killed after the intent's last statement,
before its commit. PROVE_LOCK_WAIT: seconds it waits for a locked database. PROVE_HELD: says "ready" and acts at a word.
"""

import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

import django
from django.utils import timezone

SHIFT = float(os.environ.get("PROVE_CLOCK_SHIFT", "0"))
if SHIFT:  # before any module of ours is loaded: the models take `timezone.now` as their default
    honest_now, honest_time = timezone.now, time.time
    timezone.now = lambda: honest_now() + timedelta(seconds=SHIFT)
    time.time = lambda: honest_time() + SHIFT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.core.management import call_command  # noqa: E402  (after Django is set up)
from django.db import connection, transaction  # noqa: E402

from clients.errors import PortalError  # noqa: E402
from clients.models import AppClient, Rotation, Secret, Tenant, User, UserPool  # noqa: E402
from clients.models.ids import new_ulid  # noqa: E402
from clients.services import (  # noqa: E402
    app_clients,
    attributes,
    bulk_rotations,
    catalogue,
    client_changes,
    client_states,
    evidence,
    handovers,
    keys,
    lifetimes,
    operations,
    reminders,
    revocations,
    rotations,
    secrets,
)

Said = dict[str, Any]  # actor and operation_id, as every act takes them


def create_client(pool: UserPool, said: Said) -> None:
    wanted: Said = {"name": "northwind-orders-prod", "scopes": ["orders/read"], "attributes": {"rate_limit": "120"}}
    app_clients.create_client(pool, tenant=Tenant.objects.get(slug="northwind"), **wanted, **said)


def _as_seen(said: Said) -> tuple[AppClient, Said]:
    """The one client, with the generation the form saw: the present one, unless the test gave another."""
    app_client = AppClient.objects.select_related("pool", "tenant").get()
    return app_client, {"generation": app_client.generation} | said


def change_client(pool: UserPool, said: Said) -> None:
    app_client, form = _as_seen(said)
    client_changes.change_scopes(app_client, scopes=["orders/write", "shipments/read"], **form)


def change_settings(pool: UserPool, said: Said) -> None:
    app_client, form = _as_seen(said)
    client_changes.change_settings(app_client, name="renamed", access_token_seconds=600, contact=None, notes="", **form)


def change_attributes(pool: UserPool, said: Said) -> None:
    app_client, form = _as_seen(said)
    attributes.change_attributes(app_client, values={"rate_limit": "240"}, **form)


def _newest() -> Secret:
    return Secret.objects.select_related("app_client__pool", "app_client__tenant").order_by("-pk")[0]


def reveal_secret(pool: UserPool, said: Said) -> None:
    secrets.reveal_secret(_newest(), actor=said["actor"])


def pause_client(pool: UserPool, said: Said) -> None:
    client_states.pause_client(AppClient.objects.get(), reason="the tenant asked", **said)


def resume_client(pool: UserPool, said: Said) -> None:
    client_states.resume_client(AppClient.objects.get(), reason="the tenant asked", **said)


def delete_client(pool: UserPool, said: Said) -> None:
    client_states.delete_client(AppClient.objects.get(), reason="the tenant asked", **said)


def _rotation() -> Rotation:
    rows = Rotation.objects.select_related("app_client__pool", "app_client__tenant", "old_secret", "new_secret")
    return rows.order_by("-pk")[0]


def rotate_secret(pool: UserPool, said: Said) -> None:
    rotations.start_rotation(AppClient.objects.select_related("pool", "tenant").get(), overlap_hours=24, **said)


def finish_rotation(pool: UserPool, said: Said) -> None:
    rotations.finish_rotation(_rotation(), **said)


def cancel_rotation(pool: UserPool, said: Said) -> None:
    rotation = _rotation()
    ending = rotation.new_secret.ending if rotation.new_secret else ""
    rotations.cancel_rotation(rotation, typed=ending, reason="the wrong one", **said)


def extend_overlap(pool: UserPool, said: Said) -> None:
    rotations.extend_overlap(_rotation(), hours=24, actor=said["actor"])


def revoke_secret(pool: UserPool, said: Said) -> None:
    """The first secret of the client, which somebody has published."""
    leaked = Secret.objects.select_related("app_client__pool").order_by("pk")[0]
    wanted: Said = {"typed": leaked.ending, "reason": "published", "stop_now": True}
    revocations.revoke_secret(leaked, **wanted, **said)


def revoke_newest(pool: UserPool, said: Said) -> None:
    leaked = _newest()
    wanted: Said = {"typed": leaked.ending, "reason": "published", "stop_now": False}
    revocations.revoke_secret(leaked, **wanted, **said)


def hand_over(pool: UserPool, said: Said) -> None:
    handovers.offer_to_member(_newest(), User.objects.get(role="developer"), hours=24, actor=said["actor"])


def mark_stored(pool: UserPool, said: Said) -> None:
    evidence.mark_stored(_newest(), actor=User.objects.get(role="manager"))


def change_lifetime(pool: UserPool, said: Said) -> None:
    app_client, form = _as_seen(said)
    form.pop("operation_id")
    lifetimes.change_lifetime(app_client, days=180, reason="", **form)


def postpone_reminders(pool: UserPool, said: Said) -> None:
    reminders.postpone(AppClient.objects.get(), until=None, reason="it is replaced anyway", actor=said["actor"])


def rotate_many(pool: UserPool, said: Said) -> None:
    """The run and what the worker begins of it."""
    clients = AppClient.objects.all()
    bulk_rotations.start_run(clients, actor=said["actor"], overlap_hours=24, reason="yearly", run_id=new_ulid())
    bulk_rotations.advance_due()
    operations.resume_due()


def rotate_keys(pool: UserPool, said: Said) -> None:
    keys.rotate_keys(actor=User.objects.get(role="administrator"), via="test")


def create_server(pool: UserPool, said: Said) -> None:
    wanted: Said = {"identifier": "invoices", "name": "invoices", "scopes": {"read": "read invoices"}}
    catalogue.create_resource_server(pool, **wanted, **said)


def change_server(pool: UserPool, said: Said) -> None:
    server = pool.resource_servers.get(identifier="shipments")
    wanted: Said = {"name": "parcels", "descriptions": {"read": "read parcels"}, "added": {"label": "print labels"}}
    catalogue.change_resource_server(server, generation=server.generation, **wanted, **said)


def delete_server(pool: UserPool, said: Said) -> None:
    server = pool.resource_servers.get(identifier="shipments")
    with transaction.atomic():
        operation = catalogue.begin_delete(server, via="test", reason="unused", **said)
    operations.drive(operation)


def work(pool: UserPool, said: Said) -> None:
    call_command("worker", "--once")


def remind(pool: UserPool, said: Said) -> None:
    reminders.send_due()


# One act per kind of operation, and what else is done with a client.
ACTS = {
    "client:create": create_client,
    "client:change": change_client,
    "client:attributes": change_attributes,
    "client:pause": pause_client,
    "client:resume": resume_client,
    "client:delete": delete_client,
    "secret:rotate": rotate_secret,
    "secret:finish": finish_rotation,
    "secret:cancel": cancel_rotation,
    "secret:revoke": revoke_secret,
    "revoke newest": revoke_newest,
    "extend": extend_overlap,
    "hand over": hand_over,
    "stored": mark_stored,
    "lifetime": change_lifetime,
    "postpone": postpone_reminders,
    "bulk": rotate_many,
    "rotate keys": rotate_keys,
    "resource_server:create": create_server,
    "resource_server:change": change_server,
    "resource_server:delete": delete_server,
    "settings": change_settings,
    "reveal": reveal_secret,
    "worker": work,
    "remind": remind,
}


def _die_before_the_commit(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """The audit entry is the last statement of every intent."""
    result = execute(sql, params, many, context)
    if sql.startswith('INSERT INTO "clients_auditentry"'):
        os._exit(137)
    return result


def _prepare() -> None:
    if seconds := os.environ.get("PROVE_LOCK_WAIT"):
        if connection.vendor == "sqlite":
            connection.settings_dict["OPTIONS"]["timeout"] = float(seconds)
        else:
            connection.settings_dict["OPTIONS"]["options"] = f"-c lock_timeout={int(float(seconds) * 1000)}"
    if os.environ.get("PROVE_DIE_IN_INTENT"):
        connection.execute_wrappers.append(_die_before_the_commit)
    if os.environ.get("PROVE_HELD"):
        print("ready", flush=True)
        sys.stdin.readline()


def main() -> None:
    wanted = json.loads(sys.argv[1])
    act, pool, actor = wanted.pop("act"), wanted.pop("pool"), wanted.pop("actor")
    if act not in ACTS:
        raise SystemExit(f"No act for {act}: add one, the engine has a kind this file does not know.")
    _prepare()
    try:
        ACTS[act](UserPool.objects.get(pk=pool), {"actor": User.objects.get(pk=actor)} | wanted)
        print(json.dumps("done"))
    except PortalError as error:
        print(json.dumps(error.code))


if __name__ == "__main__":
    main()
