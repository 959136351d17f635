"""What members ask for and may not change themselves."""

from django.db import transaction

from clients.errors import InvalidInput
from clients.models import AppClient, Outcome, Role, User
from clients.services import audit
from clients.validators import is_plain_line


def asked_of(app_client: AppClient) -> User:
    """Who hears of it, of those who still work here: the client's contact, else the tenant's, else whoever made the
    client, else an administrator."""
    known = (app_client.contact, app_client.tenant.contact, app_client.created_by)
    active = [person for person in known if person and person.is_active]
    return (active or list(User.objects.filter(role=Role.ADMINISTRATOR, is_active=True)))[0]


def request_change(app_client: AppClient, text: str, *, actor: User, via: str = "web") -> User:
    """Recorded in the activity; returns whom it is to be mailed to. Refused (InvalidInput): nothing readable."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if not any(lines) or not all(is_plain_line(line) for line in lines if line):
        raise InvalidInput({"text": ["Say in plain words what should change, without invisible characters."]})
    with transaction.atomic():
        said = " ".join(lines)[:500]
        audit.append("client:request_change", Outcome.OK, actor=actor, via=via, app_client=app_client, reason=said)
    return asked_of(app_client)
