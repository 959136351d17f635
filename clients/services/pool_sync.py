"""The portal's rows compared with Cognito, again and again. It reports; what it does not own it never touches."""

import logging
import re
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from clients.aws import claims_table
from clients.aws.cognito import Described, Gateway, pause_between_calls
from clients.errors import NotFound, PortalError
from clients.models import AppClient, Operation, Outcome, Status, UserPool
from clients.services import audit, catalogue_sync, claims, restores
from clients.services.pools import check_presence

logger = logging.getLogger(__name__)
EVERY = timedelta(minutes=5)
OUR_TAG = re.compile(r" op-([0-9A-HJKMNP-TV-Z]{26})\Z", re.ASCII)
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


def owned_facts(described: Described) -> dict[str, Any]:
    """What of Describe's answer the portal decides, in units that compare: validity in seconds (cognito_facts 1)."""
    unit = described.get("TokenValidityUnits", {}).get("AccessToken", "hours")
    return {
        "name": described.get("ClientName", ""),
        "scopes": sorted(described.get("AllowedOAuthScopes", [])),
        "access_token_seconds": described.get("AccessTokenValidity", 1) * SECONDS[unit],
        "flow": bool(described.get("AllowedOAuthFlowsUserPoolClient"))
        and "client_credentials" in described.get("AllowedOAuthFlows", []),
    }


def wanted_facts(app_client: AppClient) -> dict[str, Any]:
    return {
        "name": app_client.cognito_name,
        "scopes": sorted(app_client.scopes.values_list("full_name", flat=True)),
        "access_token_seconds": app_client.access_token_seconds,
        "flow": app_client.status != Status.PAUSED,
        "secrets": True,
    }


def observe(app_client: AppClient) -> list[str]:
    """Looks the client up and notes which of our facts differ there: names of facts, `missing`, or nothing.

    A change of the finding is one audit entry. Cognito out of reach leaves what was known, and moves the next look on.
    Writes nothing remote.
    """
    generation, later = app_client.generation, timezone.now() + EVERY
    try:
        facts = _look_up(app_client)
    except PortalError as error:
        logger.warning("observing client %s: %s", app_client.public_id, error.technical)
        facts = None
    if facts is None:
        AppClient.objects.filter(pk=app_client.pk).update(observe_after=later)
        return list(app_client.drift)
    wanted, strangers = wanted_facts(app_client), facts.pop("strangers", [])
    drift = [name for name in wanted if facts[name] != wanted[name]] if facts else ["missing"]
    drift += ["strangers"] if strangers else []
    with transaction.atomic():
        # Only while nothing was changed here meanwhile: else this would be news from before the change.
        same = AppClient.objects.filter(pk=app_client.pk, generation=generation)
        same = same.exclude(operations__in=Operation.objects.live())
        found = {"observed": facts, "observed_at": timezone.now(), "drift": drift, "foreign_secrets": strangers}
        if not same.update(observe_after=later, **found):
            return list(app_client.drift)
        if drift != app_client.drift or strangers != app_client.foreign_secrets:
            detail = {"differs": drift, "in_cognito": facts, "here": wanted, "foreign_secrets": strangers}
            audit.append("client:observe", Outcome.OK, actor=None, via="portal", app_client=app_client, detail=detail)
    return drift


def _look_up(app_client: AppClient) -> dict[str, Any] | None:
    """What Cognito holds of ours, and the ids of `strangers` among the secrets; empty when the client is missing; None
    when its whole pool is: one finding there, not one per client."""
    gateway, client_id = Gateway(app_client.pool.region, app_client.pool.user_pool_id), str(app_client.client_id)
    ours = set(app_client.secrets.alive().values_list("cognito_secret_id", flat=True))
    try:
        facts = owned_facts(gateway.describe_client(client_id))
        there = [held.secret_id for held in gateway.list_secrets(client_id)]
        secrets = {"secrets": ours <= set(there), "strangers": sorted(set(there) - ours)}
        return facts | secrets
    except NotFound:
        return {} if check_presence(app_client.pool) else None


