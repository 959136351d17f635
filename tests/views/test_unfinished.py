"""What a client's pages say while a change is on its way, after it failed, before it was created and after it is gone."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from clients.models import AppClient, Operation
from clients.models.ids import new_ulid
from clients.services import pool_sync
from clients.services.client_states import delete_client
from clients.services.operations import resume_due

TABS = ("", "secrets/", "scopes/", "attributes/", "snippets/", "activity/", "settings/")


def text(answer):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def save_scopes(client, app_client, *scopes):
    sent = {"operation_id": new_ulid(), "generation": AppClient.objects.get(pk=app_client.pk).generation, "save": "1"}
    return text(client.post(f"/clients/{app_client.public_id}/scopes/", sent | {"scopes": scopes}, follow=True))


def checks(client, app_client):
    return {check.title: check for check in client.get(f"/clients/{app_client.public_id}/").context["checks"]}


def test_a_change_that_waits_stands_on_every_tab_with_when_it_goes_on(client, world, operator, app_client):
    world.sandbox.fault("UpdateUserPoolClient", "throttle", times=20)
    said = save_scopes(client, app_client, "orders/read", "orders/write")
    assert "This is not finished yet. AWS asks to slow down. The portal goes on by itself within a minute." in said
    Operation.objects.update(next_try_at=timezone.now() + timedelta(seconds=130))
    for tab in TABS:
        body = text(client.get(f"/clients/{app_client.public_id}/{tab}"))
        assert "Change client is not finished." in body, tab
        assert "AWS asks to slow down. The portal goes on by itself in 2 min." in body, tab
    Operation.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert "goes on by itself any moment now" in text(client.get(f"/clients/{app_client.public_id}/"))


def test_a_change_that_waits_is_not_said_to_match_nor_to_be_in_the_next_token(client, world, operator, app_client):
    pool_sync.observe(app_client)
    world.sandbox.fault("UpdateUserPoolClient", "throttle", times=20)
    save_scopes(client, app_client, "orders/read", "orders/write")
    same = checks(client, app_client)["It matches Cognito"]
    assert not same.is_done and same.why == "The last change is not in Cognito yet."
    page = client.get(f"/clients/{app_client.public_id}/")
    assert next(c.value for c in page.context["preview"].claims if c.name == "scope") == "orders/read"


def test_an_unknown_outcome_is_said_to_be_looked_into_and_nothing_else(client, world, operator, app_client, settings):
    settings.COGNITO_TIMEOUT_SECONDS = 1.0
    world.sandbox.fault("UpdateUserPoolClient", "lose_answer")
    said = save_scopes(client, app_client, "orders/read", "orders/write")
    assert "not known whether it was applied. The portal looks what came of it within a minute." in said
    assert "has not reached" not in said and "refused" not in said


def test_a_refused_change_is_blamed_on_nobody_else_and_can_be_sent_again(client, world, operator, app_client):
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name="orders",
        Scopes=[{"ScopeName": "read", "ScopeDescription": "read"}],
    )  # fmt: skip
    said = save_scopes(client, app_client, "orders/read", "orders/write")
    assert "This did not succeed." in said and "It does not go on by itself." in said
    app_client.refresh_from_db()
    assert pool_sync.observe(app_client) == ["scopes"]
    body = text(client.get(f"/clients/{app_client.public_id}/"))
    assert "the portal’s own change is not there" in body and "Somebody changed it" not in body
    sent = {"operation_id": new_ulid(), "generation": app_client.generation, "scopes": ["orders/read", "orders/write"]}
    review = client.post(f"/clients/{app_client.public_id}/scopes/", sent)
    assert review.status_code == 200 and review.context["added"] == ["orders/write"]


def test_a_later_change_takes_the_failed_one_off_the_pages(client, world, operator, app_client):
    world.sandbox.fault("UpdateUserPoolClient", "throttle", times=1)
    save_scopes(client, app_client, "orders/read", "orders/write")
    Operation.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    resume_due()
    assert "is not finished" not in text(client.get(f"/clients/{app_client.public_id}/scopes/"))


def test_members_are_not_told_what_aws_answered(client, world, operator, app_client):
    world.sandbox.fault("UpdateUserPoolClient", "throttle", times=20)
    save_scopes(client, app_client, "orders/read", "orders/write")
    client.force_login(world.people["developer"])
    assert "AWS asks" not in text(client.get(f"/clients/{app_client.public_id}/"))


# --- Being created, deleted -------------------------------------------------------------------------


@pytest.fixture
def given_up(world):
    """A creation that nobody goes on with."""
    world.sandbox.fault("CreateUserPoolClient", "throttle", times=20)
    app_client = world.create()
    world.sandbox.clear()
    app_client.operations.update(state="given_up", last_error="AWS asks to slow down. The portal has stopped trying.")
    return app_client


def test_a_creation_that_was_given_up_is_not_said_to_go_on(client, operator, given_up):
    body = text(client.get(f"/clients/{given_up.public_id}/"))
    assert "Creating it did not succeed, and does not go on by itself." in body and "It is being created" not in body
    assert "goes on by itself" not in body and "looks within minutes" not in body and "Try again now" in body


@pytest.mark.parametrize("tab", ["scopes", "attributes", "settings"])
def test_nothing_is_offered_for_change_before_it_is_created(client, operator, given_up, tab):
    body = client.get(f"/clients/{given_up.public_id}/{tab}/").content.decode()
    form = re.search(r'<form[^>]+action="/clients/[^"]+/(scopes|attributes|settings|lifetime)/".*?</form>', body, re.S)
    assert "It can be changed once it is created." in body and not (form and "<button" in form[0])


def test_a_deleted_clients_page_says_so_and_offers_nothing(client, world, operator, app_client):
    delete_client(app_client, actor=operator, operation_id=new_ulid(), reason="Contract ended")
    answer = client.get(f"/clients/{app_client.public_id}/")
    body = text(answer)
    assert "This client is deleted." in body and "by Operator: Contract ended" in body
    assert "Tokens issued before may be accepted until" in body and "It may ask for tokens" not in body
    for offered in ("Get a token", "Download curl kit", "Hand over", "Rotate secret", "Settings", "Attributes"):
        assert offered not in body.split("Deleted")[1].split("What it was")[0], offered
    assert [name for name, *_ in answer.context["tabs"]] == ["client-overview", "client-secrets", "client-activity"]


@pytest.mark.parametrize("tab", ["scopes", "attributes", "settings"])
def test_a_deleted_client_cannot_be_changed_by_address_either(client, world, operator, app_client, tab):
    delete_client(app_client, actor=operator, operation_id=new_ulid(), reason="Contract ended")
    body = client.get(f"/clients/{app_client.public_id}/{tab}/").content.decode()
    assert "nothing about it can be changed any more" in body and "Save" not in body and "Review change" not in body


# --- The secret's end, and what to do about what is open ---------------------------------------------


@pytest.mark.parametrize(
    ("days", "said"),
    [(-2, "It still works in Cognito until somebody removes it."), (9, "Next: rotate the secret before")],
)
def test_the_end_of_the_secret_stands_first(client, operator, make, days, said):
    app_client = make("ending", days=days)
    body = client.get(f"/clients/{app_client.public_id}/").content.decode()
    assert said in body and f"/clients/{app_client.public_id}/rotate/" in body.split("In order")[0]
    assert checks(client, app_client)["The secret has not ended"].is_done == (days > 0)


def test_nobody_is_said_to_be_reminded_of_an_end_that_is_past(client, operator, make):
    body = text(client.get(f"/clients/{make('ending', days=-2).public_id}/secrets/"))
    assert "still works in Cognito until somebody removes it" in body and "are reminded" not in body


def test_open_checks_lead_to_their_fix_for_whoever_may(client, world, operator, make):
    app_client = make("open", delivered=False)
    fixes = {title: check.fix and check.fix.words for title, check in checks(client, app_client).items()}
    assert fixes["Scopes are allowed"] == "Choose scopes" and fixes["The secret is delivered"] == "Hand over"
    assert fixes["A first token was issued"] == "Get a token"
    client.force_login(world.people["auditor"])
    assert not any(check.fix for check in checks(client, app_client).values())


def test_use_is_not_available_where_no_trigger_reports_it(client, operator, app_client):
    assert checks(client, app_client)["A first token was issued"].why.startswith("Not available: only")
    type(app_client.pool).objects.update(trigger_version="V3_0", tier="ESSENTIALS")
    assert checks(client, app_client)["A first token was issued"].why == "Never used so far."


def test_a_paused_client_is_not_said_to_get_the_attributes_into_a_token(client, operator, app_client):
    AppClient.objects.update(status="paused")
    body = text(client.get(f"/clients/{app_client.public_id}/attributes/"))
    assert "Paused: no token is issued until it is resumed." in body
