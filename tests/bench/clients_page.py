"""The clients page at 100, 1,000 and 10,000 clients, beside Django's own admin list of the same rows."""

import gc
from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients.models import AppClient, Scope, Secret
from clients.models.ids import new_ulid
from tests.bench.__main__ import p95, stopwatch
from tests.support import World

SIZES, SAMPLES = (100, 1_000, 10_000), 80
# Pages that must stay as flat: a search that fits half of the clients, one that fits a single one, and home.
ALSO = {"search for many": "/clients/?q=gold", "search for one": "/clients/?q=0042", "home": "/"}
NEEDS = ("creating", "unpublished", "out of sync", "undelivered", "expiring")


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    browser = Client()
    browser.force_login(world.people["administrator"])
    times, queries, admin, also = {}, {}, {}, {}
    for size in SIZES:
        fill_up_to(world, size)
        times[size], queries[size] = measure(browser, "/clients/")
        admin[size], _ = measure(browser, "/admin/clients/appclient/")
        also[size] = {what: measure(browser, path) for what, path in ALSO.items()}
    for size in SIZES[1:]:
        ratio = times[size] / times[SIZES[0]]
        yield f"clients page p95: {size:,} / 100 clients", ratio, "at most 1.3", ratio <= 1.3
    same = queries[SIZES[-1]] / queries[SIZES[0]]
    counts = f"{queries[SIZES[-1]]} and {queries[SIZES[0]]}"
    yield f"clients page queries: 10,000 / 100 clients ({counts})", same, "at most 1", same <= 1
    for what in ALSO:
        (few, asked_few), (many, asked) = also[SIZES[0]][what], also[SIZES[-1]][what]
        name = f"{what} p95: {SIZES[-1]:,} / 100 clients ({asked} and {asked_few} queries)"
        yield name, many / few, "at most 1.3", many / few <= 1.3 and asked <= asked_few
    beside = times[SIZES[-1]] / admin[SIZES[-1]]
    # No aim: the admin's page draws eight plain columns; ours also scopes, secrets, flags and the frame around them.
    yield "clients page p95 at 10,000: ours / Django admin", beside, "for comparison", True


def measure(browser: Client, path: str) -> tuple[float, int]:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200
    asked = len(captured)  # now: each further request forgets the queries before it
    gc.collect()
    gc.freeze()  # what filling left behind would else be walked now and then in the middle of a request
    samples = []
    for _ in range(SAMPLES):
        with stopwatch() as seconds:
            browser.get(path)
            samples.append(seconds())
    gc.unfreeze()
    return p95(samples), asked


def fill_up_to(world: World, size: int) -> None:
    """Every fifth client needs somebody, in each of the ways the list puts first."""
    have = AppClient.objects.count()
    scope = Scope.objects.order_by("pk")[0]
    made = AppClient.objects.bulk_create(_app_client(world, n, _need(n)) for n in range(have, size))
    through = AppClient.scopes.through
    through.objects.bulk_create(through(appclient_id=c.pk, scope_id=scope.pk) for c in made)
    Secret.objects.bulk_create(_secret(c, _need(n)) for n, c in enumerate(made, start=have))


def _need(number: int) -> str:
    return NEEDS[number // 5 % len(NEEDS)] if number % 5 == 0 else ""


def _app_client(world: World, number: int, need: str) -> AppClient:
    tenants = list(world.tenants.values())
    return AppClient(
        pool=world.pool, tenant=tenants[number % len(tenants)], name=f"filled-{number}", op_tag=new_ulid(),
        client_id=f"filled{number}", created_by=world.people["operator"],
        status="creating" if need == "creating" else "active",
        document_version=2 if need == "unpublished" else 1, published_version=1,
        drift=["scopes"] if need == "out of sync" else [],
        expires_at=timezone.now() + timedelta(days=10 if need == "expiring" else 200),
    )  # fmt: skip


def _secret(app_client: AppClient, need: str) -> Secret:
    return Secret(
        app_client=app_client, ending=f"{app_client.pk:04d}"[-4:], fingerprint="", fingerprint_key_id="",
        state="current", created_by=app_client.created_by,
        delivered_at=None if need == "undelivered" else timezone.now(),
        sealed_value=b"sealed" if need == "undelivered" else None,
    )  # fmt: skip
