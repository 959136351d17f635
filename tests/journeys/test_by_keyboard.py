"""An operator without a mouse: every step by Tab, Space, Enter and what one types."""

import pytest

from clients.models import AppClient
from tests.journeys.steps import is_fit
from tests.support import PASSWORD

pytestmark = pytest.mark.browser
FAR = 90  # presses of Tab; no page is longer
CHANGE = "main form:has(input[name=generation]) button.primary"  # the header has a primary button of its own

# What has the focus, where neither it nor what is around it looks different from without.
LOOKS_OTHERWISE = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;  // the browser's own bar
  const look = () => [at, at.parentElement, at.parentElement.parentElement].map((el) => {
    const s = getComputedStyle(el);
    return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.borderColor].join(" ");
  }).join("|");
  const focused = look();
  at.blur();
  const without = look();
  at.focus({focusVisible: true});
  return focused === without ? at.outerHTML.slice(0, 200) : null;
}"""


def tab_to(page, selector):
    """Tab until the focus is on it. Each stop on the way must be visible: focus that vanishes is a fault."""
    for _ in range(FAR):
        page.keyboard.press("Tab")
        at = page.evaluate(LOOKS_OTHERWISE)
        assert at is None, f"the focus cannot be seen on {at} of {page.url}"
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab on {page.url}")


def go(page, selector, key="Enter"):
    tab_to(page, selector)
    page.keyboard.press(key)


def test_create_choose_scopes_and_save_by_keyboard_alone(live_harbourline, page):
    page.goto("/account/login/")
    tab_to(page, "input[name=login]")
    page.keyboard.type("operator@portal.example")
    tab_to(page, "input[name=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)

    go(page, "nav a[href='/tenants/']")
    page.wait_for_url("**/tenants/")
    go(page, "main a[href='/tenants/northwind/']")
    page.wait_for_url("**/tenants/northwind/")
    go(page, "main a[href^='/clients/new/']")
    page.wait_for_url("**/clients/new/**")
    go(page, "input[name=scopes][value='orders/read']", "Space")
    go(page, "input[name=scopes][value='shipments/read']", "Space")
    is_fit(page)
    go(page, "main form button.primary")
    page.wait_for_url("**/clients/0*/**")
    app_client = AppClient.objects.get()
    assert sorted(app_client.scopes.values_list("full_name", flat=True)) == ["orders/read", "shipments/read"]

    go(page, "nav[aria-label=Client] a[href$='/scopes/']")
    page.wait_for_url("**/scopes/")
    go(page, "input[name=scopes][value='shipments/read']", "Space")
    go(page, CHANGE)  # review
    page.get_by_text("orders/read").first.wait_for()
    is_fit(page)
    go(page, CHANGE)  # save
    page.get_by_text("The scopes are saved").wait_for()
    assert sorted(app_client.scopes.values_list("full_name", flat=True)) == ["orders/read"]
    is_fit(page)


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(live_harbourline, page):
    page.goto("/account/login/")
    page.get_by_label("Email").fill("operator@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)
    page.goto("/clients/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_the_drawn_key_focuses_the_search(live_harbourline, page):
    page.goto("/account/login/")
    page.get_by_label("Email").fill("operator@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)
    page.goto("/operations/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("a/b")
    assert page.evaluate("document.activeElement.value") == "a/b"


def test_a_focus_that_vanishes_is_found(live_harbourline, page):
    """The planted fault: the one ring of all pages taken away."""
    page.goto("/account/login/")
    gone = "* { outline: none !important; box-shadow: none !important; border-color: red !important }"
    page.evaluate("rule => { const s = document.styleSheets[0]; s.insertRule(rule, s.cssRules.length) }", gone)
    with pytest.raises(AssertionError, match="cannot be seen"):
        tab_to(page, "input[name=password]")
