"""Mail the portal sends; what is in it never opens anything twice, and never holds a secret."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from clients.models import User

logger = logging.getLogger(__name__)


def send_invitation(email: str, token: str, *, inviter: User) -> bool:
    """Whether the mail server took it. The token stands in the fragment: browsers do not send that, servers do not log
    it."""
    context = {"link": f"{settings.BASE_URL}/invitation/#{token}", "inviter": inviter, "email": email}
    try:
        send_mail(
            "Your invitation to the Client Portal", render_to_string("mail/invitation.txt", context), None, [email]
        )
    except (OSError, SMTPException) as error:
        logger.warning("invitation not mailed: %s", type(error).__name__)
        return False
    return True
