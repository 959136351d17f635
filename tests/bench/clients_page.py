"""The clients page at 100, 1,000 and 10,000 clients, beside Django's own admin list of the same rows."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clients.models import AppClient, AttributeDefinition, AuditEntry, Scope, Secret, Tenant
from clients.models.ids import new_ulid
from tests.bench.side_by_side import measure
from tests.support import World

SIZES = (100, 1_000, 10_000)
ADMIN = "/admin/clients/appclient/"
ACTS = ("client:create", "secret:show", "client:change")
NEEDS = ("creating", "unpublished", "out of sync", "undelivered", "expiring")


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    browser = Client()
    browser.force_login(world.people["administrator"])
    pages = _pages(world)
    found = measure(browser, [*pages.values(), ADMIN], SIZES, lambda size: fill_up_to(world, size))
    for what, path in pages.items():
        few, many = found[path, SIZES[0]], found[path, SIZES[-1]]
        ratio = many.p95 / few.p95
        yield f"{what} p95: 10,000 / 100 clients", ratio, "at most 1.3", ratio <= 1.3
        counts = f"({many.queries} and {few.queries})"
        yield f"{what} queries: 10,000 / 100 clients {counts}", many.queries / few.queries, "at most 1", \
            many.queries <= few.queries  # fmt: skip
    beside = found["/clients/", SIZES[-1]].p95 / found[ADMIN, SIZES[-1]].p95
    # No aim: the admin's page draws eight plain columns; ours also scopes, secrets, flags and the frame around them.
    yield "clients page p95 at 10,000: ours / Django admin", beside, "for comparison", True


def _pages(world: World) -> dict[str, str]:
    """What must stay flat: a search that fits very many of the clients, one that fits a single one; a client among
    many, and the tenant, resource server and attribute that most of them have; what they all did."""
    one, server = world.create(), Scope.objects.order_by("pk")[0].resource_server
    rate_limit = AttributeDefinition.objects.get(claim_name="rate_limit")
    return {
        "clients page": reverse("client-list"), "search for many": "/clients/?q=gold", "search for one": "/clients/?q=0042",
        "home": "/", "scopes page": "/scopes/", "tenants page": "/tenants/",
        "client page": reverse("client-overview", args=[one.public_id]),
        "client's activity": reverse("client-activity", args=[one.public_id]),
        "tenant page": reverse("tenant-page", args=[one.tenant.slug]),
        "server page": reverse("server-page", args=[server.pk]),
        "attribute's page": reverse("attribute-retire", args=[rate_limit.pk]),
        "activity": reverse("activity-list"), "activity of one tenant": f"/activity/?tenant={one.tenant.slug}",
    }  # fmt: skip


def fill_up_to(world: World, size: int) -> None:
    """Every fifth client needs somebody, in each of the ways the list puts first; they were made over a year, and two
    in three are in use."""
    have = AppClient.objects.count()
    scope = Scope.objects.order_by("pk")[0]
    tenants = list(Tenant.objects.order_by("pk"))
    made = AppClient.objects.bulk_create(
        _app_client(world, tenants[n % len(tenants)], n, _need(n)) for n in range(have, size)
    )
    for app_client in made:  # what a new row gets by itself
        app_client.created_at -= timedelta(days=app_client.pk % 365)
    AppClient.objects.bulk_update(made, ["created_at"], batch_size=500)
    through = AppClient.scopes.through
    through.objects.bulk_create(through(appclient_id=c.pk, scope_id=scope.pk) for c in made)
    Secret.objects.bulk_create(_secret(c, _need(n)) for n, c in enumerate(made, start=have))
    _fill_trail(made)


def _fill_trail(made: list[AppClient]) -> None:
    """Three entries for each. That they form no chain slows no page: one entry alone is compared with its neighbour."""
    last = AuditEntry.objects.order_by("-sequence").values_list("sequence", flat=True)[0]
    entries = (
        AuditEntry(
            sequence=n, at=timezone.now(), actor=c.created_by, via="web", action=action, outcome="ok", app_client=c,
            tenant_id=c.tenant_id, pool_id=c.pool_id, detail={}, previous_hash=f"{n - 1:064x}", hash=f"{n:064x}",
        )
        for n, (c, action) in enumerate(product(made, ACTS), start=last + 1)
    )  # fmt: skip
    AuditEntry.objects.bulk_create(entries, batch_size=500)


def _need(number: int) -> str:
    return NEEDS[number // 5 % len(NEEDS)] if number % 5 == 0 else ""


def _app_client(world: World, tenant: Tenant, number: int, need: str) -> AppClient:
    return AppClient(
        pool=world.pool, tenant=tenant, name=f"filled-{number}", op_tag=new_ulid(),
        client_id=f"filled{number}", created_by=world.people["operator"],
        status="creating" if need == "creating" else "active",
        document_version=2 if need == "unpublished" else 1, published_version=1,
        drift=["scopes"] if need == "out of sync" else [],
        last_token_at=timezone.now() - timedelta(hours=number % 40) if number % 3 else None,
        expires_at=timezone.now() + timedelta(days=10 if need == "expiring" else 200),
    )  # fmt: skip


def _secret(app_client: AppClient, need: str) -> Secret:
    return Secret(
        app_client=app_client, ending=f"{app_client.pk:04d}"[-4:], fingerprint="", fingerprint_key_id="",
        state="current", created_by=app_client.created_by,
        delivered_at=None if need == "undelivered" else timezone.now(),
        sealed_value=b"sealed" if need == "undelivered" else None,
    )  # fmt: skip
