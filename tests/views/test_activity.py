"""The trail on pages: who sees what of it, its filters, one entry with its neighbours, taking it out."""

import csv
import hashlib
import io
import json

import pytest
from django.db import connection, transaction
from django.urls import reverse

from clients import sealing
from clients.models import AuditEntry, AuditOrigin, Outcome, Tenant
from clients.services import audit, operations
from clients.views.words import STEPS
from tests.support import drop_audit_triggers


def text(answer):
    return answer.content.decode()


def write(action="client:change", outcome=Outcome.OK, **about):
    with transaction.atomic():
        return audit.append(action, outcome, **{"actor": None, "via": "web"} | about)


def shown(client, query=""):
    answer = client.get(f"/activity/{query}")
    assert answer.status_code == 200, text(answer)
    return [line["entry"].sequence for line in answer.context["lines"]]


@pytest.fixture
def trail(world, app_client):
    """One entry of each kind of nearness, behind what making the client wrote."""
    northwind, acme = world.tenants["northwind"], world.tenants["acme-robotics"]
    people = world.people
    return {
        "own": write("tenant:change", actor=people["operator"], tenant=acme),
        "colleague": write("tenant:change", actor=people["administrator"], tenant=northwind, reason="Contract of May"),
        "client": write("client:pause", actor=people["support"], app_client=app_client, reason="Asked by phone"),
        "pool": write("pool:compare", actor=None, via="portal", pool=world.pool),
        "person": write("person:change_role", actor=people["administrator"], via="command line, OS user root, for a@b"),
        "failed": write("client:resume", Outcome.FAILED, actor=people["support"], app_client=app_client),
    }


SEES = {
    "administrator": {"own", "colleague", "client", "pool", "person", "failed"},
    "auditor": {"own", "colleague", "client", "pool", "person", "failed"},
    "operator": {"own", "client", "pool", "failed"},
    "support": {"client", "failed"},
    "manager": {"colleague", "client", "failed"},
    "developer": {"colleague", "client", "failed"},
    "stranger": {"own"},
}


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("role", SEES)
def test_everybody_sees_their_part_of_the_trail(world, client, trail, stranger, role):
    client.force_login(stranger if role == "stranger" else world.people[role])
    seen = set(shown(client))
    assert {name for name, entry in trail.items() if entry.sequence in seen} == SEES[role]
    for name, entry in trail.items():
        status = client.get(f"/activity/{entry.sequence}/").status_code
        assert status == (200 if name in SEES[role] else 404), name
    lines = [json.loads(line) for line in b"".join(client.get("/activity/export.jsonl")).splitlines()]
    taken = {line["sequence"] for line in lines}
    assert {name for name, entry in trail.items() if entry.sequence in taken} == SEES[role]


def test_an_entry_of_others_is_what_an_unknown_number_is(world, client, trail, stranger):
    def without_reference(answer):
        return answer.status_code, text(answer).replace(answer.context["reference"], "")

    client.force_login(stranger)
    known, unknown = (client.get(f"/activity/{number}/") for number in (trail["client"].sequence, 10**17))
    same = [without_reference(answer) for answer in (known, unknown)]
    assert same[0][0] == 404
    assert same[0][1].replace(f"/activity/{trail['client'].sequence}/", "") == same[1][1].replace(
        f"/activity/{10**17}/", ""
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?outcome=failed", {"failed"}),
        ("?what=person:change_role", {"person"}),
        ("?who=portal", {"pool"}),
        ("?who={support}", {"client", "failed"}),
        ("?tenant=acme-robotics", {"own"}),
        ("?source=command", {"person"}),
        ("?source=portal", {"pool"}),
        ("?q=by+phone", {"client"}),
        ("?q=northwind", {"colleague", "client", "failed"}),
        ("?period=1", {"own", "colleague", "client", "pool", "person", "failed"}),
        ("?until=2020-01-01", set()),
        ("?since=2020-01-01&outcome=failed", {"failed"}),
        ("?outcome=nonsense", set()),  # what is not there means nothing, not everything
        ("?since=never", set()),
    ],
)
def test_filters_live_in_the_address(world, client, trail, query, names):
    client.force_login(world.people["auditor"])
    seen = set(shown(client, query.format(support=world.people["support"].pk)))
    assert {name for name, entry in trail.items() if entry.sequence in seen} == names


