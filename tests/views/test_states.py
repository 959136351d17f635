"""What pages say when there is nothing, nothing fits, or Cognito is out of reach."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from clients.models import AppClient, Operation, Scope, Secret, TenantChange, UserPool

LONG_AGO = datetime(2026, 11, 1, 14, 2, tzinfo=UTC)


@pytest.mark.parametrize("who", ["operator", "support", "developer"])
def test_list_without_clients_teaches_the_next_step(client, world, who):
    client.force_login(world.people[who])
    body = client.get("/clients/").content.decode()
    assert "No clients yet" in body and "Export CSV" not in body and "No client fits" not in body
    assert (body.count('href="/clients/new/"') > 0) == (who == "operator")


def test_list_without_scopes_leads_to_the_resource_server(client, operator):
    Scope.objects.all().delete()
    body = client.get("/clients/").content.decode()
    assert "No clients yet" in body and "resource server" in body


@pytest.mark.parametrize("query", ["q=nobody", "idle=on", "status=paused&q=one", "after=6-00000000000000000000000000"])
def test_list_without_a_hit_offers_to_clear(client, operator, make, query):
    make("one")
    body = client.get(f"/clients/?{query}").content.decode()
    assert "No client fits" in body and '<a class="btn" href="/clients/">Clear filters</a>' in body


def test_pages_are_quiet_while_cognito_answers(client, operator, make):
    make("one")
    assert "out of reach" not in client.get("/clients/").content.decode()


@pytest.mark.parametrize(("who", "is_told"), [("operator", True), ("auditor", True), ("developer", False)])
def test_pages_say_as_of_when_cognito_was_seen_while_it_is(client, world, make, who, is_told):
    client.force_login(world.people[who])
    now = timezone.now()
    UserPool.objects.update(checked_at=now)
    assert (f"{now:%H:%M} UTC</time>" in client.get("/clients/").content.decode()) == is_told
    UserPool.objects.update(checked_at=LONG_AGO)
    assert "Cognito as of" not in client.get("/clients/").content.decode(), "the page says that it is away"


@pytest.mark.parametrize("who", ["operator", "developer"])
def test_pages_stay_readable_as_of_when_cognito_was_last_reached(client, world, app_client, who):
    UserPool.objects.update(checked_at=LONG_AGO)
    client.force_login(world.people[who])
    for page in ("/clients/", f"/clients/{app_client.public_id}/"):
        answer = client.get(page)
        body = answer.content.decode()
        assert answer.status_code == 200 and app_client.name in body, page
        assert "out of reach" in body and "1 Nov 2026, 14:02 UTC" in body, page
        assert ("manage.py" in body.split("out of reach")[1].split("</div>")[0]) == (who == "operator")


def test_page_says_so_from_the_sixth_minute_on(client, operator, world):
    for minutes, is_said in ((4, False), (6, True)):
        UserPool.objects.update(checked_at=timezone.now() - timedelta(minutes=minutes))
        assert ("out of reach" in client.get("/").content.decode()) == is_said


def test_page_says_that_the_pool_is_missing(client, operator, make):
    make("one")
    UserPool.objects.update(is_missing=True, checked_at=LONG_AGO)
    body = client.get("/clients/").content.decode()
    assert "does not know the pool prod any more" in body and "out of reach" not in body and ">one</a>" in body


LISTS = ["/", "/clients/", "/tenants/", "/attributes/", "/scopes/", "/operations/", "/people/", "/activity/"]


@pytest.mark.parametrize("where", [*LISTS, "/tenants/northwind/", "/tenants/northwind/values/"])
def test_lists_and_panels_stay_readable_as_of_when_cognito_was_last_reached(client, world, app_client, where):
    UserPool.objects.update(checked_at=LONG_AGO)
    client.force_login(world.people["administrator"])
    answer = client.get(where)
    body = answer.content.decode()
    assert answer.status_code == 200 and "out of reach" in body and "1 Nov 2026, 14:02 UTC" in body


@pytest.mark.parametrize("where", ["/attributes/", "/tenants/northwind/"])
def test_pages_of_values_say_what_failed_and_that_it_goes_on(client, operator, make, where):
    make("one", document_version=2, publish_error="DynamoDB throttles; next try in 30 s.")
    make("two")
    body = client.get(where).content.decode()
    assert "Published 1 of 2" in body and "The portal goes on by itself." in body
    assert "Last error: DynamoDB throttles; next try in 30 s." in body


def test_list_of_tenants_names_whose_values_are_not_published(client, operator, make):
    make("one", document_version=2, publish_error="No table.")
    body = client.get("/tenants/").content.decode()
    row = body.split('href="/tenants/northwind/"')[1].split("</tr>")[0]
    other = body.split('href="/tenants/acme-robotics/"')[1].split("</tr>")[0]
    assert "1 not published" in row and "not published" not in other


def test_operation_that_was_throttled_says_when_it_goes_on(client, world, operator, app_client):
    later = timezone.now() + timedelta(seconds=95)
    Operation.objects.create(
        kind="client:change", target=f"client:{app_client.public_id}", pool=world.pool, app_client=app_client, state="waiting",
        step="change", actor=operator, params_hash="", lease_until=later, last_error="Cognito asks to slow down.", next_try_at=later,
    )  # fmt: skip
    body = client.get("/operations/").content.decode()
    assert "Cognito asks to slow down." in body and f'datetime="{later.isoformat(timespec="seconds")}"' in body


@pytest.mark.parametrize("minutes", [2, 9])
def test_use_that_cannot_be_read_is_not_told_as_never_used(client, world, make, minutes):
    """Else an operator who tidies up deletes a client that is in use."""
    client.force_login(world.people["operator"])
    row = make("unseen")
    since = timezone.now() - timedelta(minutes=minutes)
    UserPool.objects.update(usage_unread_since=since, trigger_version="V3_0", trigger_arn="ours",
                            installed_trigger_arn="ours", tier="ESSENTIALS")  # fmt: skip
    unknown = "be read at present"
    for address, fresh, stale in (
        ("/clients/", "Never used</td>", unknown), (f"/clients/{row.public_id}/", "Never used so far.", unknown),
        ("/", "1 never used", "Not up to date: the usage table cannot be read"),
    ):  # fmt: skip
        page = client.get(address).content.decode()
        assert ("What is known of tokens in the pool prod is as of" in page) == (minutes == 9)
        assert (fresh in page) == (minutes == 2) and (stale in page) == (minutes == 9), address


def test_list_of_tenants_never_says_nothing_where_home_or_the_list_of_clients_has_something(client, world, operator):
    one = world.create()
    Secret.objects.update(delivered_at=timezone.now())
    tenant = world.tenants["northwind"]

    def line():
        return re.search(r"Northwind Logistics</a>.*?</tr>", client.get("/tenants/").content.decode(), re.S)[0]

    assert ">Nothing<" in line()
    AppClient.objects.filter(pk=one.pk).update(drift=["strangers"])
    assert "1 out of sync" in line() and ">Nothing<" not in line()
    AppClient.objects.filter(pk=one.pk).update(drift=[])
    Operation.objects.update(state="given_up")
    assert "1 urgent" in line() and ">Nothing<" not in line()
    Operation.objects.update(state="done")
    TenantChange.objects.create(tenant=tenant, kind="resume", reason="x", started_by=operator, last_error="Slow down.")
    assert "Resume is held up" in line() and ">Nothing<" not in line()


def test_use_nobody_reports_is_told_as_that_whatever_became_of_its_table(client, operator, make):
    make("unseen")
    UserPool.objects.update(usage_unread_since=LONG_AGO, trigger_version="")
    home = client.get("/").content.decode()
    assert "Not available: no trigger reports tokens" in home and "cannot be read" not in home
