"""Mail the portal sends, as plain text and the same text in one layout; never a secret in it."""

import logging
from datetime import datetime
from smtplib import SMTPException
from typing import Any

from anymail.exceptions import AnymailError
from botocore.exceptions import BotoCoreError
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from clients.errors import scrubbed
from clients.models import AppClient, Handover, ReminderKind, Role, User
from clients.services.handovers import link_to

logger = logging.getLogger(__name__)

# SMTP's two, anymail's own, and boto3's for SES without a Region or credentials, which anymail lets through.
NOT_MAILED = (OSError, SMTPException, AnymailError, BotoCoreError)


@sensitive_variables()
def send_invitation(email: str, token: str, *, inviter: User) -> bool:
    """Whether the mail server took it. The token stands in the fragment: browsers do not send that, servers do not log
    it."""
    context = {"link": f"{settings.BASE_URL}/invitation/#{token}", "inviter": inviter, "email": email}
    return _send("Your invitation to the Client Portal", "invitation", context, email)


def send_account_changed(user: User, what: str, *, address: str) -> bool:
    """To whoever's account it is, so that a change that was not theirs shows."""
    context = {"what": what, "address": address, "at": timezone.now(), "link": f"{settings.BASE_URL}/account/sessions/"}
    return _send(what.rstrip("."), "account_changed", context, user.email)


def send_handover_waiting(handover: Handover) -> bool:
    """To the member it is for: where it waits, and nothing that opens it."""
    link = f"{settings.BASE_URL}/clients/{handover.app_client.public_id}/"
    context = {"handover": handover, "link": link, "organisation": settings.ORGANISATION}
    email = handover.member.email if handover.member else ""
    return _send(f"Credentials of {handover.app_client} are waiting for you", "handover_waiting", context, email)


@sensitive_variables()
def send_handover_link(handover: Handover, token: str) -> bool:
    """To the tenant's recorded address. The code stands in the fragment, as with invitations."""
    context = {"handover": handover, "link": link_to(token), "organisation": settings.ORGANISATION}
    return _send(f"{settings.ORGANISATION} sent you API credentials", "handover_link", context, handover.email)


def send_handover_alarm(handover: Handover) -> bool:
    """To whoever looks after the client and whoever handed it over: somebody else has the secret."""
    return _send_to_staff(handover, "Somebody else may hold a secret", "handover_alarm")


def send_handover_asked(handover: Handover) -> bool:
    return _send_to_staff(handover, "A customer asks for a new link", "handover_asked")


def send_change_request(app_client: AppClient, text: str, *, who: User, to: User) -> bool:
    link = f"{settings.BASE_URL}{reverse('client-overview', args=[app_client.public_id])}"
    context = {"app_client": app_client, "text": scrubbed(text), "who": who, "link": link}
    return _send(f"A change of {app_client} is asked for", "change_request", context, to.email)


def send_reminder(app_client: AppClient, kind: str, ends_at: datetime, days: int, email: str) -> bool:
    """To the contact or the customer: what ends when, and one link to the step."""
    link = f"{settings.BASE_URL}{reverse('client-secrets', args=[app_client.public_id])}"
    context = {"app_client": app_client, "kind": kind, "ends_at": ends_at, "days": days, "link": link,
               "organisation": settings.ORGANISATION, "is_past": ends_at.date() < timezone.now().date()}  # fmt: skip
    when = "ends today" if days == 0 else f"ends within {days} day{'' if days == 1 else 's'}"
    if context["is_past"]:  # a worker that stood still, or a reminder that was postponed beyond the end
        when = f"ended on {ends_at:%-d %b %Y}"
    what = "The overlap" if kind == ReminderKind.OVERLAP else "A secret"
    return _send(f"{what} of {app_client} {when}", "reminder", context, email)


def _send_to_staff(handover: Handover, subject: str, template: str) -> bool:
    people = {person.email for person in whom_to_tell(handover.app_client, handover.created_by)}
    link = f"{settings.BASE_URL}{reverse('handover-page', args=[handover.public_id])}"
    context = {"handover": handover, "link": link}
    sent = [_send(f"{subject}: {handover.app_client}", template, context, email) for email in sorted(people)]
    return all(sent)


def whom_to_tell(app_client: AppClient, *others: User) -> list[User]:
    """Who looks after it and whoever else has to do with it, of those who still work here; else the tenant's contact,
    else every administrator."""
    staff = [person for person in (app_client.contact, *others) if person and person.is_active and not person.tenant_id]
    known = app_client.tenant.contact
    return staff or (
        [known] if known and known.is_active else list(User.objects.filter(role=Role.ADMINISTRATOR, is_active=True))
    )


@sensitive_variables()
def _send(subject: str, template: str, context: dict[str, Any], email: str) -> bool:
    """Whether the mail server or provider took it; the act it tells of stands in any case."""
    text = render_to_string(f"mail/{template}.txt", context)
    frame = {"subject": subject, "text": text, "organisation": settings.ORGANISATION}
    pretty = render_to_string("mail/layout.html", frame)
    try:
        send_mail(subject, text, None, [email], html_message=pretty)
    except NOT_MAILED as error:
        note_not_mailed(template, error)
        return False
    return True


def note_not_mailed(template: str, error: Exception) -> None:
    """The kind of the failure alone: what a server answers may repeat the mail."""
    why, status = type(error.__cause__ or error).__name__, getattr(error, "status_code", None)
    logger.warning("%s not mailed: %s", template, f"{why} {status}" if status else why)
