"""Last use: what the trigger noted in the `usage` table, copied to our rows now and then."""

import logging
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from clients.aws import claims_table
from clients.errors import PortalError
from clients.models import AppClient, Handover, Secret, SecretState, Status, UserPool

logger = logging.getLogger(__name__)
EVERY = timedelta(minutes=1)
KEPT_DAYS = 30


def refresh_usage(app_client: AppClient) -> None:
    """Copies when the last token went out and how many on each of the last days. An unreachable table leaves what we
    knew, and is noted on the pool until it is read again."""
    pool, now = app_client.pool, timezone.now()
    changes: dict[str, Any] = {"usage_checked_at": now}
    try:
        usage = claims_table.usage_of(pool.region, pool.usage_table, str(app_client.client_id))
    except PortalError as error:
        logger.warning("usage of client %s: %s", app_client.public_id, error.technical)
        UserPool.objects.filter(pk=pool.pk, usage_unread_since=None).update(usage_unread_since=now)
    else:
        UserPool.objects.filter(pk=pool.pk, usage_unread_since__isnull=False).update(usage_unread_since=None)
        since = (now - timedelta(days=KEPT_DAYS - 1)).strftime("%Y%m%d")
        changes["tokens_per_day"] = {day: count for day, count in usage.per_day.items() if day >= since}
        changes |= {"last_token_at": usage.last_issued_at} if usage.last_issued_at else {}
        changes["reported_ending"] = usage.reported_ending
    AppClient.objects.filter(pk=app_client.pk).update(**changes)
    if seen := changes.get("last_token_at"):
        after = seen + timedelta(seconds=1)  # the trigger notes whole seconds
        shown = Handover.objects.filter(app_client=app_client, first_token_at=None, shown_at__lt=after)
        shown.filter(_asked_with(app_client, str(changes.get("reported_ending", "")))).update(first_token_at=seen)


def _asked_with(app_client: AppClient, reported: str) -> Q:
    """The secret that a token just seen may have been asked for with: the only one there is; of two the one the caller
    reports, for Cognito does not say which it was."""
    there = Secret.objects.alive().filter(app_client=app_client).exclude(state=SecretState.PENDING)
    return Q(secret__in=there if there.count() < 2 else there.filter(ending=reported))


def collect_due(limit: int = 20) -> int:
    """Looks at the clients not looked at for a minute, longest ago first. Returns how many."""
    stale = AppClient.objects.exclude(status__in=[Status.CREATING, Status.DELETED]).filter(client_id__isnull=False)
    stale = (
        stale.exclude(usage_checked_at__gt=timezone.now() - EVERY).select_related("pool").order_by("usage_checked_at")
    )
    looked = list(stale[:limit])
    for app_client in looked:
        refresh_usage(app_client)
    return len(looked)
