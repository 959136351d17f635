"""Whose tokens a change of attributes would touch, and how: shown before it is saved, published anew after."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from math import ceil
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from clients.errors import ReviewOutdated
from clients.models import AppClient, AttributeDefinition, ClientOverride, Status, Tenant, TenantValue
from clients.services import claims

LARGE_PRIME = 65_521
SAMPLE = 10  # clients named on a review page, and values of one claim told apart


@dataclass(frozen=True)
class ClaimChange:
    """One claim of `clients` tokens; None means the claim is not in them."""

    claim_name: str
    before: Any
    after: Any
    clients: int


@dataclass(frozen=True)
class Totals:
    """How many clients there are, the seconds of the longest token, and sums that move with every client that comes or
    goes, so that nobody has to carry the keys of ten thousand."""

    count: int
    longest: int
    marks: list[Any]


@dataclass
class Effect:
    """`rows` are the clients whose documents change; they stay the same rows while the change is being saved. Told are
    those Cognito has: one still being created has no token that could change."""

    rows: QuerySet[AppClient]
    changes: list[ClaimChange] = field(default_factory=list)
    known: Totals | None = None  # where all clients are touched, and counted already

    @property
    def told(self) -> QuerySet[AppClient]:
        return self.rows.filter(client_id__isnull=False)

    @cached_property
    def _totals(self) -> Totals:
        """In one query: the sums are those of the keys and of their squares, kept small."""
        if self.known:
            return self.known
        small = F("pk") % LARGE_PRIME
        sums = {"keys": Sum("pk"), "squares": Sum(small * small)}
        found = self.told.aggregate(count=Count("pk"), longest=Max("access_token_seconds"), **sums)
        whole = {name: int(number or 0) for name, number in found.items()}  # PostgreSQL sums into decimals
        return Totals(whole["count"], whole["longest"], [whole["keys"], whole["squares"]])

    @property
    def fingerprint(self) -> str:
        """The same for the same clients and claims, now and afterwards: a review carries it."""
        changes = sorted(json.dumps([c.claim_name, c.before, c.after, c.clients]) for c in self.changes)
        return hashlib.sha256(json.dumps([self.count, self._totals.marks, changes]).encode()).hexdigest()[:32]

    def refuse_other(self, reviewed: str) -> None:
        """Raises ReviewOutdated when somebody reviewed another effect than this; "" where nobody reviews."""
        if reviewed and reviewed != self.fingerprint:
            raise ReviewOutdated(
                "Since you looked, others changed what it depends on: by now it would touch other clients, or do "
                "something else to them. Look again before you save."
            )

    @property
    def count(self) -> int:
        return self._totals.count

    @cached_property
    def sample(self) -> list[AppClient]:
        return list(self.told.select_related("tenant", "pool").order_by("name", "pk")[:SAMPLE])

    @cached_property
    def minutes(self) -> int:
        """How long a token issued up to now may still carry the old claims; also one from before its client's validity
        was cut."""
        now = timezone.now()
        older = self.told.filter(older_tokens_until__gt=now).aggregate(until=Max("older_tokens_until"))["until"]
        ends = max(now + timedelta(seconds=self._totals.longest), older or now)
        return ceil((ends - now) / timedelta(minutes=1))

    @property
    def more(self) -> int:
        return self.count - len(self.sample)

    @property
    def told_apart(self) -> list[ClaimChange]:
        return self.changes[:SAMPLE]

    @property
    def more_values(self) -> int:
        return len(self.changes) - len(self.told_apart)


def _own(definition: AttributeDefinition) -> Exists:
    """The client has a value of its own."""
    return Exists(ClientOverride.objects.filter(app_client=OuterRef("pk"), definition_id=definition.pk))


def of_tenant_values(tenant: Tenant, values: dict[AttributeDefinition, Any]) -> Effect:
    """When the tenant's values become these. A client with a value of its own keeps it."""
    stored, wanted = claims.stored_values(tenant), {d.pk: value for d, value in values.items()}
    present = AppClient.objects.present().filter(tenant=tenant)
    touched, changes = Q(pk__in=[]), []
    for definition in claims.present_definitions():
        before = stored.get(definition.pk, definition.default)
        after = wanted.get(definition.pk, definition.default)
        if before != after:
            following = present.filter(~_own(definition), client_id__isnull=False).count()
            changes.append(ClaimChange(definition.claim_name, before, after, following))
            touched |= Q(~_own(definition))
    return Effect(present.filter(touched), changes)


def of_definition(before: AttributeDefinition | None, after: AttributeDefinition) -> Effect:
    """When a definition becomes another, is retired or taken back; `before` is None where there was none."""
    was_used, is_used = _is_used(before), _is_used(after)
    given = Exists(TenantValue.objects.filter(tenant=OuterRef("tenant_id"), definition_id=after.pk))
    present, own = AppClient.objects.present(), _own(after)
    carried, following, totals = _carried(after)
    changes = []
    if was_used != is_used:
        for value, clients in carried:
            gone, new = (value, None) if was_used else (None, value)
            changes.append(ClaimChange(after.claim_name, gone, new, clients))
    defaults = (before.default if before and was_used else None, after.default if is_used else None)
    if defaults[0] != defaults[1] and following:
        changes.append(ClaimChange(after.claim_name, *defaults, following))
    changes.sort(key=lambda change: -change.clients)
    if was_used != is_used and defaults[0] != defaults[1]:
        return Effect(present, changes, totals)  # whoever has a value, and whoever has none: all
    if was_used != is_used:
        return Effect(present.filter(Q(own) | Q(given)), changes)
    return Effect(present.filter(Q(~own) & Q(~given)) if defaults[0] != defaults[1] else present.none(), changes)


def _is_used(definition: AttributeDefinition | None) -> bool:
    return definition is not None and definition.retired_at is None


def _carried(definition: AttributeDefinition) -> tuple[list[tuple[Any, int]], int, Totals]:
    """(value, how many clients carry it), set on a tenant or on the client itself; how many follow the default; what
    all clients sum up to. They are counted by tenant, from an index alone."""
    told = AppClient.objects.present().filter(client_id__isnull=False).order_by()
    by_tenant = told.values_list("tenant").annotate(Count("pk"), Max("access_token_seconds"), Sum("pk"))
    left, longest, marks = Counter[int](), 0, []
    for tenant_id, clients, seconds, keys in by_tenant.order_by("tenant"):
        left[tenant_id], longest = clients, max(longest, seconds)
        marks.append([tenant_id, clients, int(keys)])
    everybody, found = left.total(), Counter[str]()
    own = ClientOverride.objects.filter(definition_id=definition.pk, app_client__client_id__isnull=False)
    own = own.exclude(app_client__status=Status.DELETED)
    for tenant_id, value, clients in own.values_list("app_client__tenant", "value").annotate(Count("pk")):
        found[json.dumps(value)] += clients
        left[tenant_id] -= clients
    for tenant_id, value in TenantValue.objects.filter(definition_id=definition.pk).values_list("tenant", "value"):
        found[json.dumps(value)] += left.pop(tenant_id, 0)
    carried = [(json.loads(text), clients) for text, clients in found.items() if clients]
    return carried, left.total(), Totals(everybody, longest, marks)
