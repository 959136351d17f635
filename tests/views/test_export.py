"""The clients list as CSV: the same rows as on the page, safe to open in a spreadsheet, audited."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients import sealing
from clients.models import AuditEntry, Scope
from clients.views import exports


def read(client, query=""):
    answer = client.get(f"/clients/export.csv{query}")
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith('\ufeff"Name",') and "\r\n" in text
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_export_has_the_columns_of_the_list(client, operator, make):
    ends = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
    one = make(
        "one",
        expires_at=ends,
        last_token_at=datetime(2026, 11, 1, 8, 30, 5, tzinfo=UTC),
        contact=operator,
        drift=["name"],
    )
    one.scopes.set(Scope.objects.filter(full_name__startswith="orders/"))

    (row,) = read(client)

    assert row == {
        "Name": "one", "Client ID": one.client_id, "Tenant": "Northwind Logistics", "Pool": "prod",
        "Scopes": "orders/read orders/write", "Secret endings": "…aaaa", "Expires (UTC)": "2027-01-31 12:00:00",
        "Secret created (UTC)": f"{one.secrets.get().created_at:%Y-%m-%d %H:%M:%S}",
        "Last token (UTC)": "2026-11-01 08:30:05", "Status": "Active", "Flags": "Out of sync", "Contact": str(operator),
    }  # fmt: skip


@pytest.mark.asvs("3.2.1")
def test_export_is_a_file_named_for_its_day(client, operator, make):
    answer = client.get("/clients/export.csv")
    assert answer["Content-Disposition"] == f'attachment; filename="clients-{timezone.now():%Y-%m-%d}.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8" and "no-store" in answer["Cache-Control"]
    assert answer.streaming


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\t'=1"),
        ("\r=1", "\r'=1"),
        ("\n=1", "\n'=1"),
        ("x;=1+1", "x;'=1+1"),
        ("x, @SUM(A1)", "x, '@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
    ],
)
def test_export_is_no_formula_to_a_spreadsheet(client, operator, make, hostile, safe):
    make(hostile, contact=operator)
    operator.name = hostile
    operator.save(update_fields=["name"])
    (row,) = read(client)
    assert row["Name"] == safe and row["Contact"] == safe


@pytest.mark.parametrize("name", ['say "hi", you', "two\nlines", "semi;colon", "a=b", "Straße 🚢"])
def test_export_keeps_every_name_as_it_is(client, operator, make, name):
    make(name), make("other")
    assert {row["Name"] for row in read(client)} == {name, "other"}


@pytest.mark.parametrize(
    "query", ["", "?q=acme", "?never_used=on", "?undelivered=on&status=active", "?scope=orders/read"]
)
def test_export_has_the_rows_of_the_page(client, operator, make, query):
    make("a", tenant="acme-robotics"), make("b", delivered=False), make("c", last_token_at=timezone.now())
    make("d").scopes.set(Scope.objects.filter(full_name="orders/read"))
    on_page = {row.name for row in client.get(f"/clients/{query}").context["page"]}
    assert on_page and {row["Name"] for row in read(client, query)} == on_page


@pytest.mark.asvs("8.2.2")
def test_export_gives_members_their_tenants_clients_only(client, world, make):
    make("theirs"), make("foreign", tenant="acme-robotics")
    client.force_login(world.people["developer"])
    for query in ("", "?q=foreign", "?tenant=acme-robotics"):
        assert "foreign" not in {row["Name"] for row in read(client, query)}
    assert AuditEntry.objects.get(sequence=AuditEntry.objects.count()).tenant == world.tenants["northwind"]


def test_export_is_audited_with_who_how_many_and_which_filter(client, operator, make):
    make("a", drift=["name"]), make("b")
    client.get("/clients/export.csv?out_of_sync=on&q=a&status=")
    entry = AuditEntry.objects.get(action="client:export")
    assert entry.actor == operator and entry.detail == {"count": 1, "filter": {"q": "a", "out_of_sync": True}}


@pytest.mark.asvs("15.3.1")
def test_export_never_writes_down_a_secret(client, world, operator):
    app_client = world.create()
    value = sealing.generate("prod").reveal()
    answer = client.get("/clients/export.csv", {"q": value})
    assert value not in b"".join(answer.streaming_content).decode()
    assert AuditEntry.objects.get(action="client:export").detail["filter"] == {"q": value[-4:]}
    body = b"".join(client.get("/clients/export.csv").streaming_content).decode()
    assert app_client.name in body and "cps_" not in body


def test_export_button_says_how_many_and_keeps_the_filter(client, operator, make):
    make("a", drift=["name"]), make("b", drift=["name"]), make("c")
    body = client.get("/clients/?out_of_sync=on&status=active").content.decode()
    assert '<h1>Clients <span class="count">2</span></h1>' in body
    assert 'href="/clients/export.csv?status=active&amp;out_of_sync=on"' in body


def test_export_costs_the_same_for_five_and_sixty(client, operator, make, monkeypatch):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            rows = read(client)
        return len(captured), len(rows)

    for n in range(5):
        make(f"a{n}")
    few = queries()
    for n in range(55):
        make(f"b{n}")
    assert queries() == (few[0], 60) and exports.AT_ONCE >= 60
