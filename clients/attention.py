"""What home shows: what needs somebody, the figures, how far the first set-up is. Reads only, and with the same number
of queries whatever the number of clients."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import CharField, Count, Exists, F, Q
from django.db.models.functions import Cast, Substr
from django.utils import timezone

from clients.models import (
    GOING_ON,
    AppClient,
    AttributeDefinition,
    Handover,
    Operation,
    OperationState,
    ResourceServer,
    Retirement,
    RetirementState,
    Rotation,
    RotationState,
    Scope,
    Secret,
    SecretState,
    Status,
    Tenant,
    TenantChange,
    User,
    UserPool,
)

CAP = 12
MANY = 100
DAYS = 30
SOON = timedelta(days=7)
# The most urgent first: what stops working, what stands still, what waits for somebody.
URGENCY = (
    "alarm", "asked", "pool-missing", "expired", "given-up", "overlap-over", "ends-soon", "waiting", "tenant-waits",
    "unpublished", "out-of-sync", "server-differs", "undelivered", "retiring", "ends", "foreign",
)  # fmt: skip
FORGOTTEN = timedelta(days=7)  # a retirement nobody goes on with


@dataclass
class Item:
    """One thing that needs somebody; `at` is by when or since when."""

    kind: str
    at: datetime | None
    app_client: AppClient | None = None
    secret: Secret | None = None
    operation: Operation | None = None
    pool: UserPool | None = None
    handover: Handover | None = None
    rotation: Rotation | None = None
    retirement: Retirement | None = None
    change: TenantChange | None = None
    server: ResourceServer | None = None

    @property
    def order(self) -> tuple[int, str]:
        return URGENCY.index(self.kind), self.at.isoformat() if self.at else ""


@dataclass
class Attention:
    """The most urgent `items`; `counts` per group, each counted up to a hundred."""

    items: list[Item] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    oldest_undelivered: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def is_more(self) -> bool:
        return self.total > len(self.items)

    @property
    def in_words(self) -> str:
        """With a plus where a group has as many as are counted."""
        return f"{self.total}{'+' if MANY in self.counts.values() else ''}"

    def counted(self, group: str) -> str:
        return f"{self.counts[group]}{'+' if self.counts[group] == MANY else ''}"

    def add(self, group: str, items: list[Item], count: int) -> None:
        self.items, self.counts[group] = self.items + items, count

    def is_full(self, kind: str) -> bool:
        """Nothing of this kind, or of a less urgent one, is among those shown any more."""
        return sum(URGENCY.index(item.kind) < URGENCY.index(kind) for item in self.items) >= CAP


def what_needs_attention(pools: list[UserPool]) -> Attention:
    found = Attention()
    _add_pools(found, pools)
    alarms = Handover.objects.filter(alarm_at__isnull=False).exclude(secret__state=SecretState.RETIRED)
    _add(found, "alarms", alarms.select_related("app_client__tenant", "secret").order_by("alarm_at"), "alarm",
         lambda h: Item("alarm", h.alarm_at, h.app_client, h.secret, handover=h))  # fmt: skip
    asked = Rotation.objects.filter(state=RotationState.REQUESTED).select_related("app_client__tenant", "old_secret")
    _add(found, "asked", asked.order_by("started_at"), "asked",
         lambda r: Item("asked", r.started_at, r.app_client, r.old_secret, rotation=r))  # fmt: skip
    over = Rotation.objects.overdue().select_related("app_client__tenant", "old_secret")
    stuck = Operation.objects.stuck().select_related("app_client__tenant", "pool")
    clients = AppClient.objects.present().select_related("tenant", "pool")
    _add(found, "expiring", clients.expiring().order_by("expires_at"), "expired", _expiring)
    ended_first = F("finished_at").asc(nulls_last=True)
    _add(found, "operations", stuck.order_by(ended_first, "id"), "given-up", _stuck)
    _add(found, "overlaps", over.order_by("ends_at"), "overlap-over",
         lambda r: Item("overlap-over", r.ends_at, r.app_client, r.old_secret, rotation=r))  # fmt: skip
    made = clients.exclude(status=Status.CREATING)  # else its operation stands here
    _add(found, "unpublished", made.unpublished().order_by("pk"), "unpublished",
         lambda c: Item("unpublished", c.published_at, c))  # fmt: skip
    _add(found, "out_of_sync", made.out_of_sync().order_by("pk"), "out-of-sync",
         lambda c: Item("out-of-sync", c.observed_at, c))  # fmt: skip
    _add_undelivered(found)
    _add_guided(found)
    found.items = sorted(found.items, key=lambda item: item.order)[:CAP]
    return found


def _add_guided(found: Attention) -> None:
    """What somebody began and that cannot go on by itself, retirements, tenants being paused or off-boarded; and
    resource servers that were changed outside the portal."""
    going = Retirement.objects.filter(state__in=GOING_ON).select_related("resource_server", "pool", "started_by")
    forgotten = Q(state=RetirementState.WAITING, started_at__lte=timezone.now() - FORGOTTEN)
    held = TenantChange.objects.filter(finished_at=None).exclude(last_error="").select_related("tenant", "started_by")
    differing = ResourceServer.objects.exclude(drift={}).select_related("pool")
    waiting = [
        *(Item("retiring", r.started_at, retirement=r) for r in going.filter(forgotten | ~Q(last_error=""))[:MANY]),
        *(Item("tenant-waits", c.started_at, change=c) for c in held[:MANY]),
        *(Item("server-differs", s.pool.compared_at, server=s) for s in differing[:MANY]),
    ]
    found.add("guided", waiting, len(waiting))  # few there can be, so they are counted while they are read


def _add(found: Attention, group: str, rows: Any, kind: str, item: Any) -> None:
    """Of each group no more than could be shown beside what is more urgent, and no more counted than anybody reads.
    `kind` is the most urgent one among them: so they are added, the most urgent first."""
    shown = [] if found.is_full(kind) else [item(row) for row in rows[:CAP]]
    found.add(group, shown, rows.order_by()[:MANY].count())


def _add_undelivered(found: Attention) -> None:
    """Counted by clients, as the list does: a rotating one may wait with two secrets."""
    waiting = Secret.objects.undelivered().exclude(app_client__status__in=[Status.DELETED, Status.CREATING])
    shown = 1 if found.is_full("undelivered") else CAP
    oldest = waiting.select_related("app_client__tenant").order_by("created_at")[:shown]
    items = [Item("undelivered", secret.created_at, secret.app_client, secret) for secret in oldest]
    found.add("undelivered", items, waiting.order_by().values("app_client").distinct()[:MANY].count())
    found.oldest_undelivered = items[0].at if items else None


def _add_pools(found: Attention, pools: list[UserPool]) -> None:
    missing = [Item("pool-missing", pool.checked_at, pool=pool) for pool in pools if pool.is_missing]
    strange = [pool for pool in pools if pool.foreign_clients and not pool.is_missing]
    foreign = [Item("foreign", pool.compared_at, pool=pool) for pool in strange]
    found.add("pools", missing + foreign, len(missing + foreign))


def _stuck(operation: Operation) -> Item:
    is_over = operation.state in (OperationState.REFUSED, OperationState.GIVEN_UP)
    at = operation.finished_at if is_over else operation.next_try_at
    return Item("given-up" if is_over else "waiting", at, operation.app_client, operation=operation)


def _expiring(app_client: AppClient) -> Item:
    left = app_client.expires_at - timezone.now() if app_client.expires_at else SOON
    kind = "expired" if left <= timedelta(0) else "ends-soon" if left <= SOON else "ends"
    return Item(kind, app_client.expires_at, app_client)


# --- Figures ---------------------------------------------------------------------------------------


@dataclass
class Figures:
    """Counted now. Per day: the last thirty days in UTC, today last."""

    clients: int
    paused: int
    created: list[int]
    in_use: int
    last_tokens: list[int]
    never_used: int
    idle: int
    is_use_known: bool  # without the portal's trigger nobody reports tokens
    is_use_stale: bool  # what it reports cannot be read

    @property
    def created_total(self) -> int:
        return sum(self.created)

    @property
    def created_today(self) -> int:
        return self.created[-1]


def figures(pools: list[UserPool]) -> Figures:
    now = timezone.now()
    which = {
        "in_use": Q(last_token_at__gt=now - timedelta(hours=24)),
        "paused": Q(status=Status.PAUSED),
        "never_used": Q(last_token_at__isnull=True) & ~Q(status=Status.CREATING),
        "idle": Q(last_token_at__lte=now - timedelta(days=90)),
    }
    present = AppClient.objects.present()
    counted = present.aggregate(clients=Count("*"), **{name: Count("pk", filter=q) for name, q in which.items()})
    return Figures(**counted, created=_per_day(AppClient.objects.all(), "created_at", now.date()),
                   last_tokens=_per_day(present, "last_token_at", now.date()),
                   is_use_known=any(pool.reports_use for pool in pools),
                   is_use_stale=any(pool.is_use_stale for pool in pools))  # fmt: skip


def _per_day(rows: Any, name: str, today: date) -> list[int]:
    """How many rows on each day. The day is cut off the text: SQLite's own date functions are ten times slower."""
    first = today - timedelta(days=DAYS - 1)
    since = datetime.combine(first, datetime.min.time(), tzinfo=timezone.get_default_timezone())
    day = Substr(Cast(F(name), CharField()), 1, 10)
    rows = rows.filter(**{f"{name}__gte": since}).order_by().annotate(day=day).values_list("day")
    counted = dict(rows.annotate(count=Count("*")))
    return [counted.get((first + timedelta(days=n)).isoformat(), 0) for n in range(DAYS)]


