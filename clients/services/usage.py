"""Last use: what the trigger noted in the `usage` table, copied to our rows now and then."""

import logging
from datetime import timedelta

from django.utils import timezone

from clients.aws import claims_table
from clients.errors import PortalError
from clients.models import AppClient, Status

logger = logging.getLogger(__name__)
EVERY = timedelta(minutes=1)


def refresh_last_token(app_client: AppClient) -> None:
    """Copies when the last token went out. An unreachable table leaves what we knew."""
    pool = app_client.pool
    try:
        last = claims_table.last_issued_at(pool.region, pool.usage_table, str(app_client.client_id))
    except PortalError as error:
        logger.warning("usage of client %s: %s", app_client.public_id, error.technical)
        last = None
    AppClient.objects.filter(pk=app_client.pk).update(usage_checked_at=timezone.now())
    if last:
        AppClient.objects.filter(pk=app_client.pk).update(last_token_at=last)


def collect_due(limit: int = 20) -> int:
    """Looks at the clients not looked at for a minute, longest ago first. Returns how many."""
    stale = AppClient.objects.exclude(status__in=[Status.CREATING, Status.DELETED]).filter(client_id__isnull=False)
    stale = (
        stale.exclude(usage_checked_at__gt=timezone.now() - EVERY).select_related("pool").order_by("usage_checked_at")
    )
    looked = list(stale[:limit])
    for app_client in looked:
        refresh_last_token(app_client)
    return len(looked)
