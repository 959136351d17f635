"""Who of the staff looks after a client: our own fact, Cognito knows no contact."""

from typing import Any

from django.db import transaction
from django.db.models import F

from clients.errors import Conflict, refuse
from clients.models import AppClient, Outcome, User
from clients.services import audit


def set_contact(app_client: AppClient, *, actor: User, contact: User, via: str = "web") -> bool:
    """The client's contact is this member of the staff; True when it was somebody else or nobody.

    Whoever has the client's settings open is told of it when saving, so that their form does not put the old contact
    back. Refused: somebody who is not of the staff or has left (InvalidInput), a deleted client, a contact somebody
    else set at this very moment (Conflict). Setting the same again, also by a double click, is no act.
    """
    refuse({"contact": check_contact(contact)})
    try:
        with transaction.atomic():
            return write_contact(app_client, contact, actor=actor, via=via, generation=F("generation") + 1)
    except Conflict:
        if AppClient.objects.present().filter(pk=app_client.pk, contact=contact).exists():
            return False
        raise


def check_contact(contact: User | None) -> list[str]:
    if contact and not (contact.is_staff_member and contact.is_active):
        return ["The contact is one of the staff."]
    return []


def write_contact(app_client: AppClient, contact: User | None, *, actor: User, via: str, **more: Any) -> bool:
    """The row and its audit entry, inside a transaction of the caller, who also sees to the generation. True when
    `app_client` showed another contact; Conflict when that is no longer the one it has."""
    before, after = app_client.contact_id, contact.pk if contact else None
    if before == after:
        return False
    rows = AppClient.objects.present().filter(pk=app_client.pk, contact=before)
    if not rows.update(contact=after, **more):
        raise Conflict(f"{app_client} was deleted, or somebody else set its contact at this moment.")
    detail = {"before": {"contact": before}, "after": {"contact": after}}
    audit.append("client:set_contact", Outcome.OK, actor=actor, via=via, app_client=app_client, detail=detail)
    return True
