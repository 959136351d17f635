"""Accepting an invitation on its page, and the pages nobody wants to see."""

import pytest
from django.test import Client

from clients.models import AuditEntry, Invitation, Role, User
from clients.services import people

GOOD = "a long enough passphrase"


@pytest.fixture
def browser(db):
    return Client()


def accept(browser, sent, **changes):
    return browser.post("/invitation/", {"token": sent, "name": "Ada", "password": GOOD} | changes)


def test_invited_person_accepts_signs_in_and_comes_home(browser):
    token = people.invite("ada@portal.example", Role.ADMINISTRATOR, actor=None)
    assert accept(browser, token).status_code == 302
    signed_in = browser.post("/account/login/", {"login": "ada@portal.example", "password": GOOD}, follow=True)
    assert signed_in.redirect_chain[-1][0] == "/" and signed_in.status_code == 200
    assert AuditEntry.objects.get(action="person:accept").origin.address == "127.0.0.1"


@pytest.mark.asvs("6.2.8")
def test_password_counts_as_typed_with_its_spaces(browser):
    typed = "  two spaces around it  "
    accept(browser, people.invite("ada@portal.example", Role.ADMINISTRATOR, actor=None), password=typed)
    tries = [{"login": "ada@portal.example", "password": said} for said in (typed.strip(), typed.upper(), typed)]
    assert [browser.post("/account/login/", said).status_code for said in tries] == [200, 200, 302]


def test_opening_the_page_consumes_nothing(browser):
    people.invite("ada@portal.example", Role.ADMINISTRATOR, actor=None)
    assert browser.get("/invitation/").status_code == 200
    assert Invitation.objects.get().accepted_at is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"token": "wrong"}, "Ask for a new one"), ({"password": "short"}, "too short"), ({"name": ""}, "required")],
)
def test_refusal_stands_on_the_page_and_makes_nobody(browser, changes, words):
    token = people.invite("ada@portal.example", Role.SUPPORT, actor=None)
    answer = accept(browser, token, **changes)
    assert answer.status_code in (200, 422)
    assert words in answer.content.decode() and not User.objects.exists()
    assert GOOD not in answer.content.decode()


def test_sign_in_says_the_same_for_unknown_and_known_people(browser):
    User.objects.create_user("known@portal.example", GOOD, role=Role.SUPPORT)
    answers = []
    for email in ("known@portal.example", "unknown@portal.example"):
        page = browser.post("/account/login/", {"login": email, "password": "wrong"}).content.decode()
        answers.append(page.replace(email, "EMAIL"))
    strip = [a.split("csrfmiddlewaretoken")[0] + a.split("</form>")[-1] for a in answers]
    assert strip[0] == strip[1] and "not correct" in answers[1]


def test_a_mistake_of_ours_answers_a_calm_page_without_detail(world, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("cps_demo_ and other insides")

    browser = Client(raise_request_exception=False)
    browser.force_login(world.people["operator"])
    monkeypatch.setattr("clients.views.app_clients.ClientFilter", broken)
    answer = browser.get("/clients/")
    page = answer.content.decode()
    assert answer.status_code == 500 and "reference" in page
    assert "insides" not in page and "Traceback" not in page


@pytest.mark.asvs("3.5.1")
def test_form_without_its_token_is_refused_with_a_page(world):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.people["operator"])
    answer = browser.post("/clients/new/", {"name": "x"})
    assert answer.status_code == 403 and "Nothing was changed" in answer.content.decode()


def test_utf16_body_is_refused_plainly(browser):
    answer = browser.post("/invitation/", data="x", content_type="application/x-www-form-urlencoded; charset=utf-16")
    assert answer.status_code == 415
