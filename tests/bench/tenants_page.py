"""The tenants page and its neighbours at 10, 100 and 2,000 tenants."""

from collections.abc import Iterator

from django.test import Client
from django.urls import reverse

from clients.models import AttributeDefinition, Tenant, TenantValue
from tests.bench.side_by_side import measure
from tests.support import World

SIZES = (10, 100, 2_000)


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    browser = Client()
    browser.force_login(world.people["administrator"])
    pages = _pages(world)
    found = measure(browser, list(pages.values()), SIZES, fill_up_to)
    for what, path in pages.items():
        few, some, many = (found[path, size] for size in SIZES)
        # A list holds twenty-five lines and a menu a hundred: with ten tenants they are not full yet.
        against = {SIZES[1]: some} if what in FILLS_LATER else {SIZES[0]: few, SIZES[1]: some}
        for size, less in against.items():
            ratio = many.p95 / less.p95
            yield f"{what} p95: 2,000 / {size} tenants", ratio, "at most 1.3", ratio <= 1.3
        counts = f"({many.queries} and {few.queries})"
        yield f"{what} queries: 2,000 / 10 tenants {counts}", many.queries / few.queries, "1.00", \
            many.queries == few.queries  # fmt: skip


def _pages(world: World) -> dict[str, str]:
    """The list of tenants, and what else draws, counts or offers tenants."""
    one = world.create(name="one-among-many-tenants")
    rate_limit = AttributeDefinition.objects.get(claim_name="rate_limit")
    return {
        "tenants page": "/tenants/", "home": "/", "clients page": "/clients/", "activity": "/activity/",
        "new client": f"/clients/new/?tenant={one.tenant.slug}", "new client, tenant open": "/clients/new/",
        "tenant page": reverse("tenant-page", args=[one.tenant.slug]),
        "attribute's page": reverse("attribute-retire", args=[rate_limit.pk]), "search": "/clients/?q=gold",
    }  # fmt: skip


FILLS_LATER = ("clients page", "activity", "new client", "new client, tenant open", "search")


def fill_up_to(size: int) -> None:
    have, tier = Tenant.objects.count(), AttributeDefinition.objects.get(claim_name="tier")
    made = Tenant.objects.bulk_create(
        Tenant(slug=f"tenant-{n}", name=f"Tenant number {n}", contact_email=f"it{n}@tenant.example")
        for n in range(have, size)
    )
    TenantValue.objects.bulk_create(TenantValue(tenant=tenant, definition=tier, value="gold") for tenant in made)
