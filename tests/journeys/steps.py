"""What a person does on the pages, and what must hold of each page they meet."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

from tests.support import PASSWORD


def sign_in(page, who="operator"):
    page.goto("/")
    page.get_by_label("Email").fill(f"{who}@portal.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator(".topbar").wait_for()


def create_client(page, tenant="northwind", name="northwind-orders-prod"):
    page.goto(f"/clients/new/?tenant={tenant}")
    page.get_by_role("textbox", name="Name").fill(name)
    page.locator("input[name=scopes][value='orders/read']").check()
    page.get_by_role("button", name="Create client").click()
    page.wait_for_url("**/clients/0*/**")


def confirm(page):
    """Says once more who one is, before a risky act."""
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    assert faults(page) == [], page.url
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm and go on").click()


def faults(page):
    """What axe finds, and anything wider than the window; nothing can be asked of a page without JavaScript."""
    if not page.has_script:
        return []
    found = [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in violations(page)]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("overflows sideways")
    return found


def violations(page):
    """What axe finds; asked once more where the page was replaced while it read, as after a click on a link."""
    page.wait_for_load_state()
    try:
        return Axe().run(page).response["violations"]
    except Error:
        page.wait_for_load_state()
        return Axe().run(page).response["violations"]


def is_fit(page):
    """Nothing of that, and no complaint of the content security policy."""
    found = faults(page)
    assert found == [], (page.url, found)
    assert page.complaints == [], page.url
