"""The catalogue compared with Cognito, again and again: what differs is noted, and nothing is changed here or there."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from clients.aws.cognito import Gateway, RemoteServer
from clients.models import Outcome, ResourceServer, UserPool
from clients.services import audit, catalogue


def compare_servers(pool: UserPool) -> None:
    """Notes on each resource server what Cognito holds otherwise, and on each scope whether it is gone there. Our texts
    stay until a person reads the server again. A change of the finding is an audit entry. Raises when Cognito cannot be
    reached; what was noted stays then."""
    rows = list(pool.resource_servers.select_related("pool").prefetch_related("scopes"))  # before the look: see `_note`
    found = [RemoteServer.from_answer(item) for item in Gateway(pool.region, pool.user_pool_id).list_resource_servers()]
    there = {server.identifier: server for server in found}
    for server in rows:
        _note(server, there.get(server.identifier))


def _note(server: ResourceServer, remote: RemoteServer | None) -> None:
    """Only while nothing was changed here meanwhile: else this would be news from before the change."""
    found, held = _differences(server, remote), remote.scopes if remote else {}
    is_marked = all((scope.name in held) == (scope.gone_at is None) for scope in server.scopes.all())
    if found == server.drift and is_marked:
        return
    with transaction.atomic():
        same = ResourceServer.objects.filter(pk=server.pk, generation=server.generation)
        if catalogue.operations_on(server).live().exists() or not same.update(drift=found):
            return
        server.scopes.filter(name__in=held).update(gone_at=None)
        server.scopes.exclude(name__in=held).filter(gone_at__isnull=True).update(gone_at=timezone.now())
        if found != server.drift:
            detail = {"identifier": server.identifier, "differs": found}
            audit.append(
                "resource_server:observe", Outcome.OK, actor=None, via="portal", pool=server.pool, detail=detail
            )


def _differences(server: ResourceServer, remote: RemoteServer | None) -> dict[str, Any]:
    """By what differs; nothing where nothing does. A scope that is gone is news until the server is read again; from
    then on it carries its mark alone."""
    if remote is None:
        return {"missing": True}
    ours, noted = {scope.name: scope for scope in server.scopes.all()}, server.drift.get("gone", [])
    gone = [name for name, scope in ours.items() if name not in remote.scopes and (name in noted or not scope.gone_at)]
    both = {name: text for name, text in remote.scopes.items() if name in ours}
    found = {
        "name": remote.name if remote.name != server.name else "", "gone": sorted(gone),
        "added": sorted(remote.scopes.keys() - ours.keys()),
        "described": {name: text for name, text in both.items() if text != ours[name].description},
    }  # fmt: skip
    return {what: value for what, value in found.items() if value}
