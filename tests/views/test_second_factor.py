"""An authenticator app: enrolled, asked for at sign-in, good for a step-up; and who must have one."""

import json
import re
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from clients.models import Secret, User
from tests.support import PASSWORD

INDEX = "/account/second-factor/"


def code(secret, ago=0):
    """What the app shows, or showed so many periods ago."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - ago))


@pytest.fixture(autouse=True)
def fresh_cache(db):
    cache.clear()


def sign_in(user):
    client = Client()
    answer = client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    return client, answer


def enrol(client):
    page = client.get(INDEX + "totp/activate/").content.decode()
    secret = re.search(r'Key to type</dt><dd class="copyable"><span class="mono">([A-Z2-7]+)</span>', page)[1]
    answer = client.post(INDEX + "totp/activate/", {"code": code(secret)})
    assert answer.status_code == 302, answer.content.decode()
    return secret


@pytest.fixture
def operator(world):
    return world.people["operator"]


@pytest.fixture
def with_app(client, operator):
    """(the operator, the seed of the app): enrolled, and that code spent."""
    client.force_login(operator)
    secret = enrol(client)
    cache.clear()
    return operator, secret


def test_enrolling_asks_first_who_it_is(operator):
    client, _ = sign_in(operator)
    page = client.get(INDEX + "totp/activate/").content.decode()
    assert "Confirm that it is you" in page and "Key to type" not in page
    opening = {"confirm_password": PASSWORD, "confirm_opening": "1"}
    answer = client.post(INDEX + "totp/activate/", opening)
    assert answer.status_code == 302 and answer["Location"] == INDEX + "totp/activate/"
    enrol(client)
    assert Authenticator.objects.filter(user=operator).values_list("type", flat=True).count() == 2, "and recovery codes"


def test_seeds_are_sealed(with_app):
    _, secret = with_app
    assert all(secret not in str(row.data) for row in Authenticator.objects.all())


@pytest.mark.asvs("2.3.1")
def test_sign_in_then_asks_for_the_code(with_app):
    operator, secret = with_app
    client, answer = sign_in(operator)
    assert answer["Location"].startswith(INDEX + "authenticate/")
    assert client.get("/")["Location"].startswith("/account/login/"), "the password alone opens nothing"
    wrong = client.post(INDEX + "authenticate/", {"code": "000000"})
    assert wrong.status_code == 200 and "Incorrect code" in wrong.content.decode()
    assert client.post(INDEX + "authenticate/", {"code": code(secret)}).status_code == 302
    assert client.get("/").status_code == 200


def test_without_kms_a_code_signs_nobody_in_and_afterwards_it_does(world, settings, client, operator):
    arn = world.sandbox.aws("kms").create_key()["KeyMetadata"]["Arn"]
    settings.SEALING_KEYS = f"cloud:kms:{arn}"
    client.force_login(operator)
    secret = enrol(client)
    cache.clear()
    browser, _ = sign_in(operator)
    world.sandbox.fault("Decrypt", "throttle", times=9)
    answer = browser.post(INDEX + "authenticate/", {"code": code(secret)})
    assert answer.status_code == 503 and "AWS did not answer as it should" in answer.content.decode()
    assert browser.get("/")["Location"].startswith("/account/login/")
    world.sandbox.clear()
    assert browser.post(INDEX + "authenticate/", {"code": code(secret)}).status_code == 302
    assert browser.get("/").status_code == 200


def test_code_is_good_once(with_app):
    operator, secret = with_app
    shown = code(secret)
    first, _ = sign_in(operator)
    assert first.post(INDEX + "authenticate/", {"code": shown}).status_code == 302
    second, _ = sign_in(operator)
    again = second.post(INDEX + "authenticate/", {"code": shown})
    assert again.status_code == 200 and second.get("/").status_code == 302


@pytest.mark.asvs("6.3.1")
def test_guessing_codes_ends_after_five(with_app):
    operator, secret = with_app
    client, _ = sign_in(operator)
    for _ in range(5):
        assert "Incorrect code" in client.post(INDEX + "authenticate/", {"code": "000000"}).content.decode()
    refused = client.post(INDEX + "authenticate/", {"code": code(secret)})
    assert refused.status_code == 200 and "Too many" in refused.content.decode()
    assert client.get("/").status_code == 302, "the right one among too many does not count"


def test_code_that_enrolled_the_app_does_not_sign_in(client, operator):
    """A trap of the library: whoever looked over the shoulder then would have half a minute."""
    client.force_login(operator)
    secret = enrol(client)
    other, _ = sign_in(operator)
    assert other.post(INDEX + "authenticate/", {"code": code(secret)}).status_code == 200
    assert other.get("/").status_code == 302


def test_recovery_code_signs_in_once(client, with_app):
    operator, _ = with_app
    page = client.get(INDEX + "recovery-codes/").content.decode()
    recovery = re.search(r"<pre [^>]*>(\d{8})", page)[1]
    first, _ = sign_in(operator)
    assert first.post(INDEX + "authenticate/", {"code": recovery}).status_code == 302
    second, _ = sign_in(operator)
    assert second.post(INDEX + "authenticate/", {"code": recovery}).status_code == 200


def test_sign_in_with_a_second_factor_counts_as_confirmed(with_app, app_client):
    operator, secret = with_app
    client, _ = sign_in(operator)
    client.post(INDEX + "authenticate/", {"code": code(secret)})
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    assert "Confirm that it is you" not in client.post(show).content.decode()


def test_code_confirms_a_risky_act_and_a_wrong_one_does_not(with_app, app_client):
    operator, secret = with_app
    client = Client()
    client.force_login(operator)
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    assert "confirm_code" in client.post(show).content.decode()
    wrong = client.post(show, {"confirm_password": "", "confirm_code": "000000"})
    assert wrong.status_code == 422 and "This code does not fit" in wrong.content.decode()
    empty = client.post(show, {"confirm_password": "", "confirm_code": ""})
    assert empty.status_code == 422 and "Nothing was typed" in empty.content.decode()
    assert Secret.objects.get().sealed_value
    assert (
        "Save this secret now"
        in client.post(show, {"confirm_password": "", "confirm_code": code(secret)}).content.decode()
    )


@pytest.mark.parametrize("rubbish", ["{}", "no json", '{"id": "x"}', "[]", "1", '{"rawId": null, "response": 1}'])
def test_rubbish_for_a_passkey_confirms_nothing(with_app, app_client, rubbish):
    client = Client()
    client.force_login(with_app[0])
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    answer = client.post(show, {"confirm_credential": rubbish})
    assert answer.status_code == 422 and Secret.objects.get().sealed_value


@pytest.mark.parametrize("rubbish", ["{}", '{"id": "x"}', '{"rawId": "!", "response": {"clientDataJSON": "1"}}', "x"])
def test_rubbish_for_a_passkey_signs_nobody_in_and_breaks_nothing(world, rubbish):
    client = Client()
    answer = client.post(INDEX + "passkeys/login/", {"credential": rubbish}, follow=True)
    assert answer.status_code == 200 and client.get("/").status_code == 302
    client.force_login(world.people["operator"])
    page = client.post(INDEX + "passkeys/add/", {"credential": rubbish, "confirm_password": PASSWORD, "name": "x"})
    assert page.status_code == 200 and not Authenticator.objects.exists()


def test_who_came_by_single_sign_on_with_nothing_else_is_never_let_through(client, operator, app_client):
    """A trap of the library: its own check lets exactly these people pass."""
    operator.set_unusable_password()
    operator.save()
    plain = Client()
    plain.force_login(operator)
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    answer = plain.post(show, {"confirm_password": ""})
    assert answer.status_code == 403 and "nothing to confirm with" in answer.content.decode()
    assert Secret.objects.get().sealed_value


@pytest.mark.asvs("1.2.3")
def test_hostile_name_stays_data_in_what_a_page_tells_its_script(client, operator):
    operator.name = "</script><script>alert(1)</script>"
    operator.save(update_fields=["name"])
    client.force_login(operator)
    body = client.get(INDEX + "passkeys/add/").content.decode()
    told = re.search(r'<script id="js_data" type="application/json">(.*?)</script>', body, re.DOTALL)[1]
    assert "<script>alert" not in body and operator.name in str(json.loads(told))


# --- Required of staff -------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "is_led"), [("operator", True), ("auditor", True), ("developer", False)])
def test_staff_without_a_second_factor_are_led_to_enrol_one(world, settings, who, is_led):
    settings.REQUIRE_SECOND_FACTOR = True
    client, _ = sign_in(world.people[who])
    answer = client.get("/clients/")
    assert (answer.status_code == 302 and answer["Location"] == INDEX) is is_led
    assert client.get(INDEX).status_code == 200 and client.get("/account/logout/").status_code == 200


def test_staff_with_one_pass(with_app, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    operator, secret = with_app
    client, _ = sign_in(operator)
    client.post(INDEX + "authenticate/", {"code": code(secret)})
    assert client.get("/clients/").status_code == 200


@pytest.mark.asvs("2.3.1")
def test_nothing_is_done_on_the_way_to_enrolling(world, settings, app_client):
    settings.REQUIRE_SECOND_FACTOR = True
    client, _ = sign_in(world.people["operator"])
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    assert client.post(show, {"confirm_password": PASSWORD})["Location"] == INDEX
    assert Secret.objects.get().sealed_value


# --- Sessions ----------------------------------------------------------------------------------------


def test_signing_out_everywhere_else_ends_the_other_sessions_and_keeps_this_one(operator):
    first, _ = sign_in(operator)
    second, _ = sign_in(operator)
    assert UserSession.objects.filter(user=operator).count() == 2
    told = second.get("/account/sessions/").content.decode()
    assert told.count('<span class="end">signed in') == 2 and told.count(">this browser<") == 1
    second.post("/account/sessions/")
    assert second.get("/").status_code == 200 and first.get("/").status_code == 302


def test_sessions_of_others_are_not_shown(world, operator):
    sign_in(world.people["support"])
    client, _ = sign_in(operator)
    assert client.get("/account/sessions/").context["session_count"] == 1


def test_people_of_a_new_installation_have_a_verified_address(world):
    assert not User.objects.exclude(pk__in=EmailAddress.objects.filter(verified=True).values("user")).exists()
