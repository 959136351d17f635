"""How a session begins and ends, what of it the trail keeps, and who is told when the way in changes."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from clients.models import AuditEntry, User
from tests.support import PASSWORD

NEW = "another long passphrase"


@pytest.fixture(autouse=True)
def fresh_cache(db):
    cache.clear()


@pytest.fixture
def operator(world):
    return world.people["operator"]


def signed_in(user):
    client = Client()
    assert client.post("/account/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    return client


def actions(user):
    return list(
        AuditEntry.objects.filter(actor=user, action__startswith="person:")
        .order_by("sequence")
        .values_list("action", flat=True)
    )


def later(monkeypatch, **delta):
    """The portal's clock shows so much more than the machine's."""
    now = datetime.now(UTC) + timedelta(**delta)
    monkeypatch.setattr(timezone, "now", lambda: now)


def test_signing_in_and_out_are_in_the_trail(operator):
    client = signed_in(operator)
    assert client.get("/").status_code == 200
    answer = client.post("/account/logout/")
    assert actions(operator) == ["person:sign_in", "person:sign_out"]
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get("/").status_code == 302


def test_pages_of_a_session_clear_nothing(operator):
    client = signed_in(operator)
    assert "Clear-Site-Data" not in client.get("/") and "Clear-Site-Data" not in Client().get("/account/login/")


def test_a_wrong_password_is_in_the_log_and_not_in_the_trail(operator, caplog):
    before = AuditEntry.objects.count()
    for address in (operator.email, "nobody@portal.example"):
        assert Client().post("/account/login/", {"login": address, "password": "not this one"}).status_code == 200
    told = [record.getMessage() for record in caplog.records if "sign-in failed" in record.getMessage()]
    assert told == ["a sign-in failed from 127.0.0.1"] * 2 and AuditEntry.objects.count() == before


@pytest.mark.asvs("7.4.1")
def test_an_idle_session_ends_and_leads_back(operator, monkeypatch):
    client = signed_in(operator)
    client.get("/clients/")
    later(monkeypatch, minutes=59)
    assert client.get("/clients/").status_code == 200
    later(monkeypatch, minutes=59 + 61)
    answer = client.get("/clients/?status=active", follow=True)
    assert answer.redirect_chain == [("/account/login/?next=/clients/%3Fstatus%3Dactive", 302)]
    assert "signed out after 60 minutes without a click" in answer.content.decode()
    assert actions(operator)[-1] == "person:sign_out"
    assert client.get("/clients/").status_code == 302


def test_a_busy_session_ends_after_twelve_hours(operator, monkeypatch):
    client = signed_in(operator)
    for minutes in range(0, 12 * 60, 30):
        later(monkeypatch, minutes=minutes)
        assert client.get("/clients/").status_code == 200, minutes
    later(monkeypatch, minutes=12 * 60 + 2)
    answer = client.post("/clients/contact/", {}, follow=True)
    assert "a session lasts 12 hours at most" in answer.content.decode()
    assert answer.redirect_chain[0][0] == "/account/login/?next=/"


def test_not_every_request_writes_the_session(operator):
    client = signed_in(operator)
    client.get("/account/sessions/")
    before = client.session["seen_at"]
    client.get("/account/sessions/")
    assert client.session["seen_at"] == before


def test_a_changed_password_ends_other_sessions_and_is_told_by_mail(operator, django_capture_on_commit_callbacks):
    here, elsewhere = signed_in(operator), signed_in(operator)
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        here.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert elsewhere.get("/").status_code == 302 and here.get("/").status_code == 200
    (sent,) = mail.outbox
    assert sent.to == [operator.email] and sent.subject == "Your password was changed" and "127.0.0.1" in sent.body
    assert NEW not in sent.body and "/account/sessions/" in sent.body
    entry = AuditEntry.objects.get(action="person:password")
    assert entry.detail == {"change": "Your password was changed."}


def test_a_password_is_not_changed_when_the_trail_takes_no_entry(operator, request):
    client = signed_in(operator)
    request.getfixturevalue("no_entries")
    answer = client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert answer.status_code == 503 and User.objects.get(pk=operator.pk).check_password(PASSWORD)


def test_nobody_signs_in_unrecorded_and_everybody_gets_out(operator, request):
    client = signed_in(operator)
    request.getfixturevalue("no_entries")
    stranger = Client()
    assert stranger.post("/account/login/", {"login": operator.email, "password": PASSWORD}).status_code == 503
    assert stranger.get("/").status_code == 302
    assert client.post("/account/logout/").status_code == 302 and client.get("/").status_code == 302


@pytest.mark.asvs("7.4.1")
def test_a_cookie_from_before_signing_out_opens_nothing(operator):
    client, again = signed_in(operator), Client()
    again.cookies["portal-session"] = client.cookies["portal-session"].value
    assert again.get("/").status_code == 200, "it is the session"

    client.post("/account/logout/")

    assert again.get("/").status_code == 302


# --- Passwords -----------------------------------------------------------------------------------------


def change(client, new, old=PASSWORD):
    client.post("/account/password/change/", {"oldpassword": old, "password1": new, "password2": new})


@pytest.mark.asvs("6.2.2", "6.2.3")
def test_a_password_is_changed_by_whoever_knows_the_one_before(operator):
    client = signed_in(operator)
    for wrong in ("", "not this one", NEW):
        change(client, NEW, old=wrong)
        assert User.objects.get(pk=operator.pk).check_password(PASSWORD)
    change(client, NEW)
    assert User.objects.get(pk=operator.pk).check_password(NEW)


@pytest.mark.asvs("6.2.1", "6.2.5")
@pytest.mark.parametrize(
    ("new", "is_taken"),
    [("a" * 11, False), ("q1w2e3r4t5y6", False), ("xqvzjkwpmbtr", True), ("XQVZJKWPMBTR", True), ("908070605040", True),
     ("; ; ; ; ; ; ", True), ("пароль из слов 🚢", True), ("long " * 200, True)],
)  # fmt: skip
def test_a_new_password_has_twelve_characters_of_any_kind(operator, new, is_taken):
    change(signed_in(operator), new)
    assert User.objects.get(pk=operator.pk).check_password(new) is is_taken


@pytest.mark.asvs("6.2.6", "6.2.7")
def test_passwords_are_masked_and_open_to_password_managers(operator, settings):
    client, found = signed_in(operator), []
    pages = [Client().get(path) for path in ("/account/login/", "/invitation/")]
    pages += [client.get(path) for path in ("/account/password/change/", "/account/second-factor/totp/activate/")]
    Client().post("/account/password/reset/", {"email": operator.email})
    pages.append(Client().get(re.search(r"/account/password/reset/key/\S+", mail.outbox[-1].body)[0], follow=True))
    for page in pages:
        inputs = re.findall(r'<input[^>]*name="\w*password\w*"[^>]*>', page.content.decode())
        found.append(len(inputs))
        for each in inputs:
            assert 'type="password"' in each and re.search(r'autocomplete="(current|new)-password"', each), each
            assert "readonly" not in each
    assert found == [1, 1, 3, 1, 2]
    scripts = (settings.BASE_DIR / "clients" / "static").rglob("*.js")
    assert not [path for path in scripts if re.search("paste", path.read_text())]


# --- Somebody lost the second factor -------------------------------------------------------------------


@pytest.fixture
def with_factor(operator):
    Authenticator.objects.create(user=operator, type="totp", data={"secret": "x"})
    return operator


def test_an_administrator_removes_a_lost_second_factor(world, client, with_factor):
    theirs = Client()
    theirs.force_login(with_factor)
    client.force_login(world.people["administrator"])
    page, address = f"/people/{with_factor.pk}/", f"/people/{with_factor.pk}/second-factor/"
    assert "Remove second factor" in client.get(page).content.decode()
    assert client.post(address, {"reason": ""}).status_code == 422 and Authenticator.objects.exists()
    mail.outbox.clear()

    client.post(address, {"reason": "Seen on video, lost the telephone"})

    assert not Authenticator.objects.exists() and theirs.get("/").status_code == 302
    entry = AuditEntry.objects.get(action="person:factor_reset")
    assert entry.reason == "Seen on video, lost the telephone" and entry.detail == {
        "person": with_factor.pk,
        "removed": 1,
    }
    assert mail.outbox[0].to == [with_factor.email] and "removed the second factor" in mail.outbox[0].body
    assert "Remove second factor" not in client.get(page).content.decode()
    assert client.post(address, {"reason": "again"}).status_code == 409


def test_nobody_removes_their_own_second_factor_there(world, client):
    admin = world.people["administrator"]
    Authenticator.objects.create(user=admin, type="totp", data={"secret": "x"})
    client.force_login(admin)
    assert client.post(f"/people/{admin.pk}/second-factor/", {"reason": "x"}).status_code == 409
    assert Authenticator.objects.exists()


def test_removing_a_second_factor_asks_who_it_is(world, with_factor):
    client = signed_in(world.people["administrator"])
    session = client.session
    session["account_authentication_methods"] = []  # as if the sign-in were long ago
    session.save()
    answer = client.post(f"/people/{with_factor.pk}/second-factor/", {"reason": "x"})
    assert "Confirm that it is you" in answer.content.decode() and Authenticator.objects.exists()
