"""From link to link through the demo, one page of every route, taken and checked."""

import csv
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from axe_playwright_python.sync_playwright import Axe
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.journeys.browser import ARGUMENTS, CHROMIUM
from tests.shots.answers import ANSWERS

WIDTHS, THEMES = (1440, 1024, 390), ("light", "dark")
ROLES = ("administrator", "support", "manager")
FIRST_LOAD, LATER_LOAD = 60_000, 15_000  # bytes on the wire
LOOKS = 4  # pages of one route that are asked for links: one client may have a tab that another lacks
# Pages no link of a signed-in person leads to; the last three are states, not routes.
MORE = {
    "account_login": "/account/login/",
    "handover-link": "/hand-over/",
    "account_reset_password": "/account/password/reset/",
    "account_inactive": "/account/inactive/",
    "client-draft": "/clients/new/?tenant=northwind&template=read",
    "nothing-found": "/clients/?q=nothing-like-this",
    "not-there": "/nowhere/",
    "component-list": "/components/",
}
ROUTES = Path(__file__).resolve().parent.parent / "views" / "routes.csv"
# Answers to a POST, single-use links and addresses that are no page.
NOT_WALKED = {"healthz", "theme-set", "shortcut-set", "snippet-curl", "scanner-rules", "client-export", "activity-export", "invitation-accept", "secret-show", "rotation-page", "bulk-run",
              "rotation-finish", "rotation-cancel",
              "account_reset_password_from_key", "account_reset_password_from_key_done",
              "account_reset_password_done", "mfa_generate_recovery_codes"}  # fmt: skip


def walk(facts: dict[str, Any], out: Path, chosen: set[str]) -> list[str]:
    """Takes the pictures; returns the complaints."""
    django.setup()
    complaints: list[str] = []
    reached: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        _prepare(browser, facts)
        for role in ROLES if not chosen or chosen - ANSWERS.keys() else ():
            pages = _pages_of(browser, facts, role)
            reached |= {name for name, _ in pages} | MORE.keys()
            for theme in THEMES:
                complaints += _take(browser, facts, role, theme, pages, out, chosen)
        for role in ("administrator", "manager") if not chosen else ():
            complaints += _wire(browser, facts, role)
        complaints += _take_answers(browser, facts, out, chosen)
        browser.close()
    missing = _routes() - reached - NOT_WALKED if not chosen else set()
    return complaints + [f"no picture of {name}: no role of {', '.join(ROLES)} came to it" for name in sorted(missing)]


def _prepare(browser: Browser, facts: dict[str, Any]) -> None:
    """States the demo does not begin with: a paused client, a tenant being paused, a scope being retired."""
    context = _signed_in(browser, facts, "administrator")
    page = context.new_page()
    page.goto("/clients/?tenant=northwind&status=active")
    page.locator("main table th a").last.click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Pause client").click()
    _say_why(page, "Pause client")
    page.get_by_label("Your password").fill(facts["logins"]["administrator"]["password"])
    page.get_by_role("button", name="Confirm and go on").click()
    page.wait_for_load_state()
    page.goto("/tenants/harbour-foods/pause/")
    _say_why(page, "Pause tenant")
    page.goto("/scopes/")
    page.locator("main h2 a").last.click()
    page.get_by_role("link", name="Retire scopes").click()
    page.locator("main input[type=checkbox]").last.check()
    _say_why(page, "Retire scopes")
    context.close()


def _say_why(page: Page, button: str) -> None:
    page.get_by_label("Reason").fill("To be seen in pictures")
    page.get_by_role("button", name=button).click()
    page.wait_for_load_state()


def _routes() -> set[str]:
    rows = csv.DictReader(ROUTES.read_text().splitlines())
    return {row["route"] for row in rows if row["method"] == "GET" and "200" in row.values()}


