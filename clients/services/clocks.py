"""Whether this machine's clock can be trusted with what cannot be taken back: it is compared with AWS's own."""

import logging
from datetime import timedelta

from django.utils import timezone

from clients.errors import PortalError
from clients.models import UserPool
from clients.services.app_clients import gateway_for

logger = logging.getLogger(__name__)
TOLERATED = timedelta(minutes=2)


def ahead(pool: UserPool) -> timedelta | None:
    """How far this machine's clock is ahead of that of AWS; None when AWS cannot be asked."""
    try:
        return timezone.now() - gateway_for(pool).clock()
    except PortalError as error:
        logger.warning("the clock of pool %s cannot be asked: %s", pool, error.technical)
        return None


def is_right(pool: UserPool) -> bool:
    """False when it is wrong, or when AWS cannot be asked: what is due then waits."""
    return is_tolerable(ahead(pool))


def is_tolerable(ahead: timedelta | None) -> bool:
    if ahead is not None and abs(ahead) > TOLERATED:
        logger.error("this machine's clock differs from that of AWS by %s: nothing due is done", ahead)
    return ahead is not None and abs(ahead) <= TOLERATED
