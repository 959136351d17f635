"""Hand-overs: offered to a member by name or to whoever holds a one-time link, shown once, watched by the sender."""

import hashlib
import ipaddress
import secrets as random
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from clients.errors import AlreadyShown, Conflict, InvalidInput, PortalError, refuse
from clients.models import AppClient, Handover, Outcome, Secret, SecretState, Status, Tenant, User
from clients.models.handovers import PIN_TRIES
from clients.sealing import SecretValue
from clients.services import audit, restores
from clients.services.evidence import acknowledge_stored, hold_rotations, take_back_word
from clients.services.rotations import request_rotation
from clients.services.secrets import keeps_until, open_unshown, refuse_kept_too_long, refuse_leaving, reveal_secret

HOURS = (1, 24, 168)
ALARM = "“This wasn’t me”, said whoever holds the link of its hand-over."
NOT_OPEN = "This hand-over is not open any more. Its page says what became of it."
OFFERED = "This secret is handed over already. Revoke that hand-over first, or make a new link on its page."


@dataclass(frozen=True)
class Offer:
    """A hand-over with what is known at this moment only. Neither may be printed: no readable repr."""

    handover: Handover
    token: str
    pin: str

    def __repr__(self) -> str:
        return f"Offer({self.handover.public_id})"


class WrongPin(Conflict):
    """`left`: how many tries there still are."""

    code = "wrong_pin"

    def __init__(self, left: int) -> None:
        super().__init__("This is not the PIN." if left else "This was the last try. The link is closed.")
        self.left = left


# --- Offering ----------------------------------------------------------------------------------------


def offer_to_member(secret: Secret, member: User, *, hours: int, actor: User, via: str = "web") -> Handover:
    """The secret waits on the member's own page, and for nobody else. Refused (InvalidInput): who is no active member
    of the client's tenant; (Conflict): a secret that was shown, erased, or is handed over already."""
    if member.tenant_id != secret.app_client.tenant_id or not member.is_active:
        raise InvalidInput({"to": [f"{member} is no active member of {secret.app_client.tenant}."]})
    return _offer(secret, hours, actor, via, member=member)


def offer_by_link(
    secret: Secret, *, hours: int, with_pin: bool, actor: User, email: str = "", via: str = "web"
) -> Offer:
    """A link of 256 bits, of which the hash alone is kept, and a PIN of six digits when wanted. `email`: where the
    portal will mail it, refused (InvalidInput) unless it is the tenant's recorded address. Else as for a member."""
    if email and email != secret.app_client.tenant.contact_email:
        raise InvalidInput({"to": ["The portal mails links to the tenant's recorded address only."]})
    token = random.token_urlsafe(32)
    pin = f"{random.randbelow(10**6):06d}" if with_pin else ""
    handover = _offer(secret, hours, actor, via, token_hash=hash_of(token), email=email, pin=pin)
    return Offer(handover, token, pin)


def _offer(secret: Secret, hours: int, actor: User, via: str, *, pin: str = "", **how: Any) -> Handover:
    app_client = secret.app_client
    restores.refuse_while_on()
    refuse({"hours": [] if hours in HOURS else [f"A hand-over lasts one of {', '.join(map(str, HOURS))} hours."]})
    if app_client.status in (Status.CREATING, Status.DELETED):
        raise Conflict("The client is not there to be handed over." if app_client.status == Status.DELETED
                       else "The client is still being created. It can be handed over once it is active.")  # fmt: skip
    refuse_kept_too_long(secret)
    until = min(timezone.now() + timedelta(hours=hours), keeps_until(secret))
    handover = Handover(app_client=app_client, secret=secret, created_by=actor, expires_at=until, **how)
    handover.pin_hash = _pin_hash(handover, pin) if pin else ""
    with transaction.atomic():
        _refuse_who_left_meanwhile(handover)
        if not Secret.objects.get(pk=secret.pk).can_be_shown:
            raise Conflict("This secret was shown or erased before and cannot be handed over. Rotate.")
        lapsed = Handover.objects.filter(secret=secret, ended_at=None, expires_at__lte=timezone.now())
        lapsed.update(ended_at=F("expires_at"))
        try:
            with transaction.atomic():
                handover.save(force_insert=True)
        except IntegrityError:
            raise Conflict(OFFERED) from None
        detail = {"hours": hours, "pin": bool(pin), "link": handover.is_link, "member": handover.member_id}
        _note("create", handover, actor, via, **detail)
    return handover


