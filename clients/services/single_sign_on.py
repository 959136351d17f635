"""Who signs in through the organisation's own provider: one identity there, one member of the staff here, for good."""

import logging
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction

from clients.errors import Conflict, InvalidInput, PortalError
from clients.models import TENANT_ROLES, Outcome, Role, User
from clients.services import audit, people

logger = logging.getLogger(__name__)
STAFF_ROLES = [role for role in Role if role not in TENANT_ROLES]


class NotAdmitted(PortalError):
    """Nobody is signed in, nothing was connected; `case` names the page that says why."""

    code = "not_admitted"

    def __init__(self, case: str) -> None:
        super().__init__(case)
        self.case = case


@dataclass(frozen=True)
class Identity:
    """What a verified ID token says of somebody; `email` only when the provider vouches for it."""

    provider: str
    subject: str
    email: str
    name: str
    groups: frozenset[str]


def read_claims(provider: str, claims: dict[str, Any]) -> Identity:
    """`email_verified` counts as the value true alone: some providers send the word "false", which is not empty."""
    email = claims.get("email") if claims.get("email_verified") is True else ""
    name = claims.get("name")
    return Identity(
        provider,
        str(claims["sub"]),
        _comparable(email) if isinstance(email, str) else "",
        name[:100] if isinstance(name, str) and name.isprintable() else "",
        _groups(claims.get(settings.OIDC_ROLE_CLAIM)) if settings.OIDC_ROLE_CLAIM else frozenset(),
    )


def _comparable(email: str) -> str:
    """As addresses are kept here. Only ASCII letters lose their case: others would become somebody else's, as the
    Kelvin sign becomes a k."""
    email = email.strip()
    return (email.lower() if email.isascii() else email) if email.isprintable() else ""


def _groups(held: Any) -> frozenset[str]:
    return frozenset(each for each in (held if isinstance(held, list) else [held]) if isinstance(each, str))


def admit(identity: Identity, *, via: str = "web") -> User:
    """The active member of staff this identity is, with the role its groups map to, if any do.

    Known by `sub` once connected: what the provider says of the address afterwards changes nothing. Before that an
    address it vouches for is matched, once, to a member of staff or to an open invitation of one. Raises NotAdmitted
    otherwise, and leaves nothing behind.
    """
    with transaction.atomic():
        linked = SocialAccount.objects.filter(provider=identity.provider, uid=identity.subject)
        account = linked.select_related("user").first()
        person = account.user if account else _match(identity, via)
        if not person.is_active:
            raise NotAdmitted("closed")
        if not person.is_staff_member:
            raise NotAdmitted("member")
        if account is None:
            connect(person, identity.provider, identity.subject, via=via)
        return _with_mapped_role(person, identity.groups)


def _match(identity: Identity, via: str) -> User:
    if not identity.email:
        raise NotAdmitted("unverified")
    person = User.objects.filter(email=identity.email).first()
    try:
        person = person or people.accept_by_address(identity.email, name=identity.name, via=via)
    except Conflict:
        raise NotAdmitted("again") from None
    if person is None:
        raise NotAdmitted("uninvited")
    return person


def connect(person: User, provider: str, subject: str, *, via: str = "web") -> None:
    """From now on this identity at the provider, whatever its address, is this person. Nothing else of it is kept.
    Raises NotAdmitted when the person has another one there, or the identity is another person's."""
    with transaction.atomic():
        # Held: of two first sign-ins at once, under two identities, the second has to see the first one's row.
        User.objects.select_for_update().get(pk=person.pk)
        if SocialAccount.objects.filter(provider=provider, user=person).exists():
            raise NotAdmitted("other")
        try:
            with transaction.atomic():
                SocialAccount.objects.create(provider=provider, user=person, uid=subject)
        except IntegrityError:
            raise NotAdmitted("again") from None
        detail = {"person": person.pk, "provider": provider, "subject": subject}
        audit.append("person:link", Outcome.OK, actor=person, via=via, tenant=person.tenant, detail=detail)


# --- Roles -------------------------------------------------------------------------------------------


def role_map() -> list[tuple[str, str]]:
    """(group, role) in the order of the setting. Parts that name no role of staff are kept for the check that refuses
    them (`clients/checks.py`)."""
    parts = [part.rpartition("=") for part in settings.OIDC_ROLE_MAP.split(",") if part.strip()]
    return [(group.strip(), role.strip()) for group, _, role in parts]


def _with_mapped_role(person: User, groups: frozenset[str]) -> User:
    """The first group of the map they are in says their role; in none of them, they keep what they have: leaving every
    group is no role, and who shall not sign in is deactivated. The last administrator stays one."""
    role = next((role for group, role in role_map() if group in groups and role in STAFF_ROLES), person.role)
    if role == person.role:
        return person
    try:
        people.change_role(person, role, actor=None, via="single sign-on")
    except InvalidInput as refusal:
        logger.warning("a role from the provider was not taken: %s", refusal.sentence)
    except Conflict:
        raise NotAdmitted("again") from None
    return User.objects.get(pk=person.pk)
