"""Whose is this? Secrets of ours in any text, and the clients they belong to. The text is read and not kept."""

import base64
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from django.db import transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from clients import sealing
from clients.models import AuditEntry, Outcome, Rotation, RotationState, Secret, SecretState, User
from clients.sealing import SecretValue
from clients.services import audit

PREFIX = "cps_"
# Torn ones too, from a length on that no name in a program has.
LOOKS_LIKE_ONE = re.compile(rf"{PREFIX}[a-z0-9]{{1,8}}_[0-9A-Za-z]{{12,49}}", re.ASCII)
SHORTEST = len(PREFIX) + len("x_") + 12
WHOLE = 49  # characters after the environment
# An Authorization header, or a configuration's value.
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}", re.ASCII)
LOOKED_UP_AT_ONCE = 400
NAMED = 100  # at most, in the entry


@dataclass
class Sighting:
    """A string of the text: `lines` it stands in, counted from 1; `count` how often."""

    value: SecretValue
    is_whole: bool
    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """`secret`: the row it is; none when nobody here made it, or it is not whole. `ending`: empty for one cut off."""

    ending: str
    is_whole: bool
    count: int
    lines: list[int]
    secret: Secret | None = None
    removed_at: datetime | None = None

    @property
    def is_living(self) -> bool:
        return self.secret is not None and self.secret.state != SecretState.RETIRED


@sensitive_variables()
def find_owners(text: str, *, actor: User, via: str = "web") -> list[Found]:
    """Living secrets first, then removed, unknown and torn ones. One entry says who asked and what came of it, by
    endings and ids; neither the text nor a value is kept. Nothing is told when that entry cannot be written. The report
    of a mistake shows no variable from here on down, whoever calls."""
    sightings = read(text)
    owners = _owners([sighting.value for sighting in sightings if sighting.is_whole])
    removed = _removals([secret for secret in owners.values() if secret.state == SecretState.RETIRED])
    found = [_found(sighting, owners, removed) for sighting in sightings]
    found.sort(key=lambda each: (not each.is_living, each.secret is None, not each.is_whole))
    with transaction.atomic():
        _record(found, actor, via)
    return found


def _found(sighting: Sighting, owners: dict[SecretValue, Secret], removed: dict[int, datetime]) -> Found:
    secret = owners.get(sighting.value)
    return Found(
        _ending(sighting), sighting.is_whole, sighting.count, sighting.lines, secret,
        removed.get(secret.pk) if secret else None,
    )  # fmt: skip


def _ending(sighting: Sighting) -> str:
    """Of one cut off, the last characters are from its middle: they are no ending, and nobody's to know."""
    body = sighting.value.reveal().split("_", 2)[2]
    return sighting.value.ending if len(body) == WHOLE else ""


# --- Reading -----------------------------------------------------------------------------------------


def read(text: str) -> list[Sighting]:
    """What of the text is a secret of ours by its shape, in the order it stands there. Every character is looked at a
    fixed number of times, whatever the text: 3 spellings, and 4 alignments of what may be base64 in each."""
    seen: dict[str, Sighting] = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if len(line) < SHORTEST:
            continue
        whole, torn = _read_line(line)
        for value, count in (whole + torn).items():
            sighting = seen.setdefault(value, Sighting(SecretValue(value), value in whole))
            sighting.count += count
            sighting.lines.append(number)
    return list(seen.values())


def _read_line(line: str) -> tuple[Counter[str], Counter[str]]:
    """(whole ones, torn ones) with how often. The same one in two spellings of a line is one; what an encoding tears is
    whole in another spelling, so torn is what still is in the last."""
    whole: Counter[str] = Counter()
    torn: Counter[str] = Counter()
    for spelling in _spellings(line):
        here, torn = _scan(spelling)
        for plain in _decoded(spelling):
            for total, inside in zip((here, torn), _scan(unquote(plain)), strict=True):
                total.update(inside)
        whole |= here
    return whole, torn


