"""People: they come by invitation, single use, expiring."""

import hashlib
import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from clients.errors import Conflict, InvalidInput, refuse
from clients.models import TENANT_ROLES, AppClient, Handover, Invitation, Outcome, Role, Tenant, TenantStatus, User
from clients.services import audit
from clients.services.contacts import check_contact, write_contact
from clients.services.secrets import withdraw_offers

VALID_FOR = timedelta(days=7)
GONE = "This invitation was used, withdrawn or has expired. Ask for a new one."


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
    if tenant and (gone := _off_boarded(tenant)):
        raise InvalidInput({"tenant": [gone]})
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


def _off_boarded(tenant: Tenant) -> str:
    """Why nobody joins it any more; empty where they may."""
    is_gone = Tenant.objects.filter(pk=tenant.pk, status=TenantStatus.OFF_BOARDED).exists()
    return f"{tenant} was off-boarded: it has no members any more." if is_gone else ""


def roles_given_by(actor: User) -> list[Role]:
    """Administrators give every role, operators and managers those of tenants."""
    return list(Role) if actor.role == Role.ADMINISTRATOR else list(TENANT_ROLES)


def send_again(invitation: Invitation, *, actor: User, via: str = "web") -> str:
    """A new token, valid 7 days; the one before is worth nothing. Refused (Conflict): accepted or withdrawn."""
    token = random.token_urlsafe(32)
    _close(
        invitation, actor, via, "person:invite_again", token_hash=_hash(token), expires_at=timezone.now() + VALID_FOR
    )
    return token


def withdraw_invitation(invitation: Invitation, *, actor: User, via: str = "web") -> None:
    """The link opens nothing any more. Refused (Conflict): accepted or withdrawn before."""
    _close(invitation, actor, via, "person:invite_withdraw", revoked_at=timezone.now())


def _close(invitation: Invitation, actor: User, via: str, action: str, **changes: Any) -> None:
    with transaction.atomic():
        if not Invitation.objects.open().filter(pk=invitation.pk).update(**changes):
            raise Conflict("This invitation was accepted or withdrawn meanwhile.")
        detail = {"role": invitation.role, "invitation": invitation.pk}
        audit.append(action, Outcome.OK, actor=actor, via=via, tenant=invitation.tenant, detail=detail)


def change_role(user: User, role: str, *, actor: User | None, via: str = "web") -> None:
    """From the next request on; every session of theirs ends. Without an actor it is the provider of single sign-on
    that says so. Refused: one's own role, a member's to staff or the other way round (invite them anew: the trail keeps
    who they were), the last administrator's."""
    staff = [r for r in Role if r not in TENANT_ROLES]
    allowed = list(TENANT_ROLES) if user.role in TENANT_ROLES else staff
    refuse({"role": [
        *(["Nobody changes their own role."] if user == actor else []),
        *([f"{user} can be: {', '.join(r.label for r in allowed)}."] if role not in allowed else []),
    ]})  # fmt: skip
    if role == user.role:
        return
    before = user.role
    with _one_administrator_stays():
        if not _write(user, role=role, session_epoch=F("session_epoch") + 1):
            raise Conflict(f"Somebody else changed {user} at this moment. Look at the page again.")
        detail = {"person": user.pk, "before": {"role": before}, "after": {"role": role}}
        audit.append("person:change_role", Outcome.OK, actor=actor, via=via, tenant=user.tenant, detail=detail)


def deactivate(user: User, *, actor: User, heir: User | None = None, via: str = "web") -> int:
    """They are signed out and cannot sign in; clients and tenants they looked after go to `heir`. Returns how many
    clients that are. Refused: oneself, the last administrator, clients without an heir, an heir who is not of the
    active staff."""
    held = AppClient.objects.present().filter(contact=user)
    problems: dict[str, list[str]] = {"heir": check_contact(heir)}
    if user == actor:
        problems["heir"].append("Nobody takes their own access away. Ask another administrator.")
    if heir == user or (heir is None and (held.exists() or Tenant.objects.filter(contact=user).exists())):
        problems["heir"].append("Say who looks after their clients and tenants from now on.")
    refuse(problems)
    with _one_administrator_stays():
        if not _write(user, is_active=False, session_epoch=F("session_epoch") + 1):
            raise Conflict(f"Somebody else changed {user} at this moment. Look at the page again.")
        clients = list(held)
        for app_client in clients:
            write_contact(app_client, heir, actor=actor, via=via, generation=F("generation") + 1)
        Tenant.objects.filter(contact=user).update(contact=heir, generation=F("generation") + 1)
        withdraw_offers(Handover.objects.filter(member=user), actor=actor, via=via)
        detail = {"person": user.pk, "heir": heir.pk if heir else None, "clients": len(clients)}
        audit.append("person:deactivate", Outcome.OK, actor=actor, via=via, tenant=user.tenant, detail=detail)
    return len(clients)


