"""Mail the portal sends; what is in it never opens anything twice, and never holds a secret."""

import logging
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from clients.models import User

logger = logging.getLogger(__name__)


def send_invitation(email: str, token: str, *, inviter: User) -> bool:
    """Whether the mail server took it. The token stands in the fragment: browsers do not send that, servers do not log
    it."""
    context = {"link": f"{settings.BASE_URL}/invitation/#{token}", "inviter": inviter, "email": email}
    return _send("Your invitation to the Client Portal", "invitation", context, email)


def send_account_changed(user: User, what: str, *, address: str) -> bool:
    """To whoever's account it is, so that a change that was not theirs shows."""
    context = {"what": what, "address": address, "at": timezone.now(), "link": f"{settings.BASE_URL}/account/sessions/"}
    return _send(what.rstrip("."), "account_changed", context, user.email)


def _send(subject: str, template: str, context: dict[str, Any], email: str) -> bool:
    """Whether the mail server took it; the act it tells of stands in any case."""
    try:
        send_mail(subject, render_to_string(f"mail/{template}.txt", context), None, [email])
    except (OSError, SMTPException) as error:
        logger.warning("%s not mailed: %s", template, type(error).__name__)
        return False
    return True