def _spellings(line: str) -> list[str]:
    """As it is, and percent-decoded, twice where somebody encoded it twice."""
    found = [line]
    while "%" in found[-1] and len(found) < 3:
        found.append(unquote(found[-1]))
    return found


def _decoded(text: str) -> list[str]:
    """What may be base64, plain: at each of four alignments, because whatever stands before it may look like base64."""
    found = []
    for run in BASE64.findall(text):
        standard = run.replace("-", "+").replace("_", "/")
        for offset in range(4):
            part = standard[offset:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            found.append(base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1"))
    return found


def _scan(text: str) -> tuple[Counter[str], Counter[str]]:
    """A bounded look from each prefix on; one that begins inside a torn one is seen as well."""
    whole: Counter[str] = Counter()
    torn: Counter[str] = Counter()
    start = text.find(PREFIX)
    while start >= 0:
        after = start + len(PREFIX)
        if (shaped := sealing.SHAPE.match(text, start)) and sealing.is_well_formed(shaped[0]):
            whole[shaped[0]] += 1
            after = shaped.end()
        elif like := LOOKS_LIKE_ONE.match(text, start):
            torn[like[0]] += 1
        start = text.find(PREFIX, after)
    return whole, torn


# --- Whose -------------------------------------------------------------------------------------------


def _owners(values: list[SecretValue]) -> dict[SecretValue, Secret]:
    """The row of each value that is known here, under whichever key it was marked."""
    marks = {mark: value for value in values for mark in sealing.fingerprints(value)}
    rows = Secret.objects.select_related("app_client__tenant", "app_client__pool")
    found = {}
    for part in _parts([mark for _, mark in marks]):
        for secret in rows.filter(fingerprint__in=part):
            if value := marks.get((secret.fingerprint_key_id, secret.fingerprint)):
                found[value] = secret
    return found


def _removals(secrets: list[Secret]) -> dict[int, datetime]:
    """When each was removed: by the rotation it was the removed one of, else with its client."""
    found: dict[int, datetime] = {}
    for part in _parts(secrets):
        gone_with = AuditEntry.objects.filter(
            action="client:delete", outcome=Outcome.OK, app_client__in=[secret.app_client_id for secret in part]
        )
        deleted = dict(gone_with.order_by("-sequence").values_list("app_client_id", "at"))
        found |= {secret.pk: deleted[secret.app_client_id] for secret in part if secret.app_client_id in deleted}
        old_gone = Q(old_secret__in=part) & (Q(state=RotationState.FINISHED) | Q(is_emergency=True))
        new_gone = Q(new_secret__in=part, state=RotationState.CANCELLED, is_emergency=False)
        for rotation in Rotation.objects.filter(old_gone | new_gone, removed_at__isnull=False):
            is_new = rotation.state == RotationState.CANCELLED and not rotation.is_emergency
            gone = rotation.new_secret_id if is_new else rotation.old_secret_id
            if gone and rotation.removed_at:
                found[gone] = rotation.removed_at
    return found


def _parts(items: list[Any]) -> Iterable[list[Any]]:
    """SQLite takes only so many values in a query."""
    return (items[n : n + LOOKED_UP_AT_ONCE] for n in range(0, len(items), LOOKED_UP_AT_ONCE))


def _record(found: list[Found], actor: User, via: str) -> None:
    """The entry is a client's own where there is one: of several, each tenant would read of the others."""
    known = [(each.secret, each.ending) for each in found if each.secret]
    owners = {secret.app_client_id: secret.app_client for secret, _ in known}
    named = [{"client": secret.app_client.public_id, "ending": ending} for secret, ending in known[:NAMED]]
    detail: dict[str, Any] = {
        "known": len(known), "unknown": sum(each.is_whole and each.secret is None for each in found),
        "not_whole": sum(not each.is_whole for each in found), "found": named,
    }  # fmt: skip
    if len(known) == 1:
        detail["ending"] = known[0][1]
    only = next(iter(owners.values())) if len(owners) == 1 else None
    audit.append("secret:find", Outcome.OK, actor=actor, via=via, app_client=only, detail=detail)
