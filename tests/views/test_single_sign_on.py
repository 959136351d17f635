"""Single sign-on of staff through the sandbox's own user pool, over real HTTP."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from clients.models import AuditEntry, User
from clients.services import audit
from tests.single_sign_on import BEGIN, CALLBACK, OPERATOR, begin, come, is_refused, who


@pytest.fixture(autouse=True)
def fresh_cache(db):
    """What the library notes of tokens and tries."""
    cache.clear()


# --- Configured, or not there ------------------------------------------------------------------------


def test_without_a_configuration_there_is_none(world, settings, client):
    assert "Sign in with" not in client.get("/account/login/").content.decode().replace("Sign in with a passkey", "")
    SocialApp.objects.create(provider="openid_connect", provider_id="x", name="X", client_id="x")
    settings.OIDC = settings.OIDC | {"ISSUER": "https://id.example.com"}
    for path in (BEGIN, CALLBACK):
        assert client.get(path).status_code == client.post(path).status_code == 404
    assert "Sign in with X" not in client.get("/account/login/").content.decode()


def test_button_is_a_form_that_keeps_where_to_go(staff_pool, client):
    page = client.get("/account/login/?next=/tenants/").content.decode()
    form = re.search(r'<form[^>]*action="/account/single-sign-on/">.*?</form>', page, re.DOTALL)[0]
    assert "Sign in with Harbourline" in form and 'method="post"' in form and "csrfmiddlewaretoken" in form
    assert 'name="next" value="/tenants/"' in form


def test_begins_by_post_alone_and_comes_back_by_get_alone(staff_pool, client):
    assert client.get(BEGIN).status_code == 405 and client.post(CALLBACK).status_code == 405
    assert Client(enforce_csrf_checks=True).post(BEGIN).status_code == 403


def test_asks_with_pkce_a_nonce_a_state_and_our_own_address(staff_pool, client, settings):
    asked = parse_qs(urlsplit(begin(client)).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["code_challenge"] and asked["state"] and asked["nonce"]
    assert asked["redirect_uri"] == [f"{settings.BASE_URL}{CALLBACK}"]
    assert set(asked["scope"][0].split()) == {"openid", "email", "profile"}


def test_parameters_of_the_address_change_nothing(staff_pool, client):
    """The library would take the process, scopes and parameters of the provider's from there."""
    crafted = f"{BEGIN}?process=connect&scope=admin&action=x&auth_params=prompt%3Dnone"
    asked = parse_qs(urlsplit(client.post(crafted)["Refresh"].removeprefix("0;url=")).query)
    assert "admin" not in asked["scope"][0] and "prompt" not in asked
    ((state, _, _),) = client.session["socialaccount_states"].values()
    assert state["process"] == "login"


# --- Through the sandbox's user pool ------------------------------------------------------------------


def test_staff_come_in_and_are_connected_once(staff_pool, world):
    subject = staff_pool.add("Operator@Portal.Example")
    client, answer = come(staff_pool)
    assert answer.status_code == 302 and answer["Location"] == "/" and who(client) == world.people["operator"]
    row = SocialAccount.objects.get()
    assert (row.user, row.provider, row.uid) == (world.people["operator"], staff_pool.issuer, subject)
    entry = AuditEntry.objects.get(action="person:link")
    assert entry.actor == world.people["operator"] and entry.origin.address == "127.0.0.1"
    assert entry.detail == {"person": world.people["operator"].pk, "provider": staff_pool.issuer, "subject": subject}
    come(staff_pool)
    assert SocialAccount.objects.count() == AuditEntry.objects.filter(action="person:link").count() == 1
    assert audit.first_broken_entry() is None


def test_nothing_of_the_provider_is_kept_but_the_sub(staff_pool):
    staff_pool.add(OPERATOR)
    come(staff_pool)
    come(staff_pool)
    assert SocialAccount.objects.get().extra_data == {} and not SocialToken.objects.exists()
    assert all("eyJ" not in str(session.get_decoded()) for session in Session.objects.all())


def test_userinfo_is_never_asked(staff_pool, world):
    """Cognito says `email_verified` as a word there."""
    staff_pool.add(OPERATOR)
    come(staff_pool)
    operations = [call["operation"] for call in world.sandbox.calls()]
    assert "Token" in operations and not [name for name in operations if "userinfo" in name.lower()]


def test_goes_on_to_where_one_wanted_to_go_and_nowhere_else(staff_pool):
    staff_pool.add(OPERATOR)
    for wanted, came in (("/tenants/", "/tenants/"), ("https://evil.example/", "/"), ("//evil.example/", "/")):
        client = Client()
        assert client.get(staff_pool.answer(begin(client, next=wanted)))["Location"] == came


def test_changed_address_at_the_provider_is_still_the_same_person(staff_pool, world):
    staff_pool.add(OPERATOR)
    come(staff_pool)
    staff_pool.change_email("support@portal.example")
    client, _ = come(staff_pool)
    assert who(client) == world.people["operator"] and SocialAccount.objects.count() == 1
    assert User.objects.get(pk=world.people["operator"].pk).email == OPERATOR


