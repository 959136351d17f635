"""A new colleague: invited, at home with a passkey, confirmed by it, signed out, and in again without a password."""

import re
from itertools import groupby

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail

from clients.models import AppClient, AuditEntry, Role, Secret, Status, User
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


def is_fit_in_both_themes(page):
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        is_fit(page)


def accept(page):
    token = invite("nora@portal.example", Role.OPERATOR, actor=User.objects.get(role=Role.ADMINISTRATOR))
    page.goto(f"/invitation/#{token}")
    take_invitation(page)


def take_invitation(page):
    page.get_by_label("Name").fill("Nora")
    page.get_by_label("Password").fill(PASSWORD)
    is_fit_in_both_themes(page)
    page.get_by_role("button").last.click()
    page.get_by_label("Email").fill("nora@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator(".topbar").wait_for()


def add_passkey(page):
    page.goto("/account/second-factor/")
    is_fit_in_both_themes(page)
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    is_fit_in_both_themes(page)
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    is_fit_in_both_themes(page)
    page.get_by_role("link", name="stored them").click()
    page.get_by_text("never used").wait_for()
    is_fit_in_both_themes(page)


def test_whole_way_of_a_colleague_from_the_invitation_to_the_sign_out(live_harbourline, page, device):
    invite_on_the_page(page)
    (letter,) = mail.outbox
    page.goto(re.search(r"/invitation/#\S+", letter.body).group())
    take_invitation(page)
    assert User.objects.get(email="nora@portal.example").role == Role.OPERATOR
    add_passkey(page)
    create_client(page)
    is_fit_in_both_themes(page)
    confirm_by_passkey(page)
    page.goto("/")
    sign_out(page)
    page.goto("/clients/")
    assert "/account/login/" in page.url
    told = list(AuditEntry.objects.order_by("sequence").values_list("action", "actor__email"))
    nora = [action for action, _ in groupby(action for action, actor in told if actor == "nora@portal.example")]
    assert nora == [
        "person:accept",
        "person:sign_in",
        "person:factor",
        "client:create",
        "secret:show",
        "person:sign_out",
    ]


def invite_on_the_page(page):
    administrator = User.objects.get(role=Role.ADMINISTRATOR)
    administrator.set_password(PASSWORD)
    administrator.save(update_fields=["password"])
    sign_in(page, "administrator")
    page.goto("/people/invite/")
    is_fit_in_both_themes(page)
    page.get_by_label("Email").fill("nora@portal.example")
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Invite person").click()
    confirm(page)
    page.get_by_text("nora@portal.example").first.wait_for()
    is_fit_in_both_themes(page)
    sign_out(page)


def sign_out(page):
    page.get_by_role("link", name="sign out").click()
    is_fit_in_both_themes(page)
    page.locator("main").get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    is_fit_in_both_themes(page)


def confirm_by_passkey(page):
    """Ten minutes later."""
    forget_confirmation(page)
    page.goto(f"/clients/{AppClient.objects.get().public_id}/secrets/")
    page.get_by_role("button", name="Show credentials").first.click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    is_fit_in_both_themes(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Save this secret now").wait_for()
    is_fit_in_both_themes(page)


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
