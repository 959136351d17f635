"""The process that acts and may be killed: `python -m tests.prove.actor JSON`."""

import json
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.db import transaction

    from clients.models import AppClient, Tenant, User, UserPool
    from clients.services import app_clients, attributes, catalogue, client_states, operations

    wanted = json.loads(sys.argv[1])
    actor, pool = User.objects.get(pk=wanted["actor"]), UserPool.objects.get(pk=wanted["pool"])
    if wanted["kind"] == "client:create":
        app_clients.create_client(
            pool,
            actor=actor,
            operation_id=wanted["operation_id"],
            tenant=Tenant.objects.get(slug="northwind"),
            name="northwind-orders-prod",
            scopes=["orders/read"],
            attributes={"rate_limit": "120"},
        )
    elif wanted["kind"] == "client:change":
        app_client = AppClient.objects.get()
        app_clients.change_scopes(
            app_client,
            actor=actor,
            operation_id=wanted["operation_id"],
            generation=app_client.generation,
            scopes=["orders/write", "shipments/read"],
        )
    elif wanted["kind"] == "client:attributes":
        app_client = AppClient.objects.get()
        attributes.change_attributes(
            app_client,
            actor=actor,
            operation_id=wanted["operation_id"],
            generation=app_client.generation,
            values={"rate_limit": "240"},
        )
    elif wanted["kind"] in ("client:pause", "client:resume", "client:delete"):
        act = getattr(client_states, wanted["kind"].removeprefix("client:") + "_client")
        act(AppClient.objects.get(), actor=actor, operation_id=wanted["operation_id"], reason="the tenant asked")
    elif wanted["kind"] == "resource_server:create":
        catalogue.create_resource_server(
            pool, actor=actor, operation_id=wanted["operation_id"], identifier="invoices", name="invoices",
            scopes={"read": "read invoices"},
        )  # fmt: skip
    elif wanted["kind"] == "resource_server:change":
        server = pool.resource_servers.get(identifier="shipments")
        catalogue.change_resource_server(
            server, actor=actor, operation_id=wanted["operation_id"], generation=server.generation, name="parcels",
            descriptions={"read": "read parcels"}, added={"label": "print labels"},
        )  # fmt: skip
    elif wanted["kind"] == "resource_server:delete":
        server = pool.resource_servers.get(identifier="shipments")
        with transaction.atomic():
            operation = catalogue.begin_delete(
                server, actor=actor, operation_id=wanted["operation_id"], via="test", reason="unused"
            )
        operations.drive(operation)
    else:
        raise SystemExit(f"No act for {wanted['kind']}: add one, the engine has a kind this file does not know.")


if __name__ == "__main__":
    main()
