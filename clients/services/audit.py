"""The trail: append (last in the transaction), chain, verify; refusals, one a minute."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from clients.errors import AuditUnavailable, scrubbed
from clients.models import AppClient, AuditEntry, AuditOrigin, Operation, Outcome, Tenant, User, UserPool

GENESIS = "0" * 64
REFUSED = "access:refuse"
MASK = "•••"
# Whole names, or their ends: `secret_lifetime` and `ending` are no secrets.
SECRET_LIKE = re.compile(r"(?:^|_)(?:secret|password|passphrase|pin|token|code|seed)$", re.IGNORECASE)
CHAIN_LOCK = 0x61756469  # PostgreSQL advisory lock: one appender at a time


@dataclass(frozen=True)
class Origin:
    address: str
    agent: str


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def coming_from(address: str, agent: str) -> Iterator[None]:
    """Entries written inside are marked as coming from this address and agent."""
    token = _origin.set(Origin(address, agent[:200]))
    try:
        yield
    finally:
        _origin.reset(token)


def append(
    action: str,
    outcome: Outcome,
    *,
    actor: User | None,
    via: str,
    app_client: AppClient | None = None,
    tenant: Tenant | None = None,
    pool: UserPool | None = None,
    operation: Operation | None = None,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Adds one entry to the chain. Call it last in the transaction that makes the entry true: if it cannot be
    written (AuditUnavailable), that transaction fails too, and the act did not happen. Anything secret-like in reason
    and detail is masked."""
    last = _lock_head()
    entry = AuditEntry(
        sequence=last[0] + 1,
        at=timezone.now(),
        actor=actor,
        via=via,
        action=action,
        outcome=outcome,
        operation_id=operation.id if operation else "",
        app_client=app_client,
        tenant=tenant or (app_client.tenant if app_client else None),
        pool=pool or (app_client.pool if app_client else None),
        reason=scrubbed(reason),
        detail=masked(detail or {}),
        previous_hash=last[1],
    )
    entry.hash = _hash(entry)
    try:
        entry.save(force_insert=True)
        _keep_origin(entry)
    except DatabaseError as error:
        raise AuditUnavailable from error
    return entry


def _lock_head() -> tuple[int, str]:
    """(sequence, hash) of the last entry, which nobody else follows before this transaction ends."""
    if not connection.in_atomic_block:
        raise RuntimeError("An audit entry belongs into the transaction of its act.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
    return AuditEntry.objects.order_by("-sequence").values_list("sequence", "hash").first() or (0, GENESIS)


def masked(value: Any) -> Any:
    """The same without what is shaped like one of our secrets, and without whatever is called one."""
    if isinstance(value, dict):
        return {name: MASK if SECRET_LIKE.search(name) and held else masked(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return scrubbed(value) if isinstance(value, str) else value


def note_refusal(person: User, page: str) -> None:
    """A signed-in person tried what their role does not include: the first time in a minute for each page, so that a
    flood does not own the chain."""
    since = timezone.now() - timedelta(minutes=1)
    with transaction.atomic():
        if AuditEntry.objects.filter(actor=person, action=REFUSED, at__gte=since, detail__page=page).exists():
            return
        append(REFUSED, Outcome.FAILED, actor=person, via="web", tenant=person.tenant, detail={"page": page})


def _keep_origin(entry: AuditEntry) -> None:
    if origin := _origin.get():
        AuditOrigin.objects.create(entry=entry, address=origin.address or None, agent=origin.agent)


def _hash(entry: AuditEntry) -> str:
    content = [
        entry.sequence,
        entry.at.isoformat(),
        entry.actor_id,
        entry.via,
        entry.action,
        entry.outcome,
        entry.operation_id,
        entry.app_client_id,
        entry.tenant_id,
        entry.pool_id,
        entry.reason,
        entry.detail,
        entry.previous_hash,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fits(entry: AuditEntry) -> bool:
    """The entry is what was written, and follows the one before it."""
    before = AuditEntry.objects.filter(sequence=entry.sequence - 1).values_list("hash", flat=True).first()
    return entry.hash == _hash(entry) and entry.previous_hash == (before or (GENESIS if entry.sequence == 1 else ""))


def first_broken_entry() -> tuple[int, str] | None:
    """(sequence, what is wrong) of the first entry that does not fit the chain; None when all fit."""
    expected, previous = 1, GENESIS
    for entry in AuditEntry.objects.order_by("sequence").iterator(chunk_size=2000):
        if entry.sequence != expected:
            return expected, f"Entry {expected} is missing; the next one is {entry.sequence}."
        if entry.previous_hash != previous:
            return entry.sequence, f"Entry {entry.sequence} does not follow the one before it."
        if entry.hash != _hash(entry):
            return entry.sequence, f"Entry {entry.sequence} was changed after it was written."
        expected, previous = expected + 1, entry.hash
    return None
