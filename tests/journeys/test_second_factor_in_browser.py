"""A new colleague: invited, at home with a passkey, confirmed by it, signed out, and in again without a password."""

import pytest
from allauth.mfa.models import Authenticator

from clients.models import AppClient, Role, Secret, Status, User
from clients.services.people import invite
from tests.journeys.steps import confirm, create_client, faults, is_fit, sign_in
from tests.support import PASSWORD

pytestmark = pytest.mark.browser
VIRTUAL = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def device(page):
    """A telephone that always says yes."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": VIRTUAL})
    return session


def accept(page):
    token = invite("nora@portal.example", Role.OPERATOR, actor=User.objects.get(role=Role.ADMINISTRATOR))
    page.goto(f"/invitation/#{token}")
    page.get_by_label("Name").fill("Nora")
    page.get_by_label("Password").fill(PASSWORD)
    is_fit(page)
    page.get_by_role("button").last.click()
    page.get_by_label("Email").fill("nora@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator(".topbar").wait_for()


def add_passkey(page):
    page.goto("/account/second-factor/")
    is_fit(page)
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    assert faults(page) == []
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert faults(page) == []
    page.get_by_role("link", name="stored them").click()
    page.get_by_text("never used").wait_for()
    is_fit(page)


def test_invited_colleague_enrols_a_passkey_confirms_with_it_and_signs_in_without_a_password(
    live_harbourline, page, device
):
    accept(page)
    add_passkey(page)
    create_client(page)
    app_client = AppClient.objects.get()

    page.context.clear_cookies()
    page.goto("/account/login/")
    assert faults(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.locator(".topbar").wait_for()
    page.goto(f"/clients/{app_client.public_id}/pause/")
    page.get_by_label("Reason").fill("To see that signing in by passkey counts as confirmed")
    page.get_by_role("button", name="Pause client").click()
    page.get_by_text("The client is paused.").wait_for()
    assert AppClient.objects.get().status == Status.PAUSED


def test_passkey_confirms_a_risky_act(live_harbourline, page, device):
    sign_in(page)
    add_passkey(page)
    create_client(page)
    page.context.clear_cookies()
    sign_in_with_second_factor(page)
    forget_confirmation(page)
    page.goto(f"/clients/{AppClient.objects.get().public_id}/secrets/")
    page.get_by_role("button", name="Show credentials").first.click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    assert faults(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Save this secret now").wait_for()
    assert Secret.objects.get().sealed_value is None


def sign_in_with_second_factor(page):
    page.goto("/account/login/")
    page.get_by_label("Email").fill("operator@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Second factor").wait_for()
    is_fit(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.locator(".topbar").wait_for()
    assert Authenticator.objects.filter(last_used_at__isnull=False).exists()


def forget_confirmation(page):
    """As if the ten minutes were over."""
    from django.contrib.sessions.backends.db import SessionStore

    (cookie,) = [c["value"] for c in page.context.cookies() if c["name"].endswith("session")]
    session = SessionStore(cookie)
    session["account_authentication_methods"] = []
    session.save()
