"""What the steps of secrets write down: which secret is there, which is accepted, which is gone."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from clients.models import (
    AppClient,
    Handover,
    Operation,
    Outcome,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
)
from clients.services import audit
from clients.services.secrets import keeps_until

ROTATE, FINISH, CANCEL = "secret:rotate", "secret:finish", "secret:cancel"


def alive_secrets(app_client: AppClient) -> list[Secret]:
    return list(app_client.secrets.alive().order_by("pk"))


def foreign_sentence(ids: list[str]) -> str:
    return (
        f"Cognito holds a secret that the portal did not make ({', '.join(ids)}), so there is no room for a new one. "
        "Remove it in the AWS console if nobody uses it."
    )


def of_operation(operation: Operation) -> Rotation:
    rows = Rotation.objects.select_related(
        "app_client__pool", "app_client__tenant", "old_secret", "new_secret", "started_by"
    )
    return rows.get(public_id=operation.params["rotation"])


def record_added(rotation: Rotation, new: Secret, secret_id: str, *, adopted: bool) -> dict[str, Any]:
    """Cognito has it; nobody knows yet whether it works."""
    Secret.objects.filter(pk=new.pk).update(cognito_secret_id=secret_id)
    Rotation.objects.filter(pk=rotation.pk).update(added_at=timezone.now())
    return {"secret_id": secret_id, "adopted": adopted, "new": new.ending}


def record_accepted(rotation: Rotation) -> dict[str, Any]:
    """Both work from here on. The secret may be handed over."""
    now, new = timezone.now(), rotation.new_secret
    days = rotation.app_client.secret_lifetime_days
    ends_at = now + timedelta(hours=rotation.overlap_hours)
    Rotation.objects.filter(pk=rotation.pk, state=RotationState.STARTING).update(
        state=RotationState.OPEN, tested_at=now, ends_at=ends_at
    )
    if new:
        Secret.objects.filter(pk=new.pk, state=SecretState.PENDING).update(
            state=SecretState.NEW, expires_at=now + timedelta(days=days) if days else None
        )
    AppClient.objects.filter(pk=rotation.app_client_id, status=Status.ACTIVE).update(status=Status.ROTATING)
    _offer_to_its_starter(rotation, ends_at)
    return {"accepted": True, "new": new.ending if new else "", "both_until": ends_at.isoformat()}


def _offer_to_its_starter(rotation: Rotation, until: datetime) -> None:
    """A manager who may start one is who it is for: it waits on their own page. Staff hand it over themselves."""
    starter, new = rotation.started_by, rotation.new_secret
    if new is None or starter is None or starter.tenant_id != rotation.app_client.tenant_id:
        return
    offered = Handover.objects.create(
        app_client=rotation.app_client,
        secret=new,
        member=starter,
        created_by=starter,
        expires_at=min(until, keeps_until(new)),
    )
    detail = {"handover": offered.public_id, "ending": new.ending, "member": starter.pk, "link": False}
    audit.append(
        "handover:create", Outcome.OK, actor=starter, via="rotation", app_client=rotation.app_client, detail=detail
    )


def record_never_accepted(rotation: Rotation) -> dict[str, Any]:
    """It is taken away again by the worker; the old one was never touched."""
    Rotation.objects.filter(pk=rotation.pk, state=RotationState.STARTING).update(
        state=RotationState.CANCELLING,
        last_error="Cognito never accepted the new secret, so it is taken away again. The old one is as it was.",
    )
    return {"accepted": False}


def record_removed(rotation: Rotation, kind: str) -> dict[str, Any]:
    """The rotation is over: one secret is left, and it is the current one."""
    now, is_finish = timezone.now(), kind == FINISH
    state = RotationState.FINISHED if is_finish else RotationState.CANCELLED
    gone, kept = (rotation.old_secret, rotation.new_secret) if is_finish else (rotation.new_secret, rotation.old_secret)
    Rotation.objects.filter(pk=rotation.pk).update(state=state, finished_at=now)
    note_removed(rotation, now)
    if gone:
        retire(gone)
    if kept:
        settle_on(rotation.app_client, kept)
    return {"removed": gone.ending if gone else "", "kept": kept.ending if kept else ""}


def note_removed(rotation: Rotation, now: datetime) -> None:
    """And until when tokens that were issued with it live: kept, for a validity shortened later shortens none."""
    until = AppClient.objects.get(pk=rotation.app_client_id).tokens_until(now)
    Rotation.objects.filter(pk=rotation.pk).update(removed_at=now, tokens_until=until)


def retire(secret: Secret) -> None:
    """Gone for good, its sealed copy too, and nobody can be handed it any more. Inside the caller's transaction."""
    Secret.objects.filter(pk=secret.pk).update(state=SecretState.RETIRED, sealed_value=None, sealing_key_id="")
    Handover.objects.filter(secret=secret, ended_at=None).update(ended_at=timezone.now())


def settle_on(app_client: AppClient, secret: Secret) -> None:
    """It is the client's current secret, and its end the client's; unless it went with its client meanwhile."""
    if not Secret.objects.alive().filter(pk=secret.pk).update(state=SecretState.CURRENT):
        return
    expires_at = Secret.objects.values_list("expires_at", flat=True).get(pk=secret.pk)
    AppClient.objects.filter(pk=app_client.pk).update(
        expires_at=expires_at, remind_at=None, reminders_after=None, reminders_reason=""
    )
    AppClient.objects.filter(pk=app_client.pk, status=Status.ROTATING).update(status=Status.ACTIVE)


def gave_up(since: datetime) -> bool:
    """Whether so much time has passed that what does not work yet will not work any more."""
    return timezone.now() >= since + timedelta(seconds=settings.SECRET_TEST_SECONDS)
