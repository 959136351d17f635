"""The hand-over both ways, as the sender and the customer live it: phone and desktop, light and dark, keyboard alone."""

import re

import pytest
from django.core import mail

from clients.models import AppClient, Handover, HandoverState, Role, Secret, Tenant, User
from clients.services import handovers
from tests.journeys.browser import ARGUMENTS, CHROMIUM
from tests.journeys.steps import confirm, create_client, is_fit, sign_in
from tests.support import PASSWORD

pytestmark = pytest.mark.browser
LOOKS = [(width, theme) for width in (1440, 320) for theme in ("light", "dark")]


def is_fit_everywhere(page):
    """On a desktop and on a phone, light and dark."""
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # no colour in between
        is_fit(page)


def is_printed_without_secret(page):
    """Also while it is shown on the screen."""
    page.get_by_role("button", name="Show", exact=True).click()
    assert re.search(r"cps_\w{40,}", page.inner_text("body"))
    page.emulate_media(media="print")
    sheet = page.inner_text("body")
    assert AppClient.objects.get().client_id in sheet and not re.search(r"cps_\w{40,}", sheet)
    page.emulate_media(media="screen")


def offered(with_pin=True):
    secret = Secret.objects.select_related("app_client__tenant").get()
    return handovers.offer_by_link(secret, hours=24, with_pin=with_pin, actor=User.objects.get(name="Olga"))


def test_by_a_link_with_a_pin(live_harbourline, page, another):
    sign_in(page)
    create_client(page)
    page.get_by_role("link", name="Hand over").first.click()
    is_fit_everywhere(page)
    page.locator("input[name=to][value=link]").check()
    page.get_by_role("button", name="Hand over").click()
    confirm(page)
    page.get_by_role("heading", name="For the customer").wait_for()
    is_fit_everywhere(page)
    link, pin = page.locator("#link").inner_text(), page.locator("#pin").inner_text()
    page.get_by_role("link", name="Watch it arrive").click()
    is_fit_everywhere(page)

    another.goto(re.search(r"/hand-over/#\S+", link).group())
    another.get_by_role("heading", name="sent you API credentials").wait_for()
    assert "#" not in another.url
    is_fit_everywhere(another)
    another.get_by_label("PIN").fill(pin)
    another.get_by_role("button", name="Show credentials").click()
    another.get_by_role("heading", name="Save this secret now").wait_for()
    is_fit_everywhere(another)
    assert re.search(r"cps_\w{40,}", another.content())
    is_printed_without_secret(another)
    another.get_by_role("button", name="I’ve stored it").click()
    another.get_by_text("Stored. That is all").wait_for()
    is_fit_everywhere(another)
    page.reload()
    assert "Stored" in page.locator("h1").inner_text()
    is_fit_everywhere(page)


def dora():
    tenant = Tenant.objects.get(slug="northwind")
    return User.objects.create_user("dora@northwind.example", PASSWORD, role=Role.DEVELOPER, tenant=tenant, name="Dora")


def test_to_a_member_by_name(live_harbourline, page):
    member = dora()
    sign_in(page)
    create_client(page)
    handovers.offer_to_member(Secret.objects.get(), member, hours=24, actor=User.objects.get(name="Olga"))
    page.context.clear_cookies()
    page.goto(f"/clients/{AppClient.objects.get().public_id}/")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Show credentials").click()
    confirm(page)
    page.get_by_role("heading", name="Save this secret now").wait_for()
    is_fit_everywhere(page)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    with page.expect_popup() as token:
        page.get_by_role("button", name="Get a token").click()
    token.value.close()
    asks = "(() => { const left = new Event('beforeunload', {cancelable: true}); dispatchEvent(left); return left.defaultPrevented })()"
    assert page.evaluate(asks), "the only copy is still here"
    page.get_by_role("button", name="I’ve stored it").click()
    page.get_by_role("heading", name="northwind-orders-prod").wait_for()
    assert asked == []
    is_fit_everywhere(page)
    assert Handover.objects.get().state == HandoverState.STORED and Secret.objects.get().delivered_to == member


def test_keyboard_alone_opens_and_shows_it(live_harbourline, page, another):
    sign_in(page)
    create_client(page)
    offer = offered()
    another.goto(f"/hand-over/#{offer.token}")
    another.get_by_role("heading", name="sent you API credentials").wait_for()
    press_until(another, lambda focus: focus == "pin")
    another.keyboard.type(offer.pin)
    another.keyboard.press("Tab")
    another.keyboard.press("Enter")
    another.get_by_role("heading", name="Save this secret now").wait_for()
    press_until(another, lambda focus: focus == "stored it")
    another.keyboard.press("Space")
    another.get_by_text("Stored. That is all").wait_for()


