"""The main job in a real browser, as its people do it: create, show once, download, run; the token, the rows."""

from urllib.parse import unquote_to_bytes

import pytest
from playwright.sync_api import Error

from clients.models import AppClient, Secret
from tests.journeys.kits import payload, rows_in, run, table_rows
from tests.journeys.steps import confirm, create_client, is_fit, sign_in

pytestmark = pytest.mark.browser
WAYS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone-dark": {"viewport": {"width": 390, "height": 900}, "color_scheme": "dark"},
    "no-javascript": {"viewport": {"width": 1440, "height": 900}, "java_script_enabled": False},
}


def fill_create_page(page):
    """Everything on one page, and beside it the token it would make."""
    page.get_by_role("link", name="Create client").first.click()
    page.get_by_label("Tenant", exact=True).select_option("northwind")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("textbox", name="Name").fill("northwind-orders-prod")
    page.locator("input[name=scopes][value='orders/read']").check()
    page.get_by_label("rate_limit").fill("120")
    page.get_by_label("Access token valid for (minutes)").fill("15")
    page.get_by_role("button", name="Update preview").click()
    preview = page.locator(".claims").inner_text()
    assert '"tenant_id": "northwind"' in preview and '"rate_limit": 120' in preview and "was 60" in preview
    assert '"scope": "orders/read"' in preview and "issued + 15 min" in preview
    is_fit(page)


def shown_secret(page):
    """Masked with JavaScript, folded away without; the value is there for whoever asks."""
    page.get_by_role("heading", name="Save this secret now").wait_for()
    is_fit(page)
    if page.has_script:
        plain = page.locator("#sec .plain")
        assert plain.is_hidden()
        page.get_by_role("button", name="Show", exact=True).click()
    else:
        plain = page.locator("details .plain")
        page.get_by_text("Show the client secret").click()
    assert plain.is_visible()
    return plain.inner_text()


def download_kit(page, folder):
    """The file as the browser saved it: byte for byte what the page's link holds."""
    link = page.get_by_role("link", name="Download curl kit with secret")
    with page.expect_download() as download:
        link.click()
    kit = folder / download.value.suggested_filename
    download.value.save_as(kit)
    assert kit.read_bytes() == unquote_to_bytes(link.get_attribute("href").partition(",")[2])
    assert kit.name.endswith("-CONTAINS-SECRET.sh")
    return kit


def kit_gets_the_tenants_rows(sandbox, kit, folder):
    """The downloaded file, unchanged, with the real bash and curl."""
    downloaded = kit.read_bytes()
    done = run(kit, folder)
    assert done.returncode == 0, done.stderr
    expected = table_rows(sandbox, "northwind")
    assert len(expected) >= 3 and table_rows(sandbox, "acme-robotics")  # there is something to leak
    assert rows_in(done.stdout) == expected
    token = payload(run(kit, folder, "--token-only").stdout.strip())
    assert kit.read_bytes() == downloaded
    assert (token["tenant_id"], token["tier"], token["rate_limit"]) == ("northwind", "gold", 120)
    assert token["scope"] == "orders/read" and token["exp"] - token["iat"] == 15 * 60
    assert token["client_id"] == AppClient.objects.get().client_id


@pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)
def test_operator_creates_shows_once_and_the_downloaded_kit_runs_unchanged(live_harbourline, page, tmp_path):
    page.goto("/account/login/")
    is_fit(page)
    sign_in(page)
    is_fit(page)
    fill_create_page(page)
    page.get_by_role("button", name="Create client").click()
    page.wait_for_url("**/clients/0*/**")
    is_fit(page)
    page.get_by_role("button", name="Show credentials").first.click()
    confirm(page)
    value = shown_secret(page)
    kit = download_kit(page, tmp_path)
    assert value.encode() in kit.read_bytes()

    kit_gets_the_tenants_rows(live_harbourline, kit, tmp_path)

    page.get_by_role("button", name="stored it").click()
    page.wait_for_url("**/clients/0*/**")
    assert value not in page.content() and Secret.objects.get().stored_at is not None
    # Back: Chromium kept no copy of the answer (no-store), and says so instead of showing it.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()


def test_support_finds_the_client_and_no_way_to_its_secret(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.context.clear_cookies()
    sign_in(page, "support")
    page.goto(f"/clients/{AppClient.objects.get().public_id}/secrets/")
    assert page.get_by_role("button", name="Show credentials").count() == 0
    secret = Secret.objects.get()
    token = page.locator("input[name=csrfmiddlewaretoken]").first.get_attribute("value")
    url = f"/clients/{secret.app_client.public_id}/secrets/{secret.public_id}/show/"
    answer = page.request.post(url, form={"csrfmiddlewaretoken": token}, headers={"Referer": page.url})
    secret.refresh_from_db()
    assert answer.status == 403 and secret.sealed_value is not None
