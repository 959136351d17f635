"""Whose tokens a change of attributes would touch, and how: shown before it is saved, published anew after."""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from clients.models import AppClient, AttributeDefinition, ClientOverride, Tenant, TenantValue
from clients.services import claims

SAMPLE = 10  # clients named on a review page, and values of one claim told apart


@dataclass(frozen=True)
class ClaimChange:
    """One claim of `clients` tokens; None means the claim is not in them."""

    claim_name: str
    before: Any
    after: Any
    clients: int


@dataclass
class Effect:
    """`rows` are the clients whose documents change; they stay the same rows while the change is being saved. Told are
    those Cognito has: one still being created has no token that could change."""

    rows: QuerySet[AppClient]
    changes: list[ClaimChange] = field(default_factory=list)

    @property
    def told(self) -> QuerySet[AppClient]:
        return self.rows.filter(client_id__isnull=False)

    @cached_property
    def count(self) -> int:
        return self.told.count()

    @cached_property
    def sample(self) -> list[AppClient]:
        return list(self.told.select_related("tenant", "pool").order_by("name", "pk")[:SAMPLE])

    @cached_property
    def minutes(self) -> int:
        """How long a token issued before may still carry the old claims."""
        return (self.told.aggregate(longest=Max("access_token_seconds"))["longest"] or 0) // 60

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
    touched, changes = Q(pk__in=[]), []
    if was_used != is_used:
        touched |= Q(own) | Q(given)
        for value, clients in _values_set(after):
            gone, new = (value, None) if was_used else (None, value)
            changes.append(ClaimChange(after.claim_name, gone, new, clients))
    defaults = (before.default if before and was_used else None, after.default if is_used else None)
    if defaults[0] != defaults[1]:
        following = Q(~own) & Q(~given)
        touched |= following
        if clients := present.filter(following, client_id__isnull=False).count():
            changes.append(ClaimChange(after.claim_name, *defaults, clients))
    return Effect(present.filter(touched), sorted(changes, key=lambda change: -change.clients))


def _is_used(definition: AttributeDefinition | None) -> bool:
    return definition is not None and definition.retired_at is None


def _values_set(definition: AttributeDefinition) -> list[tuple[Any, int]]:
    """(value, how many clients carry it), set on a tenant or on the client itself; the default is not counted."""
    found: Counter[str] = Counter()
    present = AppClient.objects.present().filter(client_id__isnull=False)
    own = ClientOverride.objects.filter(definition_id=definition.pk, app_client__in=present)
    for value, clients in own.values_list("value").annotate(Count("pk")):
        found[json.dumps(value)] += clients
    following = dict(present.filter(~_own(definition)).order_by().values_list("tenant").annotate(Count("pk")))
    for tenant_id, value in TenantValue.objects.filter(definition_id=definition.pk).values_list("tenant", "value"):
        found[json.dumps(value)] += following.get(tenant_id, 0)
    return [(json.loads(text), clients) for text, clients in found.items() if clients]
