"""The process that acts and may be killed: `python -m tests.prove.actor JSON`."""

import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.db import transaction  # noqa: E402  (after Django is set up)

from clients.models import AppClient, Tenant, User, UserPool  # noqa: E402
from clients.services import (  # noqa: E402
    app_clients,
    attributes,
    catalogue,
    client_states,
    operations,
)

Said = dict[str, Any]  # actor and operation_id, as every act takes them


def create_client(pool: UserPool, said: Said) -> None:
    wanted: Said = {"name": "northwind-orders-prod", "scopes": ["orders/read"], "attributes": {"rate_limit": "120"}}
    app_clients.create_client(pool, tenant=Tenant.objects.get(slug="northwind"), **wanted, **said)


def change_client(pool: UserPool, said: Said) -> None:
    app_client = AppClient.objects.get()
    scopes = ["orders/write", "shipments/read"]
    app_clients.change_scopes(app_client, generation=app_client.generation, scopes=scopes, **said)


def change_attributes(pool: UserPool, said: Said) -> None:
    app_client = AppClient.objects.get()
    values = {"rate_limit": "240"}
    attributes.change_attributes(app_client, generation=app_client.generation, values=values, **said)


def pause_client(pool: UserPool, said: Said) -> None:
    client_states.pause_client(AppClient.objects.get(), reason="the tenant asked", **said)


def resume_client(pool: UserPool, said: Said) -> None:
    client_states.resume_client(AppClient.objects.get(), reason="the tenant asked", **said)


def delete_client(pool: UserPool, said: Said) -> None:
    client_states.delete_client(AppClient.objects.get(), reason="the tenant asked", **said)


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


ACTS = {
    "client:create": create_client,
    "client:change": change_client,
    "client:attributes": change_attributes,
    "client:pause": pause_client,
    "client:resume": resume_client,
    "client:delete": delete_client,
    "resource_server:create": create_server,
    "resource_server:change": change_server,
    "resource_server:delete": delete_server,
}


def main() -> None:
    wanted = json.loads(sys.argv[1])
    if wanted["kind"] not in ACTS:
        raise SystemExit(f"No act for {wanted['kind']}: add one, the engine has a kind this file does not know.")
    said = {"actor": User.objects.get(pk=wanted["actor"]), "operation_id": wanted["operation_id"]}
    ACTS[wanted["kind"]](UserPool.objects.get(pk=wanted["pool"]), said)


if __name__ == "__main__":
    main()