def test_search_finds_an_entry_by_its_number_and_an_operation_by_its_id(world, client, trail, app_client):
    client.force_login(world.people["auditor"])
    number = trail["person"].sequence
    assert number in shown(client, f"?q={number}")
    operation = app_client.operations.get()
    found = shown(client, f"?q={operation.pk}")
    assert found and set(AuditEntry.objects.filter(sequence__in=found).values_list("operation_id", flat=True)) == {
        operation.pk
    }


def test_filter_for_a_client_says_its_name_to_whoever_may_see_it(world, client, trail, app_client, stranger):
    client.force_login(world.people["auditor"])
    address = f"/activity/?client={app_client.public_id}"
    assert f"Client: {app_client.name}<" in text(client.get(address))
    client.force_login(stranger)
    page = text(client.get(address))
    assert app_client.name not in page and f"Client: {app_client.public_id}" in page


@pytest.mark.asvs("15.3.1")
def test_members_search_no_addresses_and_learn_none(world, client, trail, app_client):
    AuditOrigin.objects.update_or_create(entry=trail["client"], defaults={"address": "192.0.2.77", "agent": "Secret/1"})
    client.force_login(world.people["manager"])
    assert shown(client, "?q=support@portal.example") == []
    pages = text(client.get("/activity/")) + text(client.get(f"/activity/{trail['client'].sequence}/"))
    taken = b"".join(client.get("/activity/export.jsonl")).decode()
    for private in ("192.0.2.77", "Secret/1", "support@portal.example"):
        assert private not in pages and private not in taken
    client.force_login(world.people["auditor"])
    assert (
        "192.0.2.77" in text(client.get("/activity/"))
        and "192.0.2.77" in b"".join(client.get("/activity/export.jsonl")).decode()
    )


def test_one_entry_shows_what_differs_and_its_neighbours(world, client, trail, app_client):
    client.force_login(world.people["auditor"])
    entry = write("client:set_contact", app_client=app_client, detail={
        "before": {"contact": None, "name": "a"}, "after": {"contact": world.people["support"].pk, "name": "a"}, "x": 7,
    })  # fmt: skip
    later = write()
    answer = client.get(f"/activity/{entry.sequence}/")
    assert answer.context["line"]["changes"] == [("contact", None, "Support")]
    assert [line["entry"].sequence for line in answer.context["around"]] == [
        later.sequence, entry.sequence, entry.sequence - 1, entry.sequence - 2
    ]  # fmt: skip
    assert answer.context["facts"] == [("x", 7)] and answer.context["fits"] and entry.hash in text(answer)


@pytest.mark.parametrize(
    ("via", "who"),
    [("link", "Holder of the link"), ("command line, OS user root", "Command line"), ("portal", "Portal")],
)
def test_who_had_no_account_is_told_apart_from_the_portal(world, client, app_client, via, who):
    entry = write("secret:show", via=via, app_client=app_client)
    client.force_login(world.people["administrator"])
    for page in ("/activity/", f"/activity/{entry.sequence}/", "/"):
        assert who in text(client.get(page)), page
    assert "Portal, portal" not in text(client.get(f"/activity/{entry.sequence}/"))
    assert (entry.sequence in shown(client, "?who=portal")) == (via == "portal")


def test_one_entry_says_when_it_was_tampered_with(world, client, trail):
    client.force_login(world.people["auditor"])
    page = f"/activity/{trail['client'].sequence}/"
    assert "was changed after it was written" not in text(client.get(page))
    drop_audit_triggers(connection)
    AuditEntry.objects.filter(pk=trail["client"].pk).update(reason="nothing to see")
    assert "was changed after it was written" in text(client.get(page))


def test_pages_go_on_behind_the_last_entry(world, client):
    client.force_login(world.people["auditor"])
    numbers = [write().sequence for _ in range(60)]
    first = client.get("/activity/")
    assert [line["entry"].sequence for line in first.context["lines"]] == numbers[:-51:-1]
    assert shown(client, f"?after={first.context['following']}")[:10] == numbers[9::-1]


# --- Taking it out -----------------------------------------------------------------------------------


