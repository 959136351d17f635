"""What a kit is made of, read from a client's rows."""

import json

from clients.errors import NotReady
from clients.models import ApiKind, AppClient, ResourceServer
from clients.snippets.kit import ApiCall, KitContext, render_curl, render_env


def kit_context(app_client: AppClient, secret_ending: str | None) -> KitContext:
    """A context whose kit and `.env` render; the example call is that of the first API whose scopes this client holds.

    Raises NotReady when the pool has no token URL or a value cannot stand in a script: tried here without the secret,
    so that it shows before the one reveal is spent.
    """
    if not app_client.pool.token_url:
        raise NotReady(f"The pool {app_client.pool.environment} has no token URL yet, so nobody can ask for a token.")
    context = _context(app_client, secret_ending)
    try:
        render_curl(context)
        render_env(context, "")
    except ValueError as error:
        raise NotReady(f"No kit can be made for {app_client.name}. {error}") from None
    return context


def _context(app_client: AppClient, secret_ending: str | None) -> KitContext:
    scopes = list(app_client.scopes.select_related("resource_server").order_by("full_name"))
    callable_ones = [s.resource_server for s in scopes if s.resource_server.api_kind != ApiKind.NONE]
    return KitContext(
        client_name=app_client.name,
        client_id=app_client.client_id or "",
        tenant_name=app_client.tenant.name,
        token_url=app_client.pool.token_url,
        scopes=tuple(scope.full_name for scope in scopes),
        api=_api_call(callable_ones[0]) if callable_ones else None,
        secret_ending=secret_ending,
        version="",
    )


def _api_call(server: ResourceServer) -> ApiCall | None:
    if not server.api_url:
        return None
    if server.api_kind == ApiKind.APPSYNC:
        body = json.dumps({"query": server.example_call})
        return ApiCall("appsync", server.api_url, "POST", body, f"{server.name} (AppSync)")
    return ApiCall("rest", server.api_url, server.api_method, server.example_call, f"{server.name} (REST)")
