"""In a real browser: the downloaded kit runs unchanged; every page is clean; support finds no way to a value."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

from clients.models import AppClient, Secret
from tests.journeys.kits import payload, rows_in, run, table_rows
from tests.support import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(page, who="operator"):
    page.goto("/")
    page.get_by_label("Email").fill(f"{who}@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/clients/**")


def create_on_page(page, tenant="northwind", name="northwind-orders-prod"):
    page.goto(f"/clients/new/?tenant={tenant}")
    page.get_by_role("textbox", name="Name").fill(name)
    page.locator("input[name=scopes][value='orders/read']").check()
    page.get_by_role("button", name="Create client").click()
    page.wait_for_url("**/clients/0*/**")


def violations(page):
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in Axe().run(page).response["violations"]]


def test_operator_creates_shows_once_and_the_downloaded_kit_runs_unchanged(live_harbourline, page, tmp_path):
    sign_in(page)
    create_on_page(page)
    page.get_by_role("link", name="Secrets").first.click()
    page.get_by_role("button", name="Show credentials").first.click()
    page.get_by_role("heading", name="Save this secret now").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download curl kit").click()
    kit = tmp_path / download.value.suggested_filename
    download.value.save_as(kit)
    assert kit.name.endswith("-CONTAINS-SECRET.sh")

    done = run(kit, tmp_path)
    assert done.returncode == 0, done.stderr
    expected = table_rows(live_harbourline, "northwind")
    assert len(expected) >= 3 and rows_in(done.stdout) == expected
    claims = payload(run(kit, tmp_path, "--token-only").stdout.strip())
    assert (claims["tenant_id"], claims["tier"]) == ("northwind", "gold")

    value = page.locator("#sec .plain").text_content()
    page.get_by_role("button", name="stored it").click()
    page.wait_for_url("**/clients/0*/**")
    assert value not in page.content()
    # Back: Chromium kept no copy of the answer (no-store), and says so instead of showing it.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    assert Secret.objects.get().stored_at is not None
    assert [c for c in page.complaints if "Content Security Policy" in c] == []


def test_support_finds_the_client_and_no_way_to_its_secret(live_harbourline, page):
    sign_in(page)
    create_on_page(page)
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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_clean_for_axe_and_does_not_overflow(live_harbourline, page, theme, width):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/account/login/")
    found = {"login": violations(page)}
    sign_in(page)
    create_on_page(page)
    home = f"/clients/{AppClient.objects.get().public_id}/"
    tabs = ["", "secrets/", "scopes/", "attributes/", "snippets/", "activity/", "settings/"]
    paths = [
        "/clients/",
        "/clients/new/",
        "/clients/new/?tenant=northwind",
        "/operations/",
        "/nothing/",
        *[home + tab for tab in tabs],
    ]
    for path in paths:
        page.goto(path)
        found[path] = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found[path].append("overflows sideways")
    page.goto(home + "secrets/")
    page.get_by_role("button", name="Show credentials").first.click()
    page.get_by_role("heading", name="Save this secret now").wait_for()
    found["show"] = violations(page)
    assert {where: what for where, what in found.items() if what} == {}


def test_without_javascript_the_main_job_works(live_harbourline, chromium, live_server):
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    create_on_page(page)
    page.get_by_role("link", name="Secrets").first.click()
    page.get_by_role("button", name="Show credentials").first.click()
    page.get_by_text("Show the client secret").click()
    assert page.locator("details .plain").text_content().startswith("cps_demo_")
    context.close()