def test_sender_and_member_need_a_keyboard_alone(live_harbourline, page, another):
    member = dora()
    sign_in(page)
    create_client(page)
    page.goto(f"/clients/{AppClient.objects.get().public_id}/")
    press_until(page, lambda focus: focus == "Hand over")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Hand over").wait_for()
    press_until(page, lambda focus: focus == "to")
    choose_by_keyboard(page, f"member:{member.pk}")
    press_until(page, lambda focus: focus == "Hand over")
    page.keyboard.press("Enter")
    confirm_by_keyboard(page)
    page.get_by_text("To Dora").wait_for()

    another.goto(f"/clients/{AppClient.objects.get().public_id}/")
    press_until(another, lambda focus: focus == "login")
    another.keyboard.type(member.email)
    press_until(another, lambda focus: focus == "password")
    another.keyboard.type(PASSWORD)
    another.keyboard.press("Enter")
    another.get_by_role("button", name="Show credentials").wait_for()
    press_until(another, lambda focus: focus == "Show credentials")
    another.keyboard.press("Enter")
    confirm_by_keyboard(another)
    another.get_by_role("heading", name="Save this secret now").wait_for()
    press_until(another, lambda focus: focus == "stored it")
    another.keyboard.press("Space")
    another.get_by_role("heading", name="northwind-orders-prod").wait_for()
    assert Handover.objects.get().state == HandoverState.STORED and Secret.objects.get().delivered_to == member


def choose_by_keyboard(page, value):
    for _ in range(5):
        if page.evaluate("document.activeElement.value") == value:
            return page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
    raise AssertionError("the arrows never came there")


def confirm_by_keyboard(page):
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    press_until(page, lambda focus: focus == "confirm_password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def press_until(page, is_there):
    """Tab by Tab; what has the focus is named by its field or the end of its words."""
    for _ in range(30):
        page.keyboard.press("Tab")
        focus = page.evaluate("(document.activeElement.name || document.activeElement.textContent.trim())")
        if is_there(focus) or focus.endswith("stored it") and is_there("stored it"):
            return
    raise AssertionError("the keyboard never came there")


def test_loading_the_page_with_a_script_spends_nothing_then_a_click_works(live_harbourline, page, another):
    sign_in(page)
    create_client(page)
    offer = offered(with_pin=False)
    for _ in range(3):
        another.goto("about:blank")
        another.goto(f"/hand-over/#{offer.token}")
        another.get_by_role("button", name="Show credentials").wait_for()
        another.wait_for_timeout(300)
    assert Secret.objects.get().can_be_shown and Handover.objects.get().state == HandoverState.OPENED
    another.get_by_role("button", name="Show credentials").click()
    another.get_by_role("heading", name="Save this secret now").wait_for()


def test_after_going_on_nothing_of_it_is_left_in_the_browser(live_harbourline, page, another):
    sign_in(page)
    create_client(page)
    offer = offered(with_pin=False)
    another.goto(f"/hand-over/#{offer.token}")
    another.get_by_role("button", name="Show credentials").click()
    another.get_by_role("heading", name="Save this secret now").wait_for()
    value = re.search(r"cps_\w{40,}", another.content()).group()
    asked = []
    another.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    another.locator("#sec").click()  # browsers ask only on pages somebody has touched
    another.goto("/hand-over/")
    assert asked == ["beforeunload"], "leaving without saying stored is asked about"
    try:
        another.go_back()
    except Exception as error:
        assert "ERR_CACHE_MISS" in str(error)
    another.wait_for_timeout(500)
    assert value not in another.content() and offer.token not in another.evaluate(
        "location.href + JSON.stringify(history.state)"
    )


def test_without_a_script_the_code_is_taken_by_hand(live_harbourline, page, chromium, live_server):
    sign_in(page)
    create_client(page)
    offer = offered()
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"/hand-over/#{offer.token}")
    plain.get_by_label("Code").fill(f"{live_server.url}/hand-over/#{offer.token}")
    plain.get_by_role("button", name="Open").click()
    plain.get_by_label("PIN").fill(offer.pin)
    plain.get_by_role("button", name="Show credentials").click()
    plain.get_by_text("Show the client secret").click()
    assert re.search(r"cps_\w{40,}", plain.locator("details output").inner_text())
    plain.get_by_role("button", name="I’ve stored it").click()
    plain.get_by_text("Stored. That is all").wait_for()
    context.close()
    assert mail.outbox == []


def test_closed_browser_has_nothing_of_it_on_its_disk(live_harbourline, page, chromium, live_server, tmp_path):
    """A profile of its own, closed after the secret was shown. The link itself stands in the history, as every address
    that was opened does; it opens nothing any more, and shows that what is searched is where a browser keeps things."""
    sign_in(page)
    create_client(page)
    offer = offered(with_pin=False)
    profile = chromium.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=ARGUMENTS, base_url=live_server.url
    )
    theirs = profile.pages[0]
    theirs.goto(f"/hand-over/#{offer.token}")
    theirs.get_by_role("button", name="Show credentials").click()
    theirs.get_by_role("heading", name="Save this secret now").wait_for()
    value = re.search(r"cps_\w{40,}", theirs.content()).group()
    theirs.get_by_role("button", name="I’ve stored it").click()
    theirs.get_by_text("Stored. That is all").wait_for()
    profile.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert offer.token.encode() in kept
    assert value.encode() not in kept and value.encode("utf-16-le") not in kept