def test_somebody_else_with_the_same_address_is_refused(staff_pool, world):
    """The address was given to a newcomer at the organisation: they are not who had it before."""
    staff_pool.add(OPERATOR)
    come(staff_pool)
    staff_pool.change_email("gone@portal.example")
    staff_pool.add(OPERATOR, login="newcomer")
    assert is_refused(*come(staff_pool, login="newcomer"), "Another sign-in is connected")
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize("verified", ["false", ""])
def test_unverified_address_is_refused(staff_pool, verified):
    staff_pool.add(OPERATOR, verified=verified)
    assert is_refused(*come(staff_pool), "Your address is not verified")
    assert not SocialAccount.objects.exists()


def test_uninvited_get_a_calm_page_and_no_account(staff_pool):
    staff_pool.add("nobody@portal.example")
    before = User.objects.count()
    client, answer = come(staff_pool)
    assert answer.status_code == 403 and is_refused(client, answer, "You have no account here")
    assert User.objects.count() == before and not AuditEntry.objects.filter(action="person:accept").exists()


def test_member_of_a_tenant_is_refused(staff_pool):
    staff_pool.add("manager@northwind.example")
    assert is_refused(*come(staff_pool), "This way in is for staff")


def test_deactivated_person_is_refused_before_and_after_being_connected(staff_pool, world):
    staff_pool.add(OPERATOR)
    User.objects.filter(email=OPERATOR).update(is_active=False)
    assert is_refused(*come(staff_pool), "This account is closed") and not SocialAccount.objects.exists()
    User.objects.filter(email=OPERATOR).update(is_active=True)
    assert who(come(staff_pool)[0]) == world.people["operator"]
    User.objects.filter(email=OPERATOR).update(is_active=False)
    assert is_refused(*come(staff_pool), "This account is closed")


def test_cancelled_at_the_provider_is_no_error(staff_pool, client):
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get(CALLBACK, {"error": "access_denied", "state": state})
    assert answer.status_code == 200 and "You did not sign in" in answer.content.decode()


def test_answer_is_good_once_and_in_the_browser_that_asked(staff_pool, world):
    staff_pool.add(OPERATOR)
    client, other = Client(), Client()
    back = staff_pool.answer(begin(client))
    assert is_refused(other, other.get(back), "This sign-in was not finished")
    assert client.get(back).status_code == 302 and who(client) == world.people["operator"]
    again = Client()
    assert is_refused(again, again.get(back), "This sign-in was not finished")


def test_code_put_into_another_sign_in_opens_nothing(staff_pool):
    """What PKCE is for: somebody's code with one's own state."""
    staff_pool.add(OPERATOR)
    code = parse_qs(urlsplit(staff_pool.answer(begin(Client()))).query)["code"][0]
    client = Client()
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    assert is_refused(client, client.get(CALLBACK, {"code": code, "state": state}), "sign-in failed")


def test_session_of_somebody_else_ends_first(staff_pool, world):
    staff_pool.add(OPERATOR)
    client = Client()
    client.force_login(world.people["support"])
    come(staff_pool, client)
    assert who(client) == world.people["operator"]
    assert not SocialAccount.objects.filter(user=world.people["support"]).exists()


# --- Traps of the library, pinned ------------------------------------------------------------------------


def test_settings_of_the_library_stay_as_the_traps_ask():
    assert "allauth.socialaccount.providers.amazon_cognito" not in configured.INSTALLED_APPS
    assert configured.SOCIALACCOUNT_PROVIDERS["openid_connect"]["OAUTH_PKCE_ENABLED"] is True
    for name in (
        "EMAIL_AUTHENTICATION",
        "EMAIL_AUTHENTICATION_AUTO_CONNECT",
        "STORE_TOKENS",
        "LOGIN_ON_GET",
        "AUTO_SIGNUP",
    ):
        assert getattr(configured, f"SOCIALACCOUNT_{name}") is False


def test_sign_up_is_closed_everywhere(staff_pool, rf):
    from allauth.account.adapter import get_adapter
    from allauth.socialaccount.adapter import get_adapter as get_social_adapter

    assert get_adapter().is_open_for_signup(rf.get("/")) is False
    assert get_social_adapter().is_open_for_signup(rf.get("/"), None) is False
    client = Client()
    for page in ("social/signup/", "social/connections/", "social/login/cancelled/", "social/login/error/", "signup/",
                 "oidc/x/login/", "3rdparty/"):  # fmt: skip
        assert client.get(f"/account/{page}").status_code == client.post(f"/account/{page}").status_code == 404


@pytest.mark.parametrize("process", ["connect", "redirect"])
def test_no_other_process_of_the_library_goes_through(staff_pool, world, process):
    """It would connect the identity to whoever is signed in, or send anybody onward."""
    staff_pool.add("nobody@portal.example")
    client = Client()
    client.force_login(world.people["support"])
    back = staff_pool.answer(begin(client))
    session = client.session
    ((state, at, provider),) = session["socialaccount_states"].values()
    (key,) = session["socialaccount_states"]
    session["socialaccount_states"] = {
        key: (state | {"process": process, "next": "https://evil.example/"}, at, provider)
    }
    session.save()
    answer = client.get(back)
    assert answer.status_code == 403 and "This sign-in was not finished" in answer.content.decode()
    assert not SocialAccount.objects.exists()
