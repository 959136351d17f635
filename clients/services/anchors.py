"""The head of the trail, written down elsewhere: a chain whose end was cut off fits, an anchor beyond it does not."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from django.utils import timezone

from clients.errors import Conflict
from clients.models import AuditEntry
from clients.services.audit import first_broken_entry

HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Anchor:
    sequence: int
    hash: str
    at: str  # ISO 8601, UTC


def read_anchors(file: Path) -> list[Anchor]:
    """One from each line. Raises Conflict, naming the line, when it is none; OSError when the file cannot be read."""
    anchors = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            told = json.loads(line)
            anchor = Anchor(sequence=told["sequence"], hash=told["hash"], at=told["at"])
        except (ValueError, TypeError, KeyError):
            raise Conflict(f"Line {number} of {file} is no anchor.") from None
        if not (isinstance(anchor.sequence, int) and HASH.fullmatch(str(anchor.hash))):
            raise Conflict(f"Line {number} of {file} is no anchor.")
        anchors.append(anchor)
    return anchors


def first_missing(anchors: list[Anchor]) -> str | None:
    """What is wrong with the first anchor whose entry is not there any more as it was; None when all hold."""
    held = dict(
        AuditEntry.objects.filter(sequence__in=[anchor.sequence for anchor in anchors]).values_list("sequence", "hash")
    )
    for anchor in sorted(anchors, key=lambda anchor: anchor.sequence):
        if anchor.sequence not in held:
            return (
                f"Entry {anchor.sequence}, anchored at {anchor.at}, is missing: the end was cut off, or this is another"
                " trail."
            )
        if held[anchor.sequence] != anchor.hash:
            return (
                f"Entry {anchor.sequence} is not the one anchored at {anchor.at}: the trail was written anew up to it."
            )
    return None


def anchor_head(file: Path) -> Anchor | None:
    """Adds the last entry to the file and returns it; None when the trail is empty.

    Refused (Conflict), with nothing written: a trail that is broken, or from which something anchored before is
    missing: an anchor must not make a forged trail look right. OSError when the file cannot be written."""
    earlier = read_anchors(file) if file.exists() else []
    broken = first_broken_entry()
    if wrong := (broken and broken[1]) or first_missing(earlier):
        raise Conflict(wrong)
    head = AuditEntry.objects.order_by("-sequence").first()
    if head is None:
        return None
    anchor = Anchor(head.sequence, head.hash, timezone.now().isoformat())
    line = json.dumps(asdict(anchor)) + "\n"
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return anchor
