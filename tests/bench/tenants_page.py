"""The tenants page at 10, 100 and 2,000 tenants."""

from collections.abc import Iterator

from django.test import Client

from clients.models import AttributeDefinition, Tenant, TenantValue
from tests.bench.side_by_side import measure
from tests.support import World

SIZES = (10, 100, 2_000)


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    browser = Client()
    browser.force_login(world.people["administrator"])
    found = measure(browser, ["/tenants/"], SIZES, fill_up_to)
    many = found["/tenants/", SIZES[-1]]
    for size in SIZES[:2]:  # a page holds thirty: at ten it draws ten lines, at a hundred as many as at 2,000
        ratio = many.p95 / found["/tenants/", size].p95
        yield f"tenants page p95: 2,000 / {size} tenants", ratio, "at most 1.3", ratio <= 1.3
    few = found["/tenants/", SIZES[0]]
    counts = f"({many.queries} and {few.queries})"
    yield f"tenants page queries: 2,000 / 10 tenants {counts}", many.queries / few.queries, "1.00", \
        many.queries == few.queries  # fmt: skip


def fill_up_to(size: int) -> None:
    have, tier = Tenant.objects.count(), AttributeDefinition.objects.get(claim_name="tier")
    made = Tenant.objects.bulk_create(
        Tenant(slug=f"tenant-{n}", name=f"Tenant number {n}", contact_email=f"it{n}@tenant.example")
        for n in range(have, size)
    )
    TenantValue.objects.bulk_create(TenantValue(tenant=tenant, definition=tier, value="gold") for tenant in made)
