"""Every page in a real browser: clean for axe, no wider than the window; a time says itself in UTC."""

import pytest

from clients.models import AppClient
from tests.journeys.steps import confirm, create_client, faults, is_fit, sign_in

pytestmark = pytest.mark.browser
TABS = ("", "secrets/", "scopes/", "attributes/", "snippets/", "activity/", "settings/")
SIZES = [{"width": 1440, "height": 900}, {"width": 390, "height": 900}]


@pytest.mark.parametrize(
    "page",
    [{"viewport": size, "color_scheme": scheme} for size in SIZES for scheme in ("light", "dark")],
    ids=lambda p: f"{p['viewport']['width']}-{p['color_scheme']}",
    indirect=True,
)
def test_every_page_is_clean_for_axe_and_does_not_overflow(live_harbourline, page):
    page.goto("/account/login/")
    found = {"login": faults(page)}
    sign_in(page)
    create_client(page)
    home = f"/clients/{AppClient.objects.get().public_id}/"
    paths = [
        "/",
        "/clients/?q=nobody",
        "/clients/",
        "/clients/new/",
        "/clients/new/?tenant=northwind",
        "/operations/?view=all",
        "/nothing/",
    ]
    for path in [*paths, *[home + tab for tab in TABS]]:
        page.goto(path)
        found[path] = faults(page)
    page.goto(home + "secrets/")
    page.get_by_role("button", name="Show credentials").first.click()
    confirm(page)
    page.get_by_role("heading", name="Save this secret now").wait_for()
    found["show"] = faults(page)
    assert {where: what for where, what in found.items() if what} == {}
    assert [line for line in page.complaints if "Content Security Policy" in line] == []


@pytest.mark.parametrize("page", [{"viewport": {"width": 1280, "height": 900}}], ids=["1280"], indirect=True)
def test_text_at_twice_its_size_needs_no_scrolling_sideways(live_harbourline, page):
    sign_in(page)
    create_client(page)
    home = f"/clients/{AppClient.objects.get().public_id}/"
    found = {}
    for path in [
        "/",
        "/clients/",
        "/clients/new/?tenant=northwind",
        "/tenants/northwind/",
        *[home + tab for tab in TABS],
    ]:
        page.goto(path)
        found[path] = page.evaluate("""() => {
          const all = document.documentElement;
          all.style.fontSize = "200%";
          return all.scrollWidth - all.clientWidth;
        }""")
    assert {where: over for where, over in found.items() if over > 0} == {}


# --- Times ---------------------------------------------------------------------------------------

LIES_ON_TOP = """tip => {
    const box = tip.getBoundingClientRect()
    const points = [[box.left + 3, box.top + 3], [box.right - 3, box.bottom - 3]]
    return box.left >= 0 && box.right <= innerWidth && box.top >= 0
        && points.every(([x, y]) => document.elementFromPoint(x, y) === tip)
}"""


@pytest.mark.parametrize("page", [{"viewport": size} for size in SIZES], ids=["1440", "390"], indirect=True)
def test_time_tells_utc_on_hover_and_on_focus_and_is_not_clipped(live_harbourline, page):
    sign_in(page)
    create_client(page)
    home = f"/clients/{AppClient.objects.get().public_id}/"
    for path in ("/clients/", home, home + "secrets/", home + "settings/", "/operations/?view=all"):
        page.goto(path)
        times = page.locator("main .when").filter(visible=True)  # on a phone the list leaves some out
        assert times.count() > 0
        for time in (times.first, times.last):
            tip = time.locator(".tip")
            assert tip.is_hidden()
            time.scroll_into_view_if_needed()
            time.hover()
            assert tip.is_visible() and tip.inner_text().endswith("UTC") and tip.evaluate(LIES_ON_TOP), path
            page.keyboard.press("Escape")
            assert tip.is_hidden()
            page.mouse.move(0, 0)
        is_fit(page)


@pytest.mark.parametrize("page", [{}, {"color_scheme": "dark"}], ids=["light", "dark"], indirect=True)
def test_time_is_reached_by_keyboard_and_its_tip_is_clean_for_axe(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    time = page.locator("main .when").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if time.evaluate("time => time === document.activeElement"):
            break
    assert time.locator(".tip").is_visible()
    is_fit(page)


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no-javascript"], indirect=True)
def test_time_needs_no_javascript(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto("/clients/")
    time = page.locator("main .when").first
    time.hover()
    assert time.locator(".tip").is_visible()


@pytest.mark.parametrize("page", [{"viewport": size} for size in SIZES], ids=["1440", "390"], indirect=True)
def test_components_are_clean_for_axe_in_both_themes(live_harbourline, page):
    sign_in(page)
    page.goto("/components/")
    page.get_by_role("heading", name="Dark", exact=True).wait_for()
    is_fit(page)