def _refuse_who_left_meanwhile(handover: Handover) -> None:
    """Holds the rows whose change withdraws open hand-overs: whoever deletes, off-boards or deactivates at this moment
    comes before this one, and is seen, or after it, and sees it."""
    held = AppClient.objects.select_for_update(no_key=True, of=("self", "tenant")).select_related("tenant")
    refuse_leaving(held.get(pk=handover.app_client_id))
    member = handover.member
    if member and not User.objects.select_for_update(no_key=True).filter(pk=member.pk, is_active=True).exists():
        raise Conflict(f"{member} was deactivated at this moment: nobody would receive it.")


def link_to(token: str) -> str:
    """At the configured address; the code stands in the fragment, which browsers keep to themselves."""
    return f"{settings.BASE_URL}{reverse('handover-link')}#{token}"


def hash_of(token: str) -> str:
    """As links are found by; a plain hash is right for 256 random bits (OWASP ASVS 5.0, 6.5.2)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _pin_hash(handover: Handover, pin: str) -> str:
    """Keyed by SECRET_KEY, for a million PINs are tried in a second."""
    return salted_hmac(f"clients.Handover.pin:{handover.public_id}", pin, algorithm="sha256").hexdigest()


def _note(act: str, handover: Handover, actor: User | None, via: str, **detail: Any) -> None:
    about = {"handover": handover.public_id, "ending": handover.secret.ending}
    audit.append(
        f"handover:{act}", Outcome.OK, actor=actor, via=via, app_client=handover.app_client, detail=about | detail
    )


def revoke(handover: Handover, *, actor: User, via: str = "web") -> None:
    """The link or the offer opens nothing any more; the sealed copy stays, to be handed over anew. Refused (Conflict):
    one that is not open."""
    now = timezone.now()
    with transaction.atomic():
        if not _unended(handover).update(revoked_at=now, revoked_by=actor, ended_at=now):
            raise Conflict(NOT_OPEN)
        _note("revoke", handover, actor, via)


def _unended(handover: Handover) -> Any:
    return Handover.objects.filter(pk=handover.pk, ended_at=None, expires_at__gt=timezone.now())


def offer_again(handover: Handover, *, actor: User, via: str = "web") -> Offer:
    """The same anew, for as long or the next length there is: to the same member, or a new link, with a PIN if there
    was one; the one before opens nothing any more. Refused (Conflict): a secret that was shown or erased."""
    lasted = round((handover.expires_at - handover.created_at).total_seconds() / 3600)
    hours = next((length for length in HOURS if length >= lasted), HOURS[-1])
    with transaction.atomic():
        now = timezone.now()
        if _unended(handover).update(revoked_at=now, revoked_by=actor, ended_at=now):
            _note("revoke", handover, actor, via)
        if handover.member:
            return Offer(offer_to_member(handover.secret, handover.member, hours=hours, actor=actor, via=via), "", "")
        return offer_by_link(
            handover.secret, hours=hours, with_pin=bool(handover.pin_hash), email=handover.email, actor=actor, via=via
        )


def note_mailed(handover: Handover, *, actor: User, via: str = "web") -> None:
    """The mail server took it."""
    handover.mailed_at = timezone.now()
    with transaction.atomic():
        Handover.objects.filter(pk=handover.pk).update(mailed_at=handover.mailed_at)
        _note("mail", handover, actor, via)


# --- By whoever holds the link -------------------------------------------------------------------------


def find_by_link(token: str) -> Handover | None:
    """One look-up in a unique index, whatever the token is."""
    rows = Handover.objects.select_related("secret", "app_client__tenant", "app_client__pool", "created_by")
    return rows.filter(token_hash=hash_of(token)).first()


def note_opened(handover: Handover) -> None:
    """The first time its page was opened with the code, by a person or by a program that reads mail. It spends
    nothing."""
    with transaction.atomic():
        if _unended(handover).filter(opened_at=None).update(opened_at=timezone.now()):
            _note("open", handover, None, "link")


def reveal_by_link(handover: Handover, pin: str, *, address: str) -> SecretValue:
    """The value, once; a try is counted before the PIN is compared, so that however many come at once five are compared
    at most. Raises WrongPin, AlreadyShown to whoever comes second, Conflict when it is closed, revoked or over."""
    opened = _opened(handover)
    with transaction.atomic():
        if not handover.pin_hash or _try_pin(handover, pin):
            return _reveal(handover, opened, None, "link", address)
        left = PIN_TRIES - Handover.objects.values_list("pin_tries", flat=True).get(pk=handover.pk)
        _note("wrong_pin", handover, None, "link", left=left)
        if left == 0:
            now = timezone.now()
            _unended(handover).update(closed_at=now, ended_at=now)
    raise WrongPin(left)


def _try_pin(handover: Handover, pin: str) -> bool:
    if not _unended(handover).filter(pin_tries__lt=PIN_TRIES).update(pin_tries=F("pin_tries") + 1):
        raise _ended(handover)
    return compare_digest(handover.pin_hash, _pin_hash(handover, pin))


def reveal_to_member(handover: Handover, *, actor: User, address: str, via: str = "web") -> SecretValue:
    """As by a link, to the member it is for and nobody else (Conflict)."""
    if handover.member_id != actor.pk:
        raise Conflict("This hand-over is for somebody else.")
    opened = _opened(handover)
    with transaction.atomic():
        return _reveal(handover, opened, actor, via, address)


def _opened(handover: Handover) -> SecretValue | None:
    """Before the transaction that spends it; None where nothing is shown anyway."""
    return open_unshown(handover.secret) if _unended(handover).exists() else None


def _reveal(handover: Handover, opened: SecretValue | None, actor: User | None, via: str, address: str) -> SecretValue:
    now = timezone.now()
    shown = {"shown_at": now, "ended_at": now, "shown_from": network_of(address)}
    if not _unended(handover).update(opened_at=handover.opened_at or now, **shown):
        raise _ended(handover)
    return reveal_secret(handover.secret, actor=actor, via=via, handover=handover, opened=opened)


def _ended(handover: Handover) -> PortalError:
    """Why nothing is shown to whoever comes now."""
    shown = Handover.objects.filter(pk=handover.pk, shown_at__isnull=False).exists()
    return AlreadyShown("Somebody else was faster: it has just been shown.") if shown else Conflict(NOT_OPEN)


def mark_stored(handover: Handover, *, actor: User | None, via: str = "link") -> None:
    """ "I've stored it": evidence, for the hand-over and its secret; the first one counts."""
    now = timezone.now()
    with transaction.atomic():
        hold_rotations(handover.app_client_id)
        first = Handover.objects.filter(pk=handover.pk, shown_at__isnull=False, stored_at=None)
        if first.update(stored_at=now):
            Secret.objects.filter(pk=handover.secret_id, stored_at=None).update(stored_at=now)
            _note("stored", handover, actor, via)
            if not Handover.objects.filter(pk=handover.pk, alarm_at__isnull=False).exists():
                acknowledge_stored(handover.secret, actor=actor, via=via)


def sound_alarm(handover: Handover) -> bool:
    """Whoever holds a spent link says that it was not they. Once per link: whether this was the first time. It stops
    nothing by itself: it is told to staff, and a rotation waits for them. That the new secret is in use nobody takes
    from this link any more."""
    with transaction.atomic():
        hold_rotations(handover.app_client_id)
        first = Handover.objects.filter(pk=handover.pk, alarm_at=None).exclude(shown_at=None)
        if not first.update(alarm_at=timezone.now()):
            return False
        asked = request_rotation(handover.secret, ALARM) if handover.secret.state != SecretState.RETIRED else None
        _note("alarm", handover, None, "link", rotation=asked.public_id if asked else "")
        take_back_word(handover.secret, via="link")
    return True


def ask_again(handover: Handover) -> bool:
    """Whoever holds a link that opens nothing any more asks for another one; once an hour: whether it is told on."""
    hour_ago = timezone.now() - timedelta(hours=1)
    with transaction.atomic():
        due = Handover.objects.filter(Q(asked_again_at=None) | Q(asked_again_at__lt=hour_ago), pk=handover.pk)
        if not due.update(asked_again_at=timezone.now()):
            return False
        _note("ask", handover, None, "link")
    return True


def take_back_ask(handover: Handover) -> None:
    """Nobody could be told, so it may be asked again at once."""
    Handover.objects.filter(pk=handover.pk).update(asked_again_at=None)


def network_of(address: str) -> str:
    """Coarse: 256 addresses of IPv4, a site of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


# --- Keeping -------------------------------------------------------------------------------------------


def erase_due() -> int:
    """Sealed copies nobody was shown within their tenant's keep period are erased; then only rotating helps. Returns
    how many."""
    if restores.is_on():
        return 0
    sealed = Secret.objects.undelivered().filter(sealed_value__isnull=False)
    waiting = sealed.exclude(app_client__status=Status.CREATING)
    count = 0
    for days in Tenant.objects.order_by().values_list("keep_days", flat=True).distinct():
        over = waiting.filter(app_client__tenant__keep_days=days, created_at__lte=timezone.now() - timedelta(days=days))
        count += sum(_erase(secret) for secret in over.select_related("app_client__tenant")[:200])
    return count


def _erase(secret: Secret) -> bool:
    with transaction.atomic():
        unshown = Secret.objects.filter(pk=secret.pk, delivered_at=None, sealed_value__isnull=False)
        if not unshown.update(sealed_value=None, sealing_key_id=""):
            return False
        detail = {"ending": secret.ending, "keep_days": secret.app_client.tenant.keep_days}
        audit.append("secret:erase", Outcome.OK, actor=None, via="worker", app_client=secret.app_client, detail=detail)
    return True
