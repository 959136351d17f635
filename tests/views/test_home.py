"""Home: what needs somebody, figures, recent acts, saved views, the first set-up."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients import attention
from clients.models import (
    AppClient,
    AuditEntry,
    Handover,
    Operation,
    OperationState,
    Outcome,
    ResourceServer,
    Retirement,
    Rotation,
    Secret,
    Status,
    TenantChange,
    UserPool,
)
from clients.services import attributes, tenants

NOW = timezone.now


@pytest.fixture
def operation(world, make):
    def row(state, name="halted", *, app_client=None, **fields):
        app_client = app_client or make(name)
        return Operation.objects.create(
            kind="client:change", target=f"client:{app_client.public_id}", pool=world.pool, app_client=app_client, state=state,
            step="change", actor=world.people["operator"], **{"lease_until": NOW(), "params_hash": ""} | fields,
        )  # fmt: skip

    return row


def kinds(client):
    return [row["item"].kind for row in client.get("/").context["rows"]]


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


# --- Each kind, while it lasts -------------------------------------------------------------------


def test_home_of_a_portal_in_order_asks_for_nothing(client, operator, make):
    make("quiet")
    answer = client.get("/")
    assert kinds(client) == [] and "Nothing needs attention" in text_of(answer)


def _missing(world, make, operation):
    UserPool.objects.update(is_missing=True)
    return lambda: UserPool.objects.update(is_missing=False)


def _foreign(world, make, operation):
    UserPool.objects.update(foreign_clients=[{"client_id": "x", "name": "grafana-sync", "ours": False}])
    return lambda: UserPool.objects.update(foreign_clients=[])


def _alarm(world, make, operation):
    row = make("one")
    now = NOW()
    Handover.objects.create(
        app_client=row, secret=row.secrets.get(), token_hash="x", created_by=world.people["operator"], expires_at=now,
        shown_at=now, ended_at=now, alarm_at=now,
    )  # fmt: skip
    return lambda: row.secrets.update(state="retired")


def _row(**fields):
    def begin(world, make, operation):
        row = make("one", **fields)
        settled = {"drift": [], "expires_at": NOW() + timedelta(days=90), "published_version": 9}
        return lambda: (
            AppClient.objects.filter(pk=row.pk).update(**settled),
            Secret.objects.update(delivered_at=NOW()),
        )

    return begin


def _operation(state, **fields):
    def begin(world, make, operation):
        row = operation(state, **fields)
        return lambda: Operation.objects.filter(pk=row.pk).update(state=OperationState.DONE)

    return begin


def _rotation(state, **fields):
    def begin(world, make, operation):
        row = make("one")
        made = Rotation.objects.create(
            app_client=row,
            old_secret=row.secrets.get(),
            state=state,
            **{"started_by": world.people["operator"]} | fields,
        )
        return lambda: Rotation.objects.filter(pk=made.pk).update(state="finished")

    return begin


def _retirement(**fields):
    def begin(world, make, operation):
        server = ResourceServer.objects.get(identifier="orders")
        made = Retirement.objects.create(
            pool=world.pool, resource_server=server, identifier="orders", scope_names=["read"],
            started_by=world.people["operator"],
        )  # fmt: skip
        Retirement.objects.filter(pk=made.pk).update(**fields)
        return lambda: Retirement.objects.update(state="done")

    return begin


def _server(world, make, operation):
    ResourceServer.objects.filter(identifier="orders").update(drift={"added": ["cancel"]})
    return lambda: ResourceServer.objects.update(drift={})


def _tenant_change(world, make, operation):
    TenantChange.objects.create(
        tenant=world.tenants["northwind"], kind="pause", started_by=world.people["operator"], last_error="AWS is away."
    )
    return lambda: TenantChange.objects.update(finished_at=NOW())


@pytest.mark.parametrize(
    ("kind", "begin", "says"),
    [
        ("alarm", _alarm, "Somebody else may hold a secret Whoever opened the link"),
        ("pool-missing", _missing, "Pool missing in Cognito"),
        ("expired", _row(days=-1), "It still works in Cognito until somebody removes it"),
        ("given-up", _operation("given_up", last_error="Broken."), "Change client did not succeed Broken."),
        ("given-up", _operation("refused"), "Change client did not succeed"),
        ("ends-soon", _row(days=6), "Expires soon Whether it is used is not available: no trigger reports it."),
        ("waiting", _operation("waiting", last_error="Throttled."), "Change client is not finished Throttled."),
        ("unpublished", _row(document_version=2, publish_error="No table."), "Attributes not published No table."),
        ("out-of-sync", _row(drift=["scopes"]), "In Cognito the scopes differ"),
        ("out-of-sync", _row(drift=["strangers"]), "Cognito holds a secret that the portal did not make."),
        ("undelivered", _row(delivered=False), "Nobody has seen the secret"),
        ("ends", _row(days=20), "Expires soon"),
        ("asked", _rotation("requested"), "A rotation is asked for"),
        (
            "overlap-over",
            _rotation("open", ends_at=NOW() - timedelta(hours=1)),
            "Both secrets of the client still work",
        ),
        ("retiring", _retirement(last_error="One has no other scope."), "One has no other scope. orders"),
        ("retiring", _retirement(started_at=NOW() - timedelta(days=8)), "Nobody has released the clients"),
        ("server-differs", _server, "Resource server out of sync"),
        ("given-up", _operation("refused", last_error_code="overruled", attempts=2), "did not succeed"),
        ("tenant-waits", _tenant_change, "Pause tenant waits AWS is away. Northwind Logistics"),
        ("foreign", _foreign, "1 client in Cognito unknown to the portal grafana-sync"),
    ],
)
def test_home_shows_what_needs_somebody_until_it_is_done(client, world, operator, make, operation, kind, begin, says):
    end = begin(world, make, operation)
    assert kinds(client) == [kind] and says in text_of(client.get("/"))
    shown = {row["item"].app_client for row in client.get("/").context["rows"]} - {None}
    assert set(client.get("/clients/?attention=on").context["page"]) == shown, "the list that home leads to has it"
    end()
    assert kinds(client) == []


def test_home_leaves_out_a_failure_made_good_by_a_later_change(client, operator, make, operation):
    one = make("one")
    operation("refused", app_client=one, aspect="scopes")
    operation("done", app_client=one, aspect="settings")
    assert kinds(client) == ["given-up"], "a new name does not bring the scopes"
    operation("done", app_client=one, aspect="scopes")
    assert kinds(client) == []


def test_home_tells_of_an_operation_that_nobody_drives(client, operator, make, operation):
    operation("running", "left", lease_until=NOW() - timedelta(minutes=6))
    operation("running", "driven", lease_until=NOW() + timedelta(minutes=1))
    assert kinds(client) == ["waiting"]


def test_home_leaves_out_deleted_clients(client, operator, make):
    make("gone", status=Status.DELETED, days=-3, drift=["missing"], document_version=3, delivered=False)
    assert kinds(client) == []


def test_home_puts_the_most_urgent_first(client, world, operator, make, operation):
    _foreign(world, make, operation)
    make("c", delivered=False), make("b", drift=["name"]), make("d", days=20), make("a", days=2), make("e", days=-2)
    operation("waiting", "w"), operation("given_up", "g")
    found = ["expired", "given-up", "ends-soon", "waiting", "out-of-sync", "undelivered", "ends", "foreign"]
    assert kinds(client) == found


def test_home_shows_a_dozen_and_leads_to_all(client, operator, make):
    for n in range(15):
        make(f"late-{n}", days=n + 8)
    make("over", days=-1)
    answer = client.get("/")
    assert len(answer.context["rows"]) == attention.CAP and kinds(client)[0] == "expired"
    assert "12 of 16" in text_of(answer) and '<a href="/clients/?attention=on">' in answer.content.decode()
    assert [row["item"].app_client.name for row in answer.context["rows"]][1:3] == ["late-0", "late-1"]


def test_home_has_one_button_per_row(client, operator, world, make, operation):
    make("a", days=-2), make("b", delivered=False), operation("given_up"), _foreign(world, make, operation)
    rows = client.get("/").content.decode().split('<ol class="attn">')[1].split("</ol>")[0].split("<li>")[1:]
    assert len(rows) == 4 and [row.count('class="btn') for row in rows] == [1, 1, 1, 1]


@pytest.mark.parametrize("who", ["administrator", "operator", "support", "auditor"])
def test_home_offers_a_retry_to_those_who_may(client, world, make, operation, who):
    row = operation("given_up")
    client.force_login(world.people[who])
    assert (f"/operations/{row.pk}/retry/" in client.get("/").content.decode()) == (who != "auditor")


def test_home_costs_no_more_for_two_hundred_than_for_five_clients(client, operator, make):
    def add(numbers):
        for n in numbers:
            make(
                f"n{n}", **[{}, {"days": 2}, {"drift": ["name"]}, {"delivered": False}, {"document_version": 2}][n % 5]
            )

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get("/")
        return len(captured)

    add(range(5))
    client.get("/")
    few = queries()
    add(range(5, 200))
    assert queries() <= few < 40  # fewer, for what is less urgent than twelve others is counted alone


def test_one_given_up_stands_before_many_that_wait(client, operator, make, operation):
    for n in range(attention.CAP):
        operation("waiting", f"waits-{n}")
    operation("given_up", "given-up", finished_at=NOW())

    assert kinds(client) == ["given-up"] + ["waiting"] * (attention.CAP - 1)


def test_what_is_not_read_would_not_have_been_shown(client, operator, make, operation, monkeypatch):
    kinds = [
        {"days": -2},
        {"days": 3},
        {"drift": ["name"]},
        {"delivered": False},
        {"document_version": 2},
        {"days": 20},
    ]
    for n in range(60):
        row = make(f"n{n}", **kinds[n % len(kinds)])
        operation("waiting" if n % 9 else "given_up", app_client=row)
        shown = attention.what_needs_attention([])

        monkeypatch.setattr(attention.Attention, "is_full", lambda self, kind: False)
        everything = attention.what_needs_attention([])
        monkeypatch.undo()

        assert [(item.kind, item.at) for item in shown.items] == [(item.kind, item.at) for item in everything.items]
        assert shown.counts == everything.counts and shown.oldest_undelivered == everything.oldest_undelivered


# --- Figures, activity, views --------------------------------------------------------------------


def test_figures_count_what_the_tables_know(client, operator, make):
    make("a", last_token_at=NOW() - timedelta(hours=1)), make("b", last_token_at=NOW() - timedelta(days=3))
    make("c", delivered=False), make("d", status=Status.PAUSED, last_token_at=NOW() - timedelta(days=100))
    make("e", status=Status.CREATING), make("f", status=Status.DELETED)
    AppClient.objects.filter(name="a").update(created_at=NOW() - timedelta(days=40))

    found = attention.figures(list(UserPool.objects.all()))

    assert (found.clients, found.paused, found.in_use, found.never_used, found.idle) == (5, 1, 1, 1, 1)
    assert len(found.created) == 30 and found.created_total == 5 and found.created_today == 5
    assert sum(found.last_tokens) == 2 and found.last_tokens[-4] == 1
    body = client.get("/").content.decode()
    assert 'aria-label="Clients created on each of 30 days: 5 today, at most 5"' in body and "style=" not in body


def _entry(action, number, **fields):
    AuditEntry.objects.create(
        sequence=1000 + number, at=NOW(), via="web", action=action, previous_hash="", hash=f"{number}",
        **{"outcome": Outcome.OK} | fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("administrator", ["person:invite", "pool:compare", "Create client"]),
        ("auditor", ["person:invite", "pool:compare", "Create client"]),
        ("operator", ["pool:compare", "Create client"]),
        ("support", ["Create client"]),
    ],
)
def test_recent_activity_is_what_the_role_may_read(client, world, make, who, seen):
    one = make("one")
    _entry("client:create", 1, app_client=one, tenant=one.tenant, pool=one.pool)
    _entry("client:create", 2, app_client=one, pool=one.pool, outcome=Outcome.STARTED)
    _entry("pool:compare", 3, pool=one.pool), _entry("person:invite", 4, actor=world.people["administrator"])
    client.force_login(world.people[who])
    lines = client.get("/").context["lines"]
    assert [line["entry"].action for line in lines if line["entry"].sequence > 1000] == [
        {"Create client": "client:create"}.get(action, action) for action in seen
    ]
    assert len(lines) <= 8


def test_recent_activity_says_of_what_and_what_changed(client, world):
    admin = world.people["administrator"]
    attributes.define_attribute(actor=admin, claim_name="region", type="string", default="eu")
    tenants.change_tenant(
        world.tenants["northwind"], actor=admin, generation=1, name="Northwind Freight", contact=None, contact_email="",
        keep_days=30,
    )  # fmt: skip
    client.force_login(admin)
    recent = text_of(client.get("/")).split("Recent activity")[1]
    assert "Define attribute region" in recent and "Northwind Logistics → Northwind Freight" in recent
    assert "All activity" in recent and recent.count("Administrator") + recent.count("Ada") > 1


def test_saved_views_lead_to_lists_of_as_many(client, operator, make):
    make("a", days=3), make("b", delivered=False), make("c", drift=["name"])
    make("d", last_token_at=NOW() - timedelta(days=91))
    for path, label, count in client.get("/").context["views"]:
        assert str(len(client.get(path).context["page"])) == count, label


# --- Room in Cognito -----------------------------------------------------------------------------


def room_in_words(answer):
    return {room.what: (room.used, room.most, room.where) for room in answer.context["room"]}


def test_room_counts_what_cognito_counts(client, world, operator, make):
    """Deleted ones are gone there, those being created are not there yet, those made outside are."""
    make("one"), make("gone", status=Status.DELETED), make("coming", status=Status.CREATING, client_id=None)
    UserPool.objects.update(foreign_clients=[{"client_id": "abc", "name": "made outside"}])
    found = room_in_words(client.get("/"))
    assert found["App clients"] == (2, 1_000, str(world.pool))
    assert found["Resource servers"] == (ResourceServer.objects.count(), 25, str(world.pool))
    most = max(ResourceServer.objects.annotate(n=Count("scopes")).values_list("n", flat=True))
    assert found["Scopes of one server"][:2] == (most, 100)


@pytest.mark.parametrize(("held", "is_told"), [(19, False), (20, True)])
def test_room_warns_when_it_gets_scarce(client, world, operator, make, held, is_told):
    make("one")
    ResourceServer.objects.bulk_create(
        ResourceServer(pool=world.pool, identifier=f"api-{n}", name=f"Api {n}")
        for n in range(held - ResourceServer.objects.count())
    )
    said = client.get("/").content.decode()
    assert ("Ask AWS to raise the quota in time" in said) is is_told
    assert "plan another resource server" not in said, "the scopes are far from full"