# --- Room in Cognito -------------------------------------------------------------------------------

# What a pool and a resource server may hold by default; all but the scopes can be raised (cognito_facts section 7).
MOST_CLIENTS, MOST_SERVERS, MOST_SCOPES = 1_000, 25, 100
NEARLY_FULL = 0.8


@dataclass(frozen=True)
class Room:
    """How much of a quota is used where it is used most; `where` names the pool or the resource server."""

    what: str
    used: int
    most: int
    where: str
    is_fixed: bool = False

    @property
    def is_scarce(self) -> bool:
        return self.used >= NEARLY_FULL * self.most

    @property
    def percent(self) -> int:
        return 100 * self.used // self.most

    @property
    def left(self) -> int:
        return max(self.most - self.used, 0)


def room(connected: list[UserPool]) -> list[Room]:
    """Two questions, whatever the number of clients. Nothing before a pool is connected."""
    if not connected:
        return []
    pools = {pool.pk: pool for pool in connected}
    held = AppClient.objects.present().filter(client_id__isnull=False).order_by()
    clients = Counter(dict(held.values_list("pool").annotate(Count("pk"))))
    clients += Counter({pk: len(pool.foreign_clients) for pk, pool in pools.items()})
    scopes = list(ResourceServer.objects.order_by("pk").annotate(held=Count("scopes")))
    servers = Counter(server.pool_id for server in scopes)

    def fullest(what: str, counted: Counter[int], most: int) -> Room:
        pk = max(pools, key=lambda pk: counted[pk])
        return Room(what, counted[pk], most, str(pools[pk]))

    found = [fullest("App clients", clients, MOST_CLIENTS), fullest("Resource servers", servers, MOST_SERVERS)]
    if scopes:
        widest: Any = max(scopes, key=lambda server: server.held)
        found.append(Room("Scopes of one server", widest.held, MOST_SCOPES, widest.identifier, is_fixed=True))
    return found


# --- The first set-up ------------------------------------------------------------------------------


def setup_done(user: User, pools: list[UserPool]) -> dict[str, bool]:
    """Each step from an empty database to the first token, and whether it is done."""
    steps = {
        "server": Scope.objects.all(),
        "attribute": AttributeDefinition.objects.filter(retired_at__isnull=True),
        "tenant": Tenant.objects.all(),
        "client": AppClient.objects.filter(client_id__isnull=False),
        "delivered": Secret.objects.filter(delivered_at__isnull=False),
        "token": AppClient.objects.filter(last_token_at__isnull=False),
    }
    row = User.objects.filter(pk=user.pk).values_list(*[Exists(rows) for rows in steps.values()])
    done = dict(zip(steps, row.get(), strict=True))
    return done | {"pool": bool(pools), "trigger": any(pool.reports_use for pool in pools)}
