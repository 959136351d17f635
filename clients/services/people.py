"""People: they come by invitation, single use, expiring."""

import hashlib
import secrets as random
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import TENANT_ROLES, Invitation, Outcome, Role, Tenant, User
from clients.services import audit

VALID_FOR = timedelta(days=7)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def invite(email: str, role: str, *, tenant: Tenant | None = None, actor: User | None, via: str = "web") -> str:
    """A single-use token, valid 7 days; only its hash is kept. Refused: known addresses, a role without its tenant."""
    email = email.strip().lower()
    if role not in Role.values:
        raise InvalidInput({"role": [f"There is no role {role}. Roles: {', '.join(Role.values)}."]})
    if (role in TENANT_ROLES) != (tenant is not None):
        raise InvalidInput({"tenant": ["Managers and developers belong to a tenant, staff to none."]})
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput({"email": [f"{email or 'Nothing'} is no e-mail address. Write name@example.com."]}) from None
    if User.objects.filter(email=email).exists():
        raise InvalidInput({"email": [f"{email} has an account already."]})
    token = random.token_urlsafe(32)
    with transaction.atomic():
        Invitation.objects.create(
            email=email,
            role=role,
            tenant=tenant,
            token_hash=_hash(token),
            invited_by=actor,
            expires_at=timezone.now() + VALID_FOR,
        )
        audit.append("person:invite", Outcome.OK, actor=actor, via=via, tenant=tenant, detail={"role": role})
    return token


def accept_invitation(token: str, *, name: str, password: str, via: str = "web") -> User:
    """The invited person's account, its address verified by the link. Raises Conflict when used, revoked or expired."""
    try:
        validate_password(password)
    except ValidationError as error:
        raise InvalidInput({"password": list(error.messages)}) from None
    now = timezone.now()
    gone = Conflict("This invitation was used, withdrawn or has expired. Ask for a new one.")
    with transaction.atomic():
        invitation = Invitation.objects.filter(token_hash=_hash(token.strip())).first()
        if invitation is None:
            raise gone
        open_ones = Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True, revoked_at__isnull=True)
        if open_ones.filter(expires_at__gt=now).update(accepted_at=now) != 1:
            raise gone
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    invitation.email, password, name=name, role=invitation.role, tenant=invitation.tenant
                )
        except IntegrityError:
            raise gone from None
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        audit.append("person:accept", Outcome.OK, actor=user, via=via, tenant=user.tenant, detail={"role": user.role})
    return user
