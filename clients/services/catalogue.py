"""Resource servers and scopes: what Cognito has, read into our rows."""

from django.db import transaction

from clients.aws.cognito import Gateway
from clients.errors import InvalidInput
from clients.models import Outcome, ResourceServer, Scope, User, UserPool
from clients.services import audit

READING = ("read", "get", "list", "track", "view")


def adopt_resource_server(
    pool: UserPool,
    *,
    actor: User,
    identifier: str,
    api_kind: str = "none",
    api_url: str = "",
    example_call: str = "",
    via: str = "web",
) -> ResourceServer:
    """Our rows mirror the server's scopes in Cognito, with how its API is called. Calling again refreshes them."""
    remote = next(
        (s for s in Gateway(pool.region, pool.user_pool_id).list_resource_servers() if s["Identifier"] == identifier),
        None,
    )
    if remote is None:
        raise InvalidInput({"identifier": [f"Cognito has no resource server {identifier} in this pool."]})
    with transaction.atomic():
        server, _ = ResourceServer.objects.update_or_create(
            pool=pool,
            identifier=identifier,
            defaults={"name": remote["Name"], "api_kind": api_kind, "api_url": api_url, "example_call": example_call},
        )
        for item in remote.get("Scopes", []):
            name = item["ScopeName"]
            Scope.objects.update_or_create(
                resource_server=server,
                name=name,
                defaults={
                    "description": item["ScopeDescription"],
                    "full_name": f"{identifier}/{name}",
                    "is_read_only": name in READING,
                },
            )
        audit.append(
            "resource_server:adopt", Outcome.OK, actor=actor, via=via, pool=pool, detail={"identifier": identifier}
        )
    return server