def observe_due(limit: int = 5) -> int:
    """Observes the clients not looked at for five minutes, longest ago first; how many. A pool that is missing is not
    drift. Paced below Cognito's five Describes per second and pool (cognito_facts section 7)."""
    due = AppClient.objects.filter(client_id__isnull=False, pool__is_missing=False)
    due = due.exclude(status__in=[Status.CREATING, Status.DELETED]).exclude(observe_after__gt=timezone.now())
    due = due.exclude(operations__in=Operation.objects.live()).select_related("pool", "tenant")
    found = list(due.order_by(F("observe_after").asc(nulls_first=True), "pk")[:limit])
    for app_client in found:
        try:
            observe(app_client)
            check_document(app_client)
        except Exception:  # one client's trouble must not keep the others from being looked at
            logger.exception("observing client %s", app_client.public_id)
            AppClient.objects.filter(pk=app_client.pk).update(observe_after=timezone.now() + EVERY)
        pause_between_calls()
    return len(found)


def check_document(app_client: AppClient) -> bool:
    """True when the claims table holds what we published. One edited, removed or put there by somebody else is ours
    to repair: it is published again under a version above both, and the trail says so."""
    fresh = AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk)
    if not fresh.is_published:
        return True
    wanted = claims.document_for(fresh)
    try:
        held = claims_table.look_up(fresh.pool.region, fresh.pool.claims_table, wanted.client_id)
    except PortalError as error:
        logger.warning("reading the document of client %s: %s", fresh.public_id, error.technical)
        return True
    if held.document == wanted:
        return True
    if restores.is_on():
        _note_document(fresh)
        return False
    above = max(wanted.version, held.version) + 1
    with transaction.atomic():
        same = AppClient.objects.filter(
            pk=fresh.pk, document_version=wanted.version, published_version=wanted.version, generation=fresh.generation
        )
        if same.exclude(operations__in=Operation.objects.live()).update(document_version=above, publish_after=None):
            found = held.document.state if held.document else "something damaged" if held.is_damaged else "nothing"
            detail = {"held": found, "version_held": held.version}
            audit.append("attributes:repair", Outcome.OK, actor=None, via="portal", app_client=fresh, detail=detail)
    return False


def _note_document(app_client: AppClient) -> None:
    """Reported, not repaired: what stands in the table may be newer than what a restored database knows."""
    if "document" not in app_client.drift and app_client.drift != ["missing"]:
        AppClient.objects.filter(pk=app_client.pk).update(drift=[*app_client.drift, "document"])


# --- Clients nobody here knows -------------------------------------------------------------------


def compare_pool(pool: UserPool) -> list[dict[str, Any]]:
    """Lists the pool's app clients and notes those without a row here: `client_id`, `name`, and `ours`, whether the
    name carries a tag of the portal's. They are reported, never touched. A change of the finding is an audit entry."""
    # In this order: what is created after the list is not in it, and what is finished after the second look is known.
    remote = dict(Gateway(pool.region, pool.user_pool_id).list_clients())
    creating = set(Operation.objects.live().filter(pool=pool).values_list("pk", flat=True))
    known = set(AppClient.objects.filter(pool=pool).values_list("client_id", flat=True))
    foreign = []
    for client_id in sorted(remote.keys() - known):
        tag = OUR_TAG.search(remote[client_id])
        if tag is None or tag[1] not in creating:
            foreign.append({"client_id": client_id, "name": remote[client_id], "ours": tag is not None})
    with transaction.atomic():
        UserPool.objects.filter(pk=pool.pk).update(foreign_clients=foreign, compared_at=timezone.now())
        if foreign != pool.foreign_clients:
            detail = _moved(pool.foreign_clients, foreign)
            audit.append("pool:compare", Outcome.OK, actor=None, via="portal", pool=pool, detail=detail)
    return foreign


def _moved(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """What came and what went, not the whole list: the trail keeps everything for ever."""
    came, went = [row for row in after if row not in before], [row for row in before if row not in after]
    return {"unknown": len(after), "came": came[:50], "went": went[:50]}


def compare_due() -> int:
    """Compares the pools not compared for five minutes, their clients and resource servers; how many. One that cannot
    be reached has its turn later."""
    due = UserPool.objects.filter(is_missing=False).exclude(compared_at__gt=timezone.now() - EVERY)
    for pool in due:
        try:
            compare_pool(pool)
            catalogue_sync.compare_servers(pool)
        except PortalError as error:
            UserPool.objects.filter(pk=pool.pk).update(compared_at=timezone.now())
            logger.warning("comparing pool %s: %s", pool, error.technical)
    return len(due)
