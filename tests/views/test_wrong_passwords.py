"""A thousand wrong passwords from one address: that address waits, and the right person signs in from another."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from clients.models import Role, User
from tests.support import PASSWORD

THEIRS, MINE = "198.51.100.66", "203.0.113.7"
SIGN_IN = "/account/login/"
ENOUGH = 45  # to use up every count there is; the thousand are for the two tests that are about them
CHANGING = {"Expires", "Content-Length"}


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def person(db):
    """As accepting an invitation leaves somebody."""
    ada = User.objects.create_user("ada@portal.example", PASSWORD, role=Role.SUPPORT, name="Ada")
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    return ada


def attempt(email, password, address, browser=None):
    return (browser or Client()).post(SIGN_IN, {"login": email, "password": password}, REMOTE_ADDR=address)


def guess(email, count=ENOUGH):
    """Wrong passwords in a row from one browser of theirs, none of them twice."""
    browser = Client()
    return [attempt(email, f"guess {number}", THEIRS, browser) for number in range(count)]


def sees_clients(browser, address=MINE):
    return browser.get("/clients/", REMOTE_ADDR=address).status_code == 200


def said(answer):
    return re.findall(r"Too many[^<]*|[^<>]*not correct[^<]*|This is not your password[^<]*", answer.content.decode())


def plain(answer, email):
    """All of an answer that could tell whether somebody is known: without the form's token, the reference for the log,
    and the address that was typed."""
    body = answer.content.decode().replace(email, "EMAIL")
    body = re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r'\1"TOKEN"', body)
    body = re.sub(r'reference <span class="mono">[0-9a-f]{8}<', "reference <", body)
    headers = {name: value for name, value in answer.items() if name not in CHANGING}
    return answer.status_code, headers, sorted(answer.cookies), body


@pytest.mark.asvs("6.3.1")
def test_thousand_wrong_passwords_are_told_to_wait_and_touch_nobody_else(person):
    other = User.objects.create_user("bob@portal.example", PASSWORD, role=Role.SUPPORT, name="Bob")
    mine, theirs = Client(), Client()
    assert attempt(person.email, PASSWORD, MINE, mine).status_code == 302 and sees_clients(mine)

    answers = guess(person.email, 1000)

    assert {answer.status_code for answer in answers} == {200, 429}
    assert sum(answer.status_code == 429 for answer in answers) > 900, "most are not even looked at"
    refused = attempt(person.email, PASSWORD, THEIRS, theirs)
    assert refused.status_code == 429 and "Wait a minute, then try again" in refused.content.decode()
    assert not sees_clients(theirs, THEIRS), "the right one among a thousand does not count from there"
    assert sees_clients(mine), "the session of the right person goes on"
    assert attempt(other.email, PASSWORD, MINE).status_code == 302, "nothing counts for everybody"


@pytest.mark.asvs("6.3.1")
def test_right_password_after_a_thousand_wrong_ones_signs_in_from_another_address(person):
    guess(person.email, 1000)
    browser = Client()

    answer = attempt(person.email, PASSWORD, MINE, browser)

    assert (answer.status_code, said(answer)) == (302, [])
    assert sees_clients(browser)


@pytest.mark.parametrize("guesses", [0, ENOUGH])
def test_session_from_elsewhere_still_confirms_with_its_password(person, guesses):
    """A step-up counts on the limit of wrong sign-ins, so a stranger can close that door as well."""
    browser, page = Client(), "/account/second-factor/totp/activate/"
    assert attempt(person.email, PASSWORD, MINE, browser).status_code == 302
    guess(person.email, guesses)

    answer = browser.post(page, {"confirm_password": PASSWORD, "confirm_opening": "1"}, REMOTE_ADDR=MINE)

    assert (answer.status_code, said(answer)) == (302, [])


def test_session_from_elsewhere_goes_on_and_the_account_is_not_touched(person):
    browser = Client()
    attempt(person.email, PASSWORD, MINE, browser)
    before = User.objects.filter(pk=person.pk).values().get()

    guess(person.email)

    assert sees_clients(browser)
    assert User.objects.filter(pk=person.pk).values().get() == before


def test_unknown_and_known_people_are_answered_the_same_byte_for_byte(person):
    """Each answer on the way: the first ones, those that say too many, those that say wait."""
    answers = {}
    for email in (person.email, "eve@portal.example"):
        cache.clear()  # the second one does not pay for the first
        answers[email] = [plain(answer, email) for answer in guess(email)]

    known, unknown = answers.values()
    assert {status for status, *_ in known} == {200, 429}
    assert known == unknown


def test_comparing_answers_finds_the_one_that_tells(person):
    """A planted difference: to the right password of a closed account the answer is another one."""
    wrong = attempt(person.email, "wrong", THEIRS)
    User.objects.filter(pk=person.pk).update(is_active=False)
    closed = attempt(person.email, PASSWORD, THEIRS)

    assert plain(wrong, person.email) != plain(closed, person.email)


@pytest.mark.asvs("6.3.1")
def test_guesses_from_many_addresses_are_slowed_as_well(person):
    """The other half of the bargain: whoever has a thousand addresses does not get a thousand tries."""
    answers = [attempt(person.email, f"guess {n}", f"198.51.{n // 250}.{n % 250 + 1}") for n in range(60)]

    looked_at = [answer for answer in answers if "not correct" in answer.content.decode()]
    assert 1 <= len(looked_at) <= 20


def test_person_signs_in_where_they_have_been_while_many_addresses_guess(person):
    assert attempt(person.email, PASSWORD, MINE).status_code == 302

    for number in range(40):
        attempt(person.email, f"guess {number}", f"198.51.100.{number + 1}")

    assert attempt(person.email, PASSWORD, "203.0.113.8").status_code != 302, "a planted check: elsewhere they wait"
    assert attempt(person.email, PASSWORD, MINE).status_code == 302
