"""Before a risky act one says again who one is: by password, within ten minutes, and nothing is typed twice."""

import html
import re
import time

import pytest
from allauth.account.internal.flows import login
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from clients.models import AppClient, AuditEntry, Operation, Secret, Status, TenantChange
from clients.models.ids import new_ulid
from tests.support import PASSWORD


@pytest.fixture
def desk(world):
    """Signed in by password alone, as everybody without a second factor."""
    cache.clear()
    client = Client()
    client.force_login(world.people["operator"])
    return client


@pytest.fixture
def reveal(app_client):
    return reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])


def asked(answer):
    return "Confirm that it is you" in answer.content.decode()


def record(client, user, **facts):
    session = client.session
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time()} | facts]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()


@pytest.mark.asvs("2.3.1")
def test_reveal_asks_first_and_spends_nothing(desk, reveal):
    answer = desk.post(reveal)
    assert answer.status_code == 200 and asked(answer) and "cps_" not in answer.content.decode()
    assert Secret.objects.get().sealed_value and not AuditEntry.objects.filter(action="secret:show").exists()


def test_reveal_goes_on_in_the_same_answer_once_confirmed(desk, reveal):
    answer = desk.post(reveal, {"confirm_password": PASSWORD})
    assert not asked(answer) and "cps_" in answer.content.decode() and "no-store" in answer["Cache-Control"]


def test_wrong_password_spends_nothing_and_says_so(desk, reveal):
    answer = desk.post(reveal, {"confirm_password": "not-mine"})
    assert answer.status_code == 422 and "This is not your password. Nothing was done." in answer.content.decode()
    assert "not-mine" not in answer.content.decode() and Secret.objects.get().sealed_value


def test_what_was_typed_comes_with_the_confirmation(desk, app_client):
    address = reverse("client-pause", args=[app_client.public_id])
    form = {"operation_id": new_ulid(), "reason": 'Because "<b>" & so on'}
    page = desk.post(address, form)
    assert asked(page) and not Operation.objects.filter(kind="client:pause").exists()
    body = page.content.decode().split('action="' + address)[1]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', body))
    again = {name: html.unescape(value) for name, value in hidden.items() if name in form}
    assert again == form
    assert desk.post(address, again | {"confirm_password": PASSWORD}).status_code == 302
    assert AppClient.objects.get().status == Status.PAUSED
    assert AuditEntry.objects.filter(reason=form["reason"]).exists()


def test_confirmed_once_is_enough_for_ten_minutes_and_no_longer(desk, world, reveal, app_client):
    operator = world.people["operator"]
    record(desk, operator, at=time.time() - 599, reauthenticated=True)
    assert not asked(desk.post(reveal))
    record(desk, operator, at=time.time() - 601, reauthenticated=True)
    page = desk.post(reverse("client-pause", args=[app_client.public_id]), {"operation_id": new_ulid(), "reason": "x"})
    assert asked(page)


@pytest.mark.parametrize(
    ("facts", "is_asked"),
    [
        ({}, True),
        ({"method": "mfa", "type": "totp"}, False),
        ({"method": "mfa", "type": "totp", "at": 0}, True),
        ({"reauthenticated": True, "at": time.time() + 3600}, True),
        ({"method": "socialaccount"}, True),
    ],
)
def test_what_counts_as_confirmed(desk, world, reveal, facts, is_asked):
    """A password at sign-in does not, a second factor there does; a time to come never."""
    record(desk, world.people["operator"], **facts)
    assert asked(desk.post(reveal)) is is_asked


def test_somebody_elses_confirmation_does_not_count(desk, world, reveal):
    record(desk, world.people["administrator"], reauthenticated=True)
    assert asked(desk.post(reveal))


def test_who_may_not_is_refused_before_being_asked(world, reveal):
    client = Client()
    client.force_login(world.people["support"])
    answer = client.post(reveal, {"confirm_password": PASSWORD})
    assert answer.status_code == 403 and not asked(answer) and Secret.objects.get().sealed_value


@pytest.mark.asvs("6.3.1")
def test_guessing_ends_after_ten_tries_a_minute(desk, reveal):
    answers = [desk.post(reveal, {"confirm_password": f"guess-{n}"}).status_code for n in range(11)]
    assert answers == [422] * 10 + [429]
    limited = desk.post(reveal, {"confirm_password": PASSWORD})
    assert limited.status_code == 429 and "Wait a minute" in limited.content.decode()
    assert Secret.objects.get().sealed_value, "the right one among too many does not count either"


def test_tenant_is_not_off_boarded_unconfirmed(desk, world):
    address = "/tenants/northwind/off-board/"
    page = desk.post(address, {"reason": "left", "typed": "northwind", "operation_id": new_ulid()})
    assert asked(page) and not TenantChange.objects.exists()


def test_resuming_asks_nothing(desk, app_client):
    address = reverse("client-resume", args=[app_client.public_id])
    assert not asked(desk.post(address, {"operation_id": new_ulid(), "reason": "x"}))


def test_not_now_leads_back(desk, reveal, app_client):
    assert f'href="/clients/{app_client.public_id}/secrets/">Not now' in desk.post(reveal).content.decode()
