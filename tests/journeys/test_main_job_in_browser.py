"""The main job with a real browser: sign in, create, show once, download; axe on every page on the way."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.support import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium here")]


@pytest.fixture(params=[(True, 1440, "light"), (True, 390, "dark"), (False, 1440, "light")], ids=str)
def page(request, monkeypatch):
    has_script, width, scheme = request.param
    # Playwright runs an event loop in this thread; the rows are read between its calls, never inside them.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            java_script_enabled=has_script, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        opened = context.new_page()
        opened.has_script, opened.complaints = has_script, []
        opened.on("console", lambda line: opened.complaints.append(line.text) if line.type == "error" else None)
        yield opened
        browser.close()


def is_fit(page):
    """No axe violation, nothing wider than the window, no complaint of the content security policy."""
    if page.has_script:
        from axe_playwright_python.sync_playwright import Axe

        found = [(v["id"], [n["target"] for n in v["nodes"]]) for v in Axe().run(page).response["violations"]]
        assert found == [], page.url
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), page.url
    assert page.complaints == [], page.url


def test_operator_creates_a_client_and_is_shown_its_secret_once(lasting_world, live_server, page, tmp_path):
    operator = lasting_world.people["operator"]
    page.goto(f"{live_server.url}/account/login/")
    is_fit(page)
    page.fill("[name=login]", operator.email)
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    is_fit(page)

    page.click("text=Create client >> nth=0")
    page.select_option("[name=tenant]", "northwind")
    page.click("text=Continue")
    page.check("[value='orders/read']")
    page.fill("[name='attribute:rate_limit']", "120")
    page.click("text=Update preview")
    assert "was 60" in page.inner_text(".claims")
    is_fit(page)
    page.click(".submit .primary")
    is_fit(page)
    assert "The secret waits to be delivered" in page.inner_text("main")

    page.click("text=Show credentials >> nth=0")
    is_fit(page)
    if not page.has_script:
        page.click("summary")
        value = page.inner_text("details .plain")
    else:
        assert page.is_hidden("#sec .plain")
        page.click("[data-show]")
        value = page.inner_text("#sec .plain")
    with page.expect_download() as download:
        page.click("text=Download curl kit with secret")
    download.value.save_as(tmp_path / "kit.sh")
    assert download.value.suggested_filename.endswith("-CONTAINS-SECRET.sh")
    assert value in (tmp_path / "kit.sh").read_text()

    page.click("text=I’ve stored it")
    for tab in ("Secrets", "Scopes", "Attributes", "Snippets", "Activity", "Settings"):
        page.click(f".tabs >> text={tab}")
        is_fit(page)
        assert value not in page.content()
