"""A client at a glance: use per day, what the tabs count, the next sensible step."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from clients.models import AppClient, AttributeDefinition, Secret, Status


def text(answer):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def days(**counts):
    """`{ago: tokens}` as the row holds it."""
    now = datetime.now(UTC)
    return {(now - timedelta(days=int(ago[1:]))).strftime("%Y%m%d"): count for ago, count in counts.items()}


def overview(client, app_client):
    answer = client.get(f"/clients/{app_client.public_id}/")
    assert answer.status_code == 200
    return answer


def test_use_per_day_is_drawn_and_said_in_words(client, operator, make):
    answer = overview(client, make("busy", tokens_per_day=days(_0=3, _1=40, _29=7)))
    assert answer.context["traffic"].per_day == [7] + [0] * 27 + [40, 3]
    assert 'aria-label="Tokens issued on each of 30 days: 3 today, 40 on the busiest day"' in answer.content.decode()
    assert answer.content.decode().count("<rect class=") >= 30 and "one server needs 24" in text(answer)


def test_never_used_client_has_no_chart(client, operator, make):
    assert "Tokens per day" not in text(overview(client, make("quiet")))


@pytest.mark.parametrize(("yesterday", "is_told"), [(72, False), (73, True)])
def test_asking_too_often_is_told_with_the_numbers(client, operator, make, yesterday, is_told):
    answer = overview(client, make("busy", tokens_per_day=days(_1=yesterday)))
    assert (f"one server needs 24 a day; yesterday it was {yesterday}" in text(answer)) is is_told


def test_shorter_tokens_need_more_of_them(client, operator, make):
    app_client = make("short", access_token_seconds=300, tokens_per_day=days(_1=300))
    assert "one server needs 288" in text(overview(client, app_client))


def test_tabs_count_what_is_behind_them(client, operator, app_client):
    found = re.findall(r"(Secrets|Scopes|Attributes) (\d+)", text(overview(client, app_client)).split("In order")[0])
    tenant_and_definitions = 1 + AttributeDefinition.objects.filter(retired_at=None).count()
    wanted = [("Secrets", "1"), ("Scopes", str(app_client.scopes.count())), ("Attributes", str(tenant_and_definitions))]
    assert found[-3:] == wanted and app_client.scopes.count() > 0


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        ({"delivered": False}, "Show credentials"),
        ({"delivered": False, "status": Status.PAUSED}, "Show credentials"),
        ({"status": Status.PAUSED}, "Resume client"),
        ({}, "Download curl kit"),
        ({"days": 9}, "Rotate secret"),
        ({"days": -1}, "Rotate secret"),
        ({"status": Status.CREATING, "client_id": None}, None),
    ],
)
def test_header_offers_the_next_sensible_step_and_one_only(client, operator, make, facts, step):
    app_client = make("one", **facts)
    Secret.objects.filter(app_client=app_client, delivered_at=None).update(sealed_value=b"sealed")
    page = overview(client, app_client).content.decode()
    head = page[page.index("<h1>") : page.index('<nav class="tabs"')]
    offered = [
        text_of
        for text_of in ("Show credentials", "Resume client", "Download curl kit", "Rotate secret")
        if text_of in head
    ]
    assert offered == ([step] if step else []) and head.count("btn primary") == len(offered)


def test_who_may_not_resume_is_not_offered_it(client, world, make):
    app_client = make("one", status=Status.PAUSED)
    client.force_login(world.people["auditor"])
    page = overview(client, AppClient.objects.get(pk=app_client.pk)).content.decode()
    assert f"/clients/{app_client.public_id}/resume/" not in page


@pytest.mark.parametrize(
    ("facts", "said"),
    [({"status": "paused"}, "Paused: nobody gets a token until it is resumed."),
     ({"drift": ["flow"]}, "Somebody took the client-credentials flow away in Cognito."), ({}, "")],
)  # fmt: skip
def test_whether_it_may_ask_for_tokens_is_on_the_list(client, operator, app_client, facts, said):
    AppClient.objects.filter(pk=app_client.pk).update(**facts)
    checks = {check.title: check for check in overview(client, app_client).context["checks"]}
    asking = checks["It may ask for tokens"]
    assert (asking.is_done, asking.why) == (not said, said) and (asking.is_done or asking.otherwise == "No")


@pytest.mark.parametrize(("status", "said", "unsaid"), [
    ("active", "It still works in Cognito until somebody removes it.", "works again"),
    ("paused", "Once resumed, its secret works again until somebody removes it.", "still works in Cognito"),
])  # fmt: skip
def test_what_an_ended_secret_still_does_goes_by_the_client(client, operator, make, status, said, unsaid):
    row = make("ended", days=-3, status=status)
    for address in (f"/clients/{row.public_id}/", f"/clients/{row.public_id}/secrets/", "/"):
        page = text(client.get(address))
        assert said in page and unsaid not in page, address
    listed = text(client.get("/clients/"))
    assert ("works again once resumed" in listed) == (status == "paused") == ("still works" not in listed)