def remove_second_factor(user: User, *, actor: User, reason: str, via: str = "web") -> int:
    """Every app, passkey and recovery code of theirs is gone, and every session ends: for somebody who lost them.
    Returns how many there were. Refused: oneself (that is one's own page), no reason, somebody who has none."""
    if user == actor:
        raise Conflict("Your own second factor is changed on your own page.")
    with transaction.atomic():
        removed, _ = Authenticator.objects.filter(user=user).delete()
        if not removed:
            raise Conflict(f"{user} has no second factor.")
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        detail = {"person": user.pk, "removed": removed}
        audit.append(
            "person:factor_reset", Outcome.OK, actor=actor, via=via, tenant=user.tenant, reason=reason, detail=detail
        )  # fmt: skip
    return removed


def activate(user: User, *, actor: User, via: str = "web") -> None:
    """They may sign in again, with a new session. Refused (Conflict): a member of an off-boarded tenant."""
    if user.tenant and (gone := _off_boarded(user.tenant)):
        raise Conflict(gone)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            detail = {"person": user.pk}
            audit.append("person:activate", Outcome.OK, actor=actor, via=via, tenant=user.tenant, detail=detail)


def _write(user: User, **changes: Any) -> int:
    """Only while they are as the caller saw them."""
    return User.objects.filter(pk=user.pk, role=user.role, is_active=True).update(**changes)


@contextmanager
def _one_administrator_stays() -> Iterator[None]:
    """A transaction that fails when no administrator is left after it. Their rows are held first: two who remove each
    other at once would else both succeed."""
    with transaction.atomic():
        administrators = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True)
        list(administrators.select_for_update().order_by("pk").values_list("pk"))
        yield
        if not administrators.exists():
            refuse({"role": ["This is the last administrator. Make somebody else one first."]})


def accept_invitation(token: str, *, name: str, password: str, via: str = "web") -> User:
    """The invited person's account, its address verified by the link. Raises Conflict when used, revoked or expired."""
    try:
        validate_password(password)
    except ValidationError as error:
        raise InvalidInput({"password": list(error.messages)}) from None
    invitation = Invitation.objects.filter(token_hash=_hash(token.strip())).first()
    if invitation is None:
        raise Conflict(GONE)
    return _accept(invitation, name=name, password=password, via=via)


def accept_by_address(email: str, *, name: str, via: str = "web") -> User | None:
    """The account of a member of staff whose open invitation is for this address; None when there is no such one.

    The caller knows that whoever asks owns the address: a provider of single sign-on says so instead of the link. There
    is no password. Of several invitations the newest counts. Raises Conflict when it was used at this very moment.
    """
    open_ones = Invitation.objects.open().filter(email=email, tenant=None, expires_at__gt=timezone.now())
    invitation = open_ones.exclude(role__in=TENANT_ROLES).order_by("-pk").first()
    return _accept(invitation, name=name, password=None, via=via) if invitation else None


def _accept(invitation: Invitation, *, name: str, password: str | None, via: str) -> User:
    now = timezone.now()
    with transaction.atomic():
        as_found = Invitation.objects.open().filter(pk=invitation.pk, token_hash=invitation.token_hash)
        if as_found.filter(expires_at__gt=now).update(accepted_at=now) != 1:
            raise Conflict(GONE)
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    invitation.email, password, name=name, role=invitation.role, tenant=invitation.tenant
                )
        except IntegrityError:
            raise Conflict(GONE) from None
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        audit.append("person:accept", Outcome.OK, actor=user, via=via, tenant=user.tenant, detail={"role": user.role})
    return user