def test_export_is_recorded_before_it_leaves_and_has_what_the_page_has(world, client, trail):
    client.force_login(world.people["auditor"])
    on_page = shown(client, "?q=northwind")
    answer = client.get("/activity/export.csv?q=northwind")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert sorted(int(row["sequence"]) for row in rows) == sorted(on_page)
    entry = AuditEntry.objects.get(action="activity:export")
    assert entry.actor == world.people["auditor"] and entry.detail == {
        "count": len(on_page), "form": "csv", "filter": {"q": "northwind"}
    }  # fmt: skip
    assert "no-store" in answer["Cache-Control"] and "activity-" in answer["Content-Disposition"]


def test_exported_lines_prove_themselves(world, client, trail):
    """Whoever holds the file can recompute every hash and see that one follows the other."""
    client.force_login(world.people["auditor"])
    lines = [json.loads(line) for line in b"".join(client.get("/activity/export.jsonl")).splitlines()]
    assert len(lines) >= len(trail)
    for before, line in zip([None, *lines], lines, strict=False):
        content = [line[name] for name in (
            "sequence", "at", "actor_id", "via", "action", "outcome", "operation_id", "app_client_id", "tenant_id",
            "pool_id", "reason", "detail", "previous_hash")]  # fmt: skip
        packed = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        assert hashlib.sha256(packed).hexdigest() == line["hash"]
        assert before is None or line["previous_hash"] == before["hash"]


@pytest.mark.parametrize(("hostile", "safe"), [("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("x;=1+1", "x;'=1+1")])
def test_exported_cells_are_no_formulas(world, client, app_client, hostile, safe):
    write(reason=hostile, app_client=app_client)
    client.force_login(world.people["auditor"])
    rows = list(csv.DictReader(io.StringIO(b"".join(client.get("/activity/export.csv")).decode("utf-8-sig"))))
    assert rows[-1]["reason"] == safe


# --- What goes into the trail ------------------------------------------------------------------------


def test_nothing_secret_like_is_written_into_the_trail(db):
    value = sealing.generate("prod").reveal()
    entry = write(reason=f"leaked: {value}", detail={
        "before": {"client_secret": "hunter2", "ending": "7Kq2", "secret_lifetime": 90},
        "after": {"token": "abc", "notes": [f"see {value}", {"pin": "1234", "code": ""}]},
    })  # fmt: skip
    entry.refresh_from_db()
    stored = entry.reason + json.dumps(entry.detail)
    assert value not in stored and "hunter2" not in stored and "abc" not in stored and "1234" not in stored
    assert entry.detail["before"] == {"client_secret": "•••", "ending": "7Kq2", "secret_lifetime": 90}
    assert audit.first_broken_entry() is None


def test_a_refusal_is_recorded_once_a_minute_for_each_page(world, client, app_client):
    client.force_login(world.people["support"])
    for _ in range(3):
        assert client.post(reverse("client-scopes", args=[app_client.public_id])).status_code == 403
        assert client.get(reverse("tenant-create")).status_code == 403
    pages = [entry.detail["page"] for entry in AuditEntry.objects.filter(action="access:refuse").order_by("sequence")]
    assert pages == ["POST client-scopes", "GET tenant-create"]
    client.logout()
    client.get(reverse("tenant-create"))
    assert AuditEntry.objects.filter(action="access:refuse").count() == 2


def test_tenant_page_and_person_page_lead_to_their_part(world, client, trail):
    client.force_login(world.people["administrator"])
    support = world.people["support"]
    assert f'href="/activity/?who={support.pk}"' in text(client.get(f"/people/{support.pk}/"))
    assert 'href="/activity/?tenant=northwind"' in text(client.get("/tenants/northwind/"))
    assert Tenant.objects.filter(slug="northwind").exists()


def test_what_differs_is_told_in_words(world, client, app_client):
    client.force_login(world.people["auditor"])
    entry = write("client:change", app_client=app_client, detail={
        "before": {"AllowedOAuthScopes": ["orders/read"], "TokenValidityUnits": {"AccessToken": "hours"}, "on": True},
        "after": {"AllowedOAuthScopes": [], "TokenValidityUnits": {"AccessToken": "seconds"}, "on": False},
    })  # fmt: skip
    assert client.get(f"/activity/{entry.sequence}/").context["line"]["changes"] == [
        ("scopes", "orders/read", "none"), ("unit of validity", "AccessToken: hours", "AccessToken: seconds"),
        ("on", "yes", "no"),
    ]  # fmt: skip


def test_every_step_of_an_operation_has_words():
    assert {step.name for steps in operations.KINDS.values() for step in steps} == set(STEPS)
