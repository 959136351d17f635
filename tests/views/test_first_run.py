"""The first run: from an empty database to the first token, on home."""

import re

import pytest
from django.utils import timezone

from clients.models import AppClient, AttributeDefinition, ResourceServer, Scope, Secret, User, UserPool

NOW = timezone.now


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def steps(client):
    return [step.state for step in client.get("/").context["steps"]]


def test_first_run_leads_from_an_empty_database(client, db):
    client.force_login(User.objects.create_user("first@portal.example", role="administrator"))
    answer = client.get("/")
    assert steps(client) == ["now", "then", "then", "any time", *["then"] * 4]
    assert "manage.py connect_pool --environment prod --region REGION" in answer.content.decode()
    assert "Create client" not in answer.content.decode().split("First run")[0]


def test_first_run_goes_on_step_by_step_and_ends_with_the_first_token(client, world, operator, make):
    assert steps(client) == ["done", "now", *["done"] * 3, "then", "then", "then"]
    assert "An administrator does this." in text_of(client.get("/")) and "install_trigger" not in text_of(
        client.get("/")
    )
    client.force_login(world.people["administrator"])
    command = f"manage.py install_trigger --pool-id {world.pool.user_pool_id} --region {world.pool.region}"
    assert command in text_of(client.get("/"))
    UserPool.objects.update(trigger_version="V3_0")
    assert steps(client) == ["done"] * 5 + ["now", "then", "then"]
    assert 'class="btn small primary" href="/clients/new/"' in client.get("/").content.decode()
    one = make("one", delivered=False)
    assert steps(client) == ["done"] * 6 + ["now", "then"]
    Secret.objects.update(delivered_at=NOW())
    assert steps(client) == ["done"] * 7 + ["now"]
    AppClient.objects.filter(pk=one.pk).update(last_token_at=NOW())
    assert steps(client) == [] and "First run" not in client.get("/").content.decode()


def test_first_run_offers_no_page_to_those_who_may_not(client, world):
    UserPool.objects.update(trigger_version="V3_0")
    client.force_login(world.people["auditor"])
    body = client.get("/").content.decode()
    assert 'href="/clients/new/"' not in body and "An operator does this." in body


def test_first_run_waits_for_no_attribute_and_does_not_come_back_for_one(client, world, operator, make):
    UserPool.objects.update(trigger_version="V3_0")
    AttributeDefinition.objects.update(retired_at=NOW())
    assert steps(client) == ["done"] * 3 + ["any time", "done", "now", "then", "then"]
    make("one", last_token_at=NOW())
    assert steps(client) == []


def test_first_run_gives_scopes_to_a_server_that_has_none(client, world, operator):
    UserPool.objects.update(trigger_version="V3_0")
    Scope.objects.all().delete()
    server = ResourceServer.objects.first()
    assert f'href="/scopes/{server.pk}/change/"' in client.get("/").content.decode().split("First run")[1]


@pytest.mark.parametrize(
    ("version", "said"), [("", "Not available: no trigger reports tokens"), ("V3_0", "1 never used")]
)
def test_figures_of_use_are_not_available_without_a_trigger(client, operator, make, version, said):
    make("one")
    UserPool.objects.update(trigger_version=version)
    assert said in text_of(client.get("/"))
    assert ("Never used" in client.get("/clients/").content.decode().split("<tbody")[1]) == bool(version)
