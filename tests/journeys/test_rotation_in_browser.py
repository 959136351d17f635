"""The life of a secret as support and a customer live it, side by side: a rotation, an emergency, a pause."""

import re

import pytest

from clients.models import AppClient, Role, Rotation, Secret, Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, evidence, secrets
from clients.services.secret_steps import accepts
from tests.journeys.steps import confirm, is_fit, sign_in
from tests.journeys.test_handover_in_browser import is_fit_everywhere
from tests.support import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def app_client(live_harbourline):
    """One whose customer holds its secret."""
    operator, tenant = User.objects.get(name="Olga"), Tenant.objects.get(slug="northwind")
    User.objects.create_user("dora@northwind.example", PASSWORD, role=Role.DEVELOPER, tenant=tenant, name="Dora")
    made = app_clients.create_client(
        UserPool.objects.get(), actor=operator, operation_id=new_ulid(), tenant=tenant, name="northwind-orders-prod",
        scopes=["orders/read"], attributes={},
    )  # fmt: skip
    secrets.reveal_secret(made.secrets.get(), actor=operator)
    evidence.mark_stored(made.secrets.get(), actor=operator)
    return AppClient.objects.get()


def as_dora(page):
    page.goto("/")
    page.get_by_label("Email").fill("dora@northwind.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Northwind").first.wait_for()


def test_a_whole_rotation_side_by_side(app_client, page, another):
    where = f"/clients/{app_client.public_id}/secrets/"
    sign_in(page, "support")
    page.goto(where)
    page.get_by_role("link", name="Rotate secret").first.click()
    is_fit_everywhere(page)
    page.get_by_role("button", name="Rotate secret").click()
    confirm(page)
    page.get_by_text("The new secret works. Hand it over").wait_for()
    is_fit_everywhere(page)
    page.get_by_role("link", name="Hand over").first.click()
    page.get_by_label(re.compile("^Dora")).check()
    page.get_by_role("button", name="Hand over").click()
    page.get_by_role("heading", name="Hand-over Waiting").wait_for()

    as_dora(another)
    another.goto(where)
    is_fit_everywhere(another)
    another.get_by_role("button", name="Show credentials").first.click()
    confirm(another)
    another.get_by_role("heading", name="Save this secret now").wait_for()
    value = re.search(r"cps_\w{40,}", another.content()).group()
    another.goto(where)
    another.get_by_role("button", name="Our servers use it").click()
    another.get_by_text("The old secret can be removed now").wait_for()
    is_fit_everywhere(another)

    page.goto(where)
    assert value not in page.content()
    page.get_by_role("link", name="Finish rotation").first.click()
    is_fit_everywhere(page)
    page.get_by_role("button", name="Finish rotation").click()
    page.get_by_text("Only the new secret is left").wait_for()
    is_fit_everywhere(page)
    left = app_client.secrets.alive().get()
    assert left.ending == value[-4:] and Rotation.objects.get().state == "finished"
    another.reload()
    assert f"…{left.ending}" in another.locator("main").inner_text() or left.ending in another.content()


def test_an_emergency_on_one_page(app_client, page):
    leaked = app_client.secrets.get()
    sign_in(page, "support")
    page.goto(f"/clients/{app_client.public_id}/secrets/")
    page.get_by_role("link", name="It leaked").click()
    is_fit_everywhere(page)
    page.get_by_label(re.compile("^Stop now")).check()
    page.get_by_label("What happened").fill("It stood in a public repository")
    page.get_by_label(f"Type {leaked.ending} to confirm").fill(leaked.ending)
    page.get_by_role("button", name="Revoke secret").click()
    confirm(page)
    page.get_by_role("heading", name="revoked").wait_for()
    is_fit_everywhere(page)
    said = page.locator("main").inner_text()
    assert "Tokens already issued live on" in said and "It stood in a public repository" in said
    assert "was revoked" in page.locator("pre").inner_text()
    with page.expect_download() as timeline:
        page.get_by_role("link", name="Export timeline").click()
    assert "secret:revoke" in timeline.value.path().read_text()
    new = app_client.secrets.alive().get()
    assert new.pk != leaked.pk and accepts(AppClient.objects.select_related("pool").get(), new)
    page.get_by_role("link", name="Resume client").first.click()
    page.get_by_label("Reason").fill("The customer has the new one")
    page.get_by_role("button", name="Resume client").click()
    page.get_by_text("The client is active again").wait_for()
    is_fit(page)


def test_pause_and_resume(app_client, page):
    sign_in(page, "support")
    page.goto(f"/clients/{app_client.public_id}/settings/")
    page.get_by_role("link", name="Pause client").click()
    is_fit_everywhere(page)
    page.get_by_label("Reason").fill("The tenant asked")
    page.get_by_role("button", name="Pause client").click()
    confirm(page)
    page.get_by_text("The client is paused.").wait_for()
    is_fit_everywhere(page)
    page.goto(f"/clients/{app_client.public_id}/rotate/")
    page.get_by_text("The client is paused, so nobody could see that a new secret works").wait_for()
    is_fit(page)
    page.goto(f"/clients/{app_client.public_id}/")
    page.get_by_role("link", name="Resume client").first.click()
    page.get_by_label("Reason").fill("It is over")
    page.get_by_role("button", name="Resume client").click()
    page.get_by_text("The client is active again").wait_for()
    assert AppClient.objects.get().status == "active" and Secret.objects.count() == 1
