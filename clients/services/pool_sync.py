"""The portal's rows compared with Cognito, again and again. It reports; what it does not own it never touches."""

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from clients.aws.cognito import Described, Gateway
from clients.errors import NotFound, PortalError
from clients.models import AppClient, Operation, Outcome, Status
from clients.services import audit
from clients.services.pools import check_presence

logger = logging.getLogger(__name__)
EVERY = timedelta(minutes=5)
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
    }


def observe(app_client: AppClient) -> list[str]:
    """Looks the client up and notes which of our facts differ there: names of facts, `missing`, or nothing.

    A change of the finding is one audit entry. Cognito out of reach leaves what was known. Writes nothing remote.
    """
    gateway = Gateway(app_client.pool.region, app_client.pool.user_pool_id)
    generation = app_client.generation
    try:
        facts: dict[str, Any] = owned_facts(gateway.describe_client(str(app_client.client_id)))
    except NotFound:
        if not check_presence(app_client.pool):  # the whole pool is gone: one finding, not one per client
            return list(app_client.drift)
        facts = {}
    except PortalError as error:
        logger.warning("observing client %s: %s", app_client.public_id, error.technical)
        return list(app_client.drift)
    wanted = wanted_facts(app_client)
    drift = [name for name in wanted if facts[name] != wanted[name]] if facts else ["missing"]
    with transaction.atomic():
        # Only while nothing was changed here meanwhile: else this would be news from before the change.
        same = AppClient.objects.filter(pk=app_client.pk, generation=generation)
        same = same.exclude(operations__in=Operation.objects.live())
        if not same.update(observed=facts, observed_at=timezone.now(), drift=drift):
            return list(app_client.drift)
        if drift != app_client.drift:
            detail = {"differs": drift, "in_cognito": facts, "here": wanted}
            audit.append("client:observe", Outcome.OK, actor=None, via="portal", app_client=app_client, detail=detail)
    return drift


def observe_due(limit: int = 10) -> int:
    """Observes the clients not looked at for five minutes, longest ago first. A pool that is missing is not drift."""
    due = AppClient.objects.filter(client_id__isnull=False, pool__is_missing=False)
    due = due.exclude(status__in=[Status.CREATING, Status.DELETED]).exclude(observed_at__gt=timezone.now() - EVERY)
    due = due.exclude(operations__in=Operation.objects.live()).select_related("pool", "tenant")
    found = list(due.order_by("observed_at")[:limit])
    for app_client in found:
        observe(app_client)
    return len(found)
