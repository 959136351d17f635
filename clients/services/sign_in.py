"""What of signing in belongs into the trail: in, out, and how one signs in."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from clients.errors import AuditUnavailable
from clients.models import AuditOrigin, Outcome, User
from clients.services import audit

logger = logging.getLogger(__name__)


FAMILIAR_FOR = timedelta(days=90)


def has_signed_in_from(email: str, address: str) -> bool:
    """Whether this person has, lately; one question of the database, whether the person is known or not."""
    lately = {"entry__action": "person:sign_in", "entry__at__gt": timezone.now() - FAMILIAR_FOR}
    return AuditOrigin.objects.filter(entry__actor__email=email, address=address or None, **lately).exists()


def record_sign_in(user: User) -> None:
    """Before the session begins: without this entry it does not."""
    with transaction.atomic():
        audit.append("person:sign_in", Outcome.OK, actor=user, via="web", tenant=user.tenant)


def record_sign_out(user: User) -> None:
    """Nobody is kept signed in because the trail takes no entry."""
    try:
        with transaction.atomic():
            audit.append("person:sign_out", Outcome.OK, actor=user, via="web", tenant=user.tenant)
    except AuditUnavailable:
        logger.exception("a sign-out was not recorded")


def record_account_change(user: User, action: str, change: str) -> None:
    """A password or a second factor became another one, by its owner; inside the transaction of that."""
    with transaction.atomic():
        audit.append(action, Outcome.OK, actor=user, via="web", tenant=user.tenant, detail={"change": change})