def _signed_in(browser: Browser, facts: dict[str, Any], role: str, **options: Any) -> BrowserContext:
    login = facts["logins"][role]
    context = browser.new_context(base_url=facts["url"], reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto("/account/login/")
    page.get_by_label("Email").fill(login["email"])
    page.get_by_label("Password", exact=True).fill(login["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()
    page.close()
    return context


def _come(page: Page, path: str, facts: dict[str, Any], role: str) -> Any:
    """The page behind the one that asks who it is."""
    answer = page.goto(path)
    if page.locator("form#confirm").count():
        page.get_by_label("Your password").fill(facts["logins"][role]["password"])
        with page.expect_navigation():
            page.get_by_role("button", name="Confirm and go on").click()
    return answer


def _route(url: str) -> str | None:
    try:
        return resolve(urlsplit(url).path).url_name
    except Resolver404:
        return None


def _pages_of(browser: Browser, facts: dict[str, Any], role: str) -> list[tuple[str, str]]:
    """(route, path) of the first page of each route this role can reach by links, breadth first."""
    context = _signed_in(browser, facts, role)
    page = context.new_page()
    found: dict[str, list[str]] = {}
    waiting, seen = ["/"], {"/"}
    while waiting:
        path = waiting.pop(0)
        name = _route(path)
        if name is None or name in NOT_WALKED or len(found.get(name, [])) == LOOKS:
            continue
        answer = _come(page, path, facts, role)
        if answer is None or answer.status >= 500:
            raise SystemExit(f"{path} answers {answer and answer.status} to {role}: mend that first.")
        if answer.status != 200:
            continue
        found.setdefault(name, []).append(path)
        links = page.eval_on_selector_all("a[href^='/']", "all => all.map(a => a.getAttribute('href'))")
        fresh = [link for link in links if link not in seen]
        seen.update(fresh)
        waiting += fresh
    context.close()
    return [(name, paths[0]) for name, paths in found.items()]


def _take(
    browser: Browser, facts: dict[str, Any], role: str, theme: str, pages: list[tuple[str, str]], out: Path,
    chosen: set[str],
) -> list[str]:  # fmt: skip
    complaints: list[str] = []
    context = _signed_in(browser, facts, role, color_scheme=theme)
    stranger = browser.new_context(base_url=facts["url"], color_scheme=theme, reduced_motion="reduce")
    for name, path in [*pages, *(MORE.items() if role == ROLES[0] else ())]:
        if chosen and name not in chosen:
            continue
        page = (stranger if name.startswith("account_") and name in MORE else context).new_page()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            _come(page, path, facts, role)
            complaints += _picture(page, out, f"{name}-{role}-{width}-{theme}")
        page.close()
    context.close()
    stranger.close()
    return complaints


def _take_answers(browser: Browser, facts: dict[str, Any], out: Path, chosen: set[str]) -> list[str]:
    """An answer to a form is there once: the window and the theme change around it."""
    complaints: list[str] = []
    for name, come_to in ANSWERS.items():
        if chosen and name not in chosen:
            continue
        context = _signed_in(browser, facts, ROLES[0])
        page = context.new_page()
        page.goto("/")  # where a sign-in ends, or stops
        page.set_default_timeout(5000)
        try:
            come_to(page, facts)
        except Exception as error:  # whatever it is, the other pictures are worth having
            complaints.append(f"{name}: nobody came to it: {str(error).splitlines()[0]}")
            continue
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                complaints += _picture(page, out, f"{name}-answer-{width}-{theme}")
        context.close()
    return complaints


def _picture(page: Page, out: Path, name: str) -> list[str]:
    """Takes it; returns what axe finds there, and whether anything is wider than the window."""
    page.screenshot(path=out / f"{name}.png", full_page=True)
    found = [f"{v['id']}: {v['nodes'][0]['html'][:100]}" for v in Axe().run(page).response["violations"]]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("overflows sideways")
    return [f"{name}: {fault}" for fault in found]


def _wire(browser: Browser, facts: dict[str, Any], role: str) -> list[str]:
    """Bytes received with an empty cache, and again with what the browser keeps."""
    context = _signed_in(browser, facts, role)
    pages = [path for _, path in _pages_of(browser, facts, role)]
    complaints, worst = [], {"first": (0, ""), "later": (0, "")}
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    received: list[int] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    for path in pages:
        session.send("Network.clearBrowserCache")
        for kind, most in (("first", FIRST_LOAD), ("later", LATER_LOAD)):
            received.clear()
            page.goto(path, wait_until="networkidle")
            size = int(sum(received))
            worst[kind] = max(worst[kind], (size, path))
            if size > most:
                complaints.append(f"{path}: {kind} load {size:,} bytes, at most {most:,}")
    context.close()
    for kind, (size, path) in worst.items():
        print(f"{role}: largest {kind} load {size:,} bytes ({path})")
    return complaints
