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

from clients import sealing
from clients.errors import PortalError, SealBroken
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
    rows = Secret.objects.exclude(sealed_value=None).order_by().values_list("sealing_key_id", flat=True)
    found = Counter(rows.iterator())
    for _, _, key_id, _ in _factors():
        found[key_id] += 1
    return found


def marked_under() -> Counter[str]:
    """How many secrets each fingerprint key has marked. Erased values cannot be marked anew, so these keys stay."""
    return Counter(Secret.objects.order_by().values_list("fingerprint_key_id", flat=True).iterator())


def rotate_keys(*, actor: User, via: str) -> Resealed:
    """Every sealed value is sealed under the first key of SEALING_KEYS; each row by compare-and-set on its very bytes,
    so that one revealed or sealed anew meanwhile is left alone. At every moment every row opens. Killed and run again
    it goes on with what is left. One that does not open is named and left."""
    found = Resealed()
    first = sealing.first_key_id()
    after = 0
    while batch := _batch(first, after):
        found.moved += sum(_reseal(secret, found) for secret in batch)
        after = batch[-1].pk
        crash(f"keys:batch-{found.moved // BATCH}")
    found.moved += sum(_reseal_factor(*each) for each in _factors() if each[2] != first)
    found.under = sealed_under()
    if found.moved or found.broken:
        detail = {"moved": found.moved, "under": dict(found.under), "broken": len(found.broken), "first": first}
        with transaction.atomic():
            audit.append("keys:rotate", Outcome.OK, actor=actor, via=via, detail=detail)
    return found


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


def _factors() -> Iterator[tuple[Authenticator, str, str, bytes]]:
    """(row, the field it stands in, key id, ciphertext) of every sealed part of a person's factors."""
    for row in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk").iterator():
        for name, value in row.data.items():
            key_id, colon, data = value.partition(":") if isinstance(value, str) else ("", "", "")
            if colon:
                try:
                    yield row, name, key_id, base64.b64decode(data, validate=True)
                except binascii.Error:
                    continue


def _reseal_factor(row: Authenticator, name: str, key_id: str, data: bytes) -> bool:
    sealed = sealing.seal(sealing.open_sealed(Sealed(key_id, data), binding=FACTOR), binding=FACTOR)
    with transaction.atomic():
        fresh = Authenticator.objects.select_for_update().get(pk=row.pk)
        if fresh.data.get(name) != row.data[name]:  # used or made anew meanwhile
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
        elif not _opens(key_id):
            found.append(f"SEALING_KEYS: the key {key_id!r} does not open what was sealed under it. It is another key.")
    marks = sealing.read_ring(settings.FINGERPRINT_KEYS, "FINGERPRINT_KEYS")
    missing = {key_id: count for key_id, count in marked_under().items() if key_id not in marks}
    found += [f"FINGERPRINT_KEYS lacks the key {key_id!r}, which marks {count} secret(s). Put it back."
              for key_id, count in missing.items()]  # fmt: skip
    return found


def _opens(key_id: str) -> bool:
    """One row of it, as a sample; KMS out of reach is no wrong key."""
    sample: Any = Secret.objects.exclude(sealed_value=None).filter(sealing_key_id=key_id)
    secret = sample.select_related("app_client").order_by("-pk").first()
    try:
        if secret:
            secrets.open_for_cognito(secret)
        else:
            _, _, _, data = next(each for each in _factors() if each[2] == key_id)
            sealing.open_sealed(Sealed(key_id, data), binding=FACTOR)
    except SealBroken:
        return False
    except PortalError:
        return True
    return True
