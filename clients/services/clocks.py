"""Whether this machine's clock can be trusted with what cannot be taken back: it is compared with AWS's own."""

import logging
from datetime import timedelta

from django.utils import timezone

from clients.errors import PortalError
from clients.models import UserPool
from clients.services.app_clients import gateway_for

logger = logging.getLogger(__name__)
TOLERATED = timedelta(minutes=2)


def is_right(pool: UserPool) -> bool:
    """False when it is wrong, or when AWS cannot be asked: what is due then waits."""
    try:
        there = gateway_for(pool).clock()
    except PortalError as error:
        logger.warning("the clock of pool %s cannot be asked: %s", pool, error.technical)
        return False
    wrong = abs(timezone.now() - there)
    if wrong > TOLERATED:
        logger.error("this machine's clock differs from that of AWS by %s: nothing due is done", wrong)
    return wrong <= TOLERATED
