"""The clients page at 100, 1,000 and 10,000 clients, beside Django's own admin list of the same rows."""

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

SIZES, SAMPLES = (100, 1_000, 10_000), 40


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    browser = Client()
    browser.force_login(world.people["administrator"])
    times, queries, admin = {}, {}, {}
    for size in SIZES:
        fill_up_to(world, size)
        times[size], queries[size] = _measure(browser, "/clients/")
        admin[size], _ = _measure(browser, "/admin/clients/appclient/")
    for size in SIZES[1:]:
        ratio = times[size] / times[SIZES[0]]
        yield f"clients page p95: {size:,} / 100 clients", ratio, "at most 1.3", ratio <= 1.3 or size != SIZES[-1]
    same = queries[SIZES[-1]] / queries[SIZES[0]]
    yield f"clients page queries: 10,000 / 100 clients ({queries[100]} each)", same, "1.00", same == 1
    yield "clients page p95 at 10,000: ours / Django admin", times[SIZES[-1]] / admin[SIZES[-1]], "below 1", True


def _measure(browser: Client, path: str) -> tuple[float, int]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(path).status_code == 200
    asked = len(captured)  # now: each further request forgets the queries before it
    samples = []
    for _ in range(SAMPLES):
        with stopwatch() as seconds:
            browser.get(path)
            samples.append(seconds())
    return p95(samples), asked


def fill_up_to(world: World, size: int) -> None:
    have = AppClient.objects.count()
    now, actor, scope = timezone.now(), world.people["operator"], Scope.objects.order_by("pk")[0]
    tenants = list(world.tenants.values())
    made = AppClient.objects.bulk_create(
        AppClient(
            pool=world.pool,
            tenant=tenants[n % len(tenants)],
            name=f"filled-{n}",
            op_tag=new_ulid(),
            client_id=f"filled{n}",
            status="active",
            document_version=1,
            published_version=1,
            created_by=actor,
            expires_at=now + timedelta(days=200),
        )
        for n in range(have, size)
    )
    through = AppClient.scopes.through
    through.objects.bulk_create(through(appclient_id=c.pk, scope_id=scope.pk) for c in made)
    Secret.objects.bulk_create(
        Secret(
            app_client=c,
            ending=f"{c.pk:04d}"[-4:],
            fingerprint="",
            fingerprint_key_id="",
            state="current",
            created_by=actor,
            delivered_at=now,
        )
        for c in made
    )
