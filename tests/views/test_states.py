"""What pages say when there is nothing, nothing fits, or Cognito is out of reach."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from clients.models import Scope, UserPool

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


@pytest.mark.parametrize("query", ["q=nobody", "idle=on", "status=paused&q=one", "after=5-00000000000000000000000000"])
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
