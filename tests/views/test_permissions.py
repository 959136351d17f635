"""Every route, method and role against one table read by people; a route the table lacks is red."""

import csv
import re
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from django.views.generic import TemplateView

from clients.models import User
from tests.support import PASSWORD
from tests.views.test_unrecorded import rows

TABLE = list(csv.DictReader((Path(__file__).parent / "routes.csv").read_text().splitlines()))
ROLES = [column for column in TABLE[0] if column not in ("route", "method")]


def routes(resolver: URLResolver) -> list[str]:
    """The name of every route there is, however deep; one without a name stands as its pattern."""
    found = []
    for entry in resolver.url_patterns:
        found += [entry.name or str(entry.pattern)] if isinstance(entry, URLPattern) else routes(entry)
    return found


@pytest.mark.asvs("8.2.1", "8.2.2")
@pytest.mark.parametrize("role", ROLES)
def test_routes_answer_as_the_table_says(world, client, app_client, address, stranger, role):
    got, is_in = {}, False
    for row in TABLE:
        if role != "anonymous" and not is_in:
            client.force_login(stranger if role == "stranger" else world.people[role])
        got[row["route"], row["method"]] = client.generic(row["method"], address(row["route"])).status_code
        is_in = row["method"] == "GET"  # what is sent may have signed them out
    wanted = {(row["route"], row["method"]): int(row[role]) for row in TABLE}
    assert got == wanted


def test_routes_of_the_table_are_all_routes():
    found = routes(get_resolver())
    assert {row["route"] for row in TABLE} == set(found) and len(found) == len(set(found))
    told = {(row["route"], row["method"]) for row in TABLE}
    assert told == {(route, method) for route in found for method in ("GET", "POST")} and len(told) == len(TABLE)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_routes_take_no_other_method(world, client, app_client, address, method):
    """Not even from an administrator: refused, or sent to sign in."""
    client.force_login(world.people["administrator"])
    answers = {row["route"]: client.generic(method, address(row["route"])).status_code for row in TABLE}
    assert {route: status for route, status in answers.items() if status not in (302, 403, 404, 405)} == {}


def test_routes_found_include_one_that_is_hidden_deep():
    planted = path("planted/", TemplateView.as_view())
    nested = path("a/", include([path("b/", include([planted]))]))
    assert routes(nested) == ["planted/"]


def test_anonymous_is_sent_to_sign_in(client, address):
    assert client.get(address("client-overview"))["Location"].startswith("/account/login/?next=")


@pytest.mark.parametrize(
    "closed",
    ["signup", "email", "confirm-email", "confirm-email/abc", "reauthenticate", "password/set", "login/code",
     "login/code/confirm"],
)  # fmt: skip
def test_what_allauth_would_also_bring_is_not_there(world, client, closed):
    answers = [client.get(f"/account/{closed}/"), client.post(f"/account/{closed}/", {"email": "x@example.org"})]
    client.force_login(world.people["support"])
    answers += [client.get(f"/account/{closed}/"), client.post(f"/account/{closed}/", {"email": "x@example.org"})]
    assert [answer.status_code for answer in answers] == [404] * 4


@pytest.mark.asvs("6.4.1")
def test_forgotten_password_is_replaced_by_the_mailed_link(world, client, settings):
    support, settings.BASE_URL = world.people["support"], "https://portal.example.com"
    asked = client.post("/account/password/reset/", {"email": support.email}, HTTP_HOST="127.0.0.1", follow=True)
    assert asked.status_code == 200 and "Look into your mail" in asked.content.decode()
    (sent,) = mail.outbox
    (link,) = re.findall(r"https://portal\.example\.com(/\S+)", sent.body)
    assert "127.0.0.1" not in str(sent.message()) and support.email in sent.body

    page = client.get(link, follow=True)
    typed = {"password1": "another long passphrase", "password2": "another long passphrase"}
    saved = client.post(page.redirect_chain[-1][0], typed, follow=True)

    assert "Password saved" in saved.content.decode()
    assert User.objects.get(pk=support.pk).check_password("another long passphrase")
    assert "no longer works" in client.get(link, follow=True).content.decode()


@pytest.mark.asvs("6.4.1", "9.2.1")
def test_forgotten_passwords_link_is_good_for_an_hour(world, client, settings):
    client.post("/account/password/reset/", {"email": world.people["support"].email})
    link = re.search(r"/account/password/reset/key/\S+", mail.outbox[0].body)[0]
    assert "Choose a new password" in client.get(link, follow=True).content.decode()
    client.session.flush()
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    settings.PASSWORD_RESET_TIMEOUT = -1  # as if that hour were over
    assert "no longer works" in client.get(link, follow=True).content.decode()


def test_forgotten_password_says_and_mails_nothing_about_unknown_people(world, client):
    asked = client.post("/account/password/reset/", {"email": "nobody@portal.example"}, follow=True)
    assert "Look into your mail" in asked.content.decode() and mail.outbox == []


def test_closed_account_is_told_so_at_sign_in(world, client):
    User.objects.filter(pk=world.people["support"].pk).update(is_active=False)
    sent = {"login": world.people["support"].email, "password": PASSWORD}
    answer = client.post("/account/login/", sent, follow=True)
    assert "closed" in answer.content.decode()


# --- What a request may do by itself ---------------------------------------------------------------------


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize("circumstance", ["no token", "another origin"])
def test_form_is_taken_from_the_portals_own_pages_only(world, app_client, address, circumstance):
    """Every route that takes a form, before anything else of it is looked at."""
    browser, answers = Client(enforce_csrf_checks=True), {}
    for route in sorted({row["route"] for row in TABLE if row["method"] == "POST"}):
        browser.force_login(world.people["administrator"])
        browser.cookies["portal-csrf"] = token = "t" * 32
        sent, headers = {"csrfmiddlewaretoken": token}, {"origin": "https://evil.example"}
        if circumstance == "no token":
            sent, headers = {}, {"origin": "https://testserver"}
        answers[route] = browser.post(address(route), sent, secure=True, headers=headers).status_code
    assert {route: status for route, status in answers.items() if status != 403} == {}
    own = {"csrfmiddlewaretoken": browser.cookies["portal-csrf"].value}
    assert browser.post("/theme/", own, secure=True, headers={"origin": "https://testserver"}).status_code == 302


@pytest.mark.asvs("3.5.3")
def test_reading_a_page_changes_nothing(world, client, app_client, address, stranger):
    """Exports and refusals apart: that somebody took a list out, or tried what their role has not, is in the trail."""
    shown = [row["route"] for row in TABLE if row["method"] == "GET" and row["administrator"] != "403"]
    reading = [route for route in shown if not route.endswith("-export")]
    for route in reading:
        address(route)  # makes what it is about, where there is none yet
    client.force_login(world.people["administrator"])
    client.get("/")
    world.sandbox.clear()
    before = rows()
    for route in reading:
        client.get(address(route))
        assert rows() == before, route
    assert world.sandbox.writes() == [] and mail.outbox == []
    assert client.get("/").status_code == 200, "nor is anybody signed out"
