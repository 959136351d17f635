"""Secrets: sealed before they exist, revealed once, then only known by their ending."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from clients import sealing
from clients.errors import AlreadyShown, Conflict
from clients.models import (
    AppClient,
    Handover,
    Operation,
    Outcome,
    Secret,
    SecretState,
    Status,
    Tenant,
    TenantStatus,
    User,
)
from clients.sealing import Sealed, SecretValue
from clients.services import audit, restores


def binding(secret: Secret) -> str:
    """Ties the ciphertext to its row, so that swapping two rows' bytes does not open either."""
    return f"tenant:{secret.app_client.tenant_id}|client:{secret.app_client.public_id}|secret:{secret.public_id}|value"


def seal_new_secret(app_client: AppClient, *, actor: User) -> Secret:
    """A new secret, sealed, as a row still to be saved. Before the transaction that saves it: sealing may ask KMS."""
    value = sealing.generate(app_client.pool.environment)
    key_id, mark = sealing.fingerprint(value)
    secret = Secret(
        app_client=app_client, ending=value.ending, fingerprint=mark, fingerprint_key_id=key_id, created_by=actor
    )
    sealed = sealing.seal(value, binding=binding(secret))
    secret.sealed_value, secret.sealing_key_id = sealed.data, sealed.key_id
    return secret


def open_for_cognito(secret: Secret) -> SecretValue:
    """The plain value for the gateway's create. Never for a page."""
    return sealing.open_sealed(
        Sealed(secret.sealing_key_id, bytes(secret.sealed_value or b"")), binding=binding(secret)
    )


def open_unshown(secret: Secret) -> SecretValue:
    """The value of one nobody has seen, for the transaction that then spends it. Raises AlreadyShown, or Conflict once
    its tenant's keep period is over, whether the worker has come to erase it or not."""
    fresh = Secret.objects.select_related("app_client__tenant").get(pk=secret.pk)
    if not fresh.can_be_shown:
        raise AlreadyShown("This secret was shown before and cannot be shown again. If it is lost, rotate.")
    refuse_kept_too_long(fresh)
    return open_for_cognito(fresh)


def keeps_until(secret: Secret) -> datetime:
    """When the sealed copy is erased, if nobody is shown it before."""
    return secret.created_at + timedelta(days=secret.app_client.tenant.keep_days)


def refuse_kept_too_long(secret: Secret) -> None:
    if keeps_until(secret) <= timezone.now():
        raise Conflict("Nobody was shown this secret in its keep period, which is over. Rotate.")


def refuse_leaving(app_client: AppClient) -> None:
    """Raises Conflict for a client that is being deleted, and for one whose tenant was off-boarded."""
    if Tenant.objects.filter(pk=app_client.tenant_id, status=TenantStatus.OFF_BOARDED).exists():
        raise Conflict("Its tenant was off-boarded: nobody receives this secret any more.")
    if Operation.objects.live().filter(app_client=app_client, kind="client:delete").exists():
        raise Conflict("The client is being deleted: nobody receives its secret any more.")


def withdraw_offers(handovers: QuerySet[Handover], *, actor: User, via: str) -> int:
    """Those still open show nothing to anybody any more; how many. Inside the caller's transaction."""
    now, count = timezone.now(), 0
    offered = handovers.filter(ended_at=None, expires_at__gt=now)
    for handover in offered.select_related("secret", "app_client__pool", "app_client__tenant"):
        if offered.filter(pk=handover.pk).update(revoked_at=now, revoked_by=actor, ended_at=now):
            count += 1
            detail = {"handover": handover.public_id, "ending": handover.secret.ending}
            audit.append(
                "handover:revoke", Outcome.OK, actor=actor, via=via, app_client=handover.app_client, detail=detail
            )
    return count


def reveal_secret(
    secret: Secret, *, actor: User | None, via: str = "web", handover: Handover | None = None,
    opened: SecretValue | None = None,
) -> SecretValue:  # fmt: skip
    """The value, once: in the same transaction the sealed copy is erased, delivery recorded, the audit entry written.
    It is opened before that transaction, by `open_unshown`, since that may ask KMS.

    By way of the hand-over whose outcome this is; without one it is shown to staff as the receiver, and refused
    (Conflict) while it is handed over to somebody else. Raises AlreadyShown to everyone who comes second, Conflict
    while the client is still being created. If the answer is lost on its way the value is lost too: rotate.
    """
    restores.refuse_while_on()
    refuse_leaving(secret.app_client)
    if secret.app_client.status == Status.CREATING:
        raise Conflict("The client is still being created. Its secret can be shown once it is active.")
    value = opened or open_unshown(secret)
    with transaction.atomic():
        if handover is None and (other := Handover.objects.open().filter(secret=secret).first()):
            raise Conflict(f"This secret is handed over to {other.receiver}. Revoke that hand-over first.")
        # Also not one that is being taken away at this moment.
        shown = (SecretState.CURRENT, SecretState.NEW)
        unshown = Secret.objects.filter(
            pk=secret.pk, delivered_at__isnull=True, sealed_value__isnull=False, state__in=shown
        )
        changed = unshown.update(sealed_value=None, sealing_key_id="", delivered_at=timezone.now(), delivered_to=actor)
        if changed != 1:
            raise AlreadyShown(
                "Somebody else was faster: this secret has just been shown. If that was not you, rotate."
            )
        detail = {"ending": secret.ending} | ({"handover": handover.public_id} if handover else {})
        audit.append("secret:show", Outcome.OK, actor=actor, via=via, app_client=secret.app_client, detail=detail)
    return value
