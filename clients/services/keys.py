"""Keys at rest: what is sealed under which, and sealing it anew under the first one."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet

from clients import sealing
from clients.errors import AwsError, SealBroken, Throttled
from clients.models import Outcome, Secret, User
from clients.sealing import Sealed
from clients.services import audit, secrets
from clients.services.crash import crash

BATCH = 500
FACTOR = "second-factor"  # the binding under which a person's authenticator keeps its seed


@dataclass
class Resealed:
    """`under`: rows still sealed per key id, afterwards. `broken`: what did not open, as it is called here."""

    moved: int = 0
    under: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def sealed_under() -> Counter[str]:
    """How many sealed values each key id opens: secrets nobody was shown, and people's second factors."""
    found = _counted(Secret.objects.exclude(sealed_value=None), "sealing_key_id")
    for _, _, key_id, _ in sealed_factors():
        found[key_id] += 1
    return found


def marked_under() -> Counter[str]:
    """How many secrets each fingerprint key has marked. Erased values cannot be marked anew, so these keys stay."""
    return _counted(Secret.objects.exclude(fingerprint_key_id=""), "fingerprint_key_id")


def _counted(rows: QuerySet[Secret], column: str) -> Counter[str]:
    return Counter(dict(rows.order_by().values_list(column).annotate(Count("pk"))))


def rotate_keys(*, actor: User, via: str) -> Resealed:
    """Every sealed value is sealed under the first key of SEALING_KEYS; each row by compare-and-set on its very bytes,
    so that one revealed or sealed anew meanwhile is left alone. At every moment every row opens. Killed and run again
    it goes on with what is left. One that does not open is named and left. Raises AwsError when KMS refuses or is away;
    what was done until then stays and is in the trail."""
    found, first = Resealed(), sealing.first_key_id()
    try:
        _reseal_secrets(first, found)
        _reseal_factors(first, found)
    except AwsError:
        _note(found, first, actor, via)
        raise
    _note(found, first, actor, via)
    return found


def _note(found: Resealed, first: str, actor: User, via: str) -> None:
    found.under = sealed_under()
    if found.moved or found.broken:
        detail = {"moved": found.moved, "under": dict(found.under), "broken": len(found.broken), "first": first}
        with transaction.atomic():
            audit.append("keys:rotate", Outcome.OK, actor=actor, via=via, detail=detail)


def _reseal_secrets(first: str, found: Resealed) -> None:
    after = 0
    while batch := _batch(first, after):
        for secret in batch:
            if _reseal(secret, found):
                found.moved += 1
                crash(f"keys:moved-{found.moved}")
        after = batch[-1].pk


def _batch(first: str, after: int) -> list[Secret]:
    rows = Secret.objects.exclude(sealed_value=None).exclude(sealing_key_id=first).filter(pk__gt=after)
    return list(rows.select_related("app_client").order_by("pk")[:BATCH])


def _reseal(secret: Secret, found: Resealed) -> bool:
    before = bytes(secret.sealed_value or b"")
    try:
        sealed = sealing.seal(secrets.open_for_cognito(secret), binding=secrets.binding(secret))
    except SealBroken:
        found.broken.append(f"secret ending {secret.ending} of {secret.app_client}")
        return False
    same = Secret.objects.filter(pk=secret.pk, sealing_key_id=secret.sealing_key_id, sealed_value=before)
    return bool(same.update(sealed_value=sealed.data, sealing_key_id=sealed.key_id))


# --- Second factors --------------------------------------------------------------------------------


def sealed_factors() -> Iterator[tuple[Authenticator, str, str, bytes]]:
    """(row, the field it stands in, key id, ciphertext) of every sealed part of a person's factors."""
    for row in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk").iterator():
        for name, value in row.data.items():
            key_id, colon, data = value.partition(":") if isinstance(value, str) else ("", "", "")
            if colon:
                try:
                    yield row, name, key_id, base64.b64decode(data, validate=True)
                except binascii.Error:
                    continue


def _reseal_factors(first: str, found: Resealed) -> None:
    for row, name, key_id, data in sealed_factors():
        if key_id == first:
            continue
        try:
            value = sealing.open_sealed(Sealed(key_id, data), binding=FACTOR)
        except SealBroken:
            found.broken.append(f"second factor of {row.user}")
            continue
        found.moved += _put_factor(row, name, sealing.seal(value, binding=FACTOR))


def _put_factor(row: Authenticator, name: str, sealed: Sealed) -> bool:
    with transaction.atomic():
        fresh = Authenticator.objects.select_for_update().filter(pk=row.pk).first()
        if fresh is None or fresh.data.get(name) != row.data[name]:  # used, removed or made anew meanwhile
            return False
        fresh.data[name] = f"{sealed.key_id}:{base64.b64encode(sealed.data).decode()}"
        fresh.save(update_fields=["data"])
    return True


# --- At the start ----------------------------------------------------------------------------------


def unusable() -> list[str]:
    """Sentences for keys that are missing or wrong: what is sealed would not open. Empty: all is well."""
    ring, found = sealing.read_sealing_ring(settings.SEALING_KEYS), []
    for key_id, count in sealed_under().items():
        if key_id not in ring:
            found.append(f"SEALING_KEYS lacks the key {key_id!r}, which sealed {count} value(s). Put it back.")
        elif why := _why_closed(key_id):
            found.append(f"SEALING_KEYS: the key {key_id!r} does not open what was sealed under it. {why}")
    marks = sealing.read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS")
    missing = {key_id: count for key_id, count in marked_under().items() if key_id not in marks}
    found += [f"FINGERPRINT_KEYS lacks the key {key_id!r}, which marks {count} secret(s). Put it back."
              for key_id, count in missing.items()]  # fmt: skip
    return found


def _why_closed(key_id: str) -> str:
    """Why one row of it, as a sample, does not open; empty when it does. KMS out of reach is no wrong key: the web
    server would be down as long as KMS is."""
    sample: Any = Secret.objects.exclude(sealed_value=None).filter(sealing_key_id=key_id)
    try:
        if secret := sample.select_related("app_client").order_by("-pk").first():
            secrets.open_for_cognito(secret)
        elif factor := next((each for each in sealed_factors() if each[2] == key_id), None):
            sealing.open_sealed(Sealed(key_id, factor[3]), binding=FACTOR)
    except SealBroken:
        return "It is another key."
    except Throttled:
        return ""
    except AwsError as error:
        return error.sentence
    return ""
