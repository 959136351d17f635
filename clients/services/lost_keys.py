"""Keys that are lost for good: what only they could open is erased, so that the portal starts again."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from clients import sealing
from clients.errors import Conflict
from clients.models import Outcome, Secret, User
from clients.services import audit, keys


@dataclass(frozen=True)
class Lost:
    """How much one key took with it: secrets nobody was shown, people's second factors, marks of secrets."""

    secrets: int = 0
    factors: int = 0
    marks: int = 0


def count_lost(variable: str, key_id: str) -> Lost:
    """What `forget_key` would erase. Raises Conflict while the variable lists the key, or when no row names it."""
    if variable == "SEALING_KEYS":
        ring = list(sealing.read_sealing_ring(settings.SEALING_KEYS))
        found = Lost(secrets=_sealed(key_id).count(), factors=len(_factors(key_id)))
    else:
        ring = list(sealing.read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS"))
        found = Lost(marks=_marked(key_id).count())
    if key_id in ring:
        raise Conflict(f"{variable} lists the key {key_id!r}, so it is not lost. Remove it there first.")
    if found == Lost():
        raise Conflict(f"Nothing needs the key {key_id!r} of {variable}.")
    return found


def forget_key(variable: str, key_id: str, *, reason: str, actor: User, via: str) -> Lost:
    """Sealed copies under the key are erased, their secrets stay in Cognito; codes of people are removed and their
    sessions end; marks are emptied. All in one transaction, an entry for each client and person. Refused as above."""
    with transaction.atomic():
        found = count_lost(variable, key_id)
        said: dict[str, Any] = {"actor": actor, "via": via, "reason": reason}
        if variable == "SEALING_KEYS":
            _erase_sealed(key_id, said)
            _remove_factors(key_id, said)
        else:
            _marked(key_id).update(fingerprint="", fingerprint_key_id="")
        detail = {"variable": variable, "key": key_id, **vars(found)}
        audit.append("keys:forget", Outcome.OK, detail=detail, **said)
    return found


def _sealed(key_id: str) -> QuerySet[Secret]:
    return Secret.objects.filter(sealing_key_id=key_id, sealed_value__isnull=False)


def _marked(key_id: str) -> QuerySet[Secret]:
    return Secret.objects.filter(fingerprint_key_id=key_id)


def _factors(key_id: str) -> dict[int, Authenticator]:
    return {row.pk: row for row, _, used, _ in keys.sealed_factors() if used == key_id}


def _erase_sealed(key_id: str, said: dict[str, Any]) -> None:
    for secret in _sealed(key_id).select_related("app_client__tenant", "app_client__pool"):
        # Shown or erased meanwhile by a process that still has the key: then there is nothing to tell.
        if _sealed(key_id).filter(pk=secret.pk).update(sealed_value=None, sealing_key_id=""):
            detail = {"ending": secret.ending, "lost_key": key_id}
            audit.append("secret:erase", Outcome.OK, app_client=secret.app_client, detail=detail, **said)


def _remove_factors(key_id: str, said: dict[str, Any]) -> None:
    rows = _factors(key_id)
    for user in User.objects.filter(pk__in={row.user_id for row in rows.values()}).select_related("tenant"):
        removed, _ = Authenticator.objects.filter(pk__in=rows, user=user).delete()
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        detail = {"person": user.pk, "removed": removed}
        audit.append("person:factor_reset", Outcome.OK, tenant=user.tenant, detail=detail, **said)
