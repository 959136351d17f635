"""Pages no address leads to: what a form answers. Each is walked to as a person would, by the administrator of the demo."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

Facts = dict[str, Any]
Walk = Callable[[Page, Facts], None]


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name).first.click()
    page.wait_for_load_state()


def beaten(page: Page, control: str, value: str) -> None:
    """Somebody else saves the same form meanwhile."""
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(f"main [name='{control}']").fill(value)
    for button in ("main form .btn.primary", "main button[name=save]"):  # some show a review first
        if other.locator(button).count():
            other.locator(button).last.click()
            other.wait_for_load_state()
    other.close()


def confirm(page: Page, facts: Facts) -> None:
    if page.get_by_label("Your password").count():
        page.get_by_label("Your password").fill(facts["logins"]["administrator"]["password"])
        press(page, "Confirm and go on")


def open_client(page: Page, tab: str, query: str = "tenant=acme-robotics&status=active") -> None:
    page.goto(f"/clients/?{query}")
    page.locator("main table th a").first.click()
    if tab:
        page.locator("main").get_by_role("link", name=re.compile(f"^{tab}")).first.click()
    page.wait_for_load_state()


def open_server(page: Page, link: str) -> None:
    page.goto("/scopes/")
    page.locator("main h2 a").first.click()
    page.locator("main").get_by_role("link", name=link, exact=False).first.click()
    page.wait_for_load_state()


def open_attribute(page: Page) -> None:
    page.goto("/attributes/")
    page.locator("main").get_by_role("link", name="rate_limit").first.click()
    page.wait_for_load_state()


# --- Reviews ---------------------------------------------------------------------------------------


def tenant_values_review(page: Page, facts: Facts) -> None:
    page.goto("/tenants/acme-robotics/values/")
    page.locator("[name='attribute:rate_limit']").fill("77")
    press(page, "Review changes")


def attribute_change_review(page: Page, facts: Facts) -> None:
    open_attribute(page)
    page.locator("main [name=default]").fill("77")
    press(page, "Review changes")


def attribute_define_review(page: Page, facts: Facts) -> None:
    page.goto("/attributes/new/")
    page.locator("main [name=claim_name]").fill("market")
    page.locator("main [name=default]").fill("EU")
    press(page, "Define attribute")


def scopes_review(page: Page, facts: Facts) -> None:
    open_client(page, "Scopes")
    box = page.locator("main input[name=scopes]:not([disabled])").last
    box.set_checked(not box.is_checked())
    press(page, "Review change")


def server_change_review(page: Page, facts: Facts) -> None:
    open_server(page, "Change scopes")
    page.locator("[name^='description:']").first.fill("Read everything about orders")
    press(page, "Review changes")


# --- Somebody was faster -----------------------------------------------------------------------------


def stale_settings(page: Page, facts: Facts) -> None:
    open_client(page, "Settings")
    page.get_by_label("Notes").fill("Calls twice an hour, from Rotterdam and Gdańsk")
    beaten(page, "validity_minutes", "45")
    press(page, "Save settings")


def stale_attributes(page: Page, facts: Facts) -> None:
    open_client(page, "Attributes")
    page.locator("main [name='attribute:rate_limit']").fill("78")
    beaten(page, "attribute:channel", "web")
    press(page, "Save attributes")


def stale_values(page: Page, facts: Facts) -> None:
    page.goto("/tenants/acme-robotics/values/")
    page.locator("[name='attribute:rate_limit']").fill("78")
    beaten(page, "attribute:channel", "web")
    press(page, "Review changes")


def stale_attribute(page: Page, facts: Facts) -> None:
    open_attribute(page)
    page.locator("main [name=default]").fill("78")
    beaten(page, "description", "Calls per minute, each client by itself")
    press(page, "Review changes")


def stale_server(page: Page, facts: Facts) -> None:
    open_server(page, "Change scopes")
    page.locator("[name^='description:']").first.fill("Read everything about orders")
    beaten(page, "name", "Orders of our customers")
    press(page, "Review changes")


# --- Refused ---------------------------------------------------------------------------------------


def refused_client(page: Page, facts: Facts) -> None:
    page.goto("/clients/new/?tenant=northwind")
    page.get_by_role("textbox", name="Name", exact=True).fill("orders & bills")
    press(page, "Create client")


def refused_tenant(page: Page, facts: Facts) -> None:
    page.goto("/tenants/new/")
    page.locator("main [name=name]").fill("Northwind")
    page.locator("form").evaluate_all("all => all.forEach(form => form.noValidate = true)")
    press(page, "Create tenant")


def refused_server(page: Page, facts: Facts) -> None:
    page.goto("/scopes/new/")
    page.get_by_label("Identifier").fill("or ders")
    page.locator("main [name=name]").fill("Orders")
    press(page, "Create resource server")


def refused_settings(page: Page, facts: Facts) -> None:
    open_client(page, "Settings")
    page.get_by_label("Access token valid for").fill("2")
    page.locator("form").evaluate_all("all => all.forEach(form => form.noValidate = true)")
    press(page, "Save settings")


def refused_person(page: Page, facts: Facts) -> None:
    page.goto("/people/invite/")
    page.get_by_label("Email").fill(facts["logins"]["support"]["email"])
    page.get_by_label("Role").select_option("support")
    press(page, "Invite")
    confirm(page, facts)


def secret_found(page: Page, facts: Facts) -> None:
    """One that is shown in this very browser and what is left of it when cut."""
    secret_shown(page, facts)
    value = page.locator("#sec .plain").text_content() or ""
    page.goto("/whose/")
    page.get_by_label("What you found").fill(f"CLIENT_SECRET={value}\n\n{value[:40]}\n")
    press(page, "Find its client")


def wrong_password(page: Page, facts: Facts) -> None:
    page.context.clear_cookies()
    page.goto("/account/login/")
    page.get_by_label("Email").fill(facts["logins"]["support"]["email"])
    page.get_by_label("Password", exact=True).fill("not this one")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()


# --- Who it is ---------------------------------------------------------------------------------------


def step_up(page: Page, facts: Facts) -> None:
    open_client(page, "Settings")
    page.get_by_role("link", name="Pause client").click()
    page.get_by_label("Reason").fill("To be seen in pictures")
    press(page, "Pause client")


def step_up_refused(page: Page, facts: Facts) -> None:
    step_up(page, facts)
    page.get_by_label("Your password").fill("not this one")
    press(page, "Confirm and go on")


def invitation(page: Page, facts: Facts) -> None:
    page.goto("/people/invite/")
    page.get_by_label("Email").fill("nora@example.com")
    page.get_by_label("Role").select_option("support")
    press(page, "Invite")
    confirm(page, facts)
    mails = sorted(Path(facts["var"]).glob("mail/*"), key=lambda file: file.stat().st_mtime)
    text = message_from_bytes(mails[-1].read_bytes(), policy=policy.default).get_body(("plain",)).get_content()
    page.context.clear_cookies()
    page.goto(re.search(r"https?://\S+/invitation/#\S+", text).group())


def recovery_codes(page: Page, facts: Facts) -> None:
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    page.goto("/account/second-factor/totp/activate/")
    confirm(page, facts)
    seed = re.sub(r"\s", "", page.locator("main dd.copyable .mono").first.inner_text())
    counter = next(iter(yield_hotp_counters_from_time()))
    page.locator("main input[name=code]").fill(format_hotp_value(hotp_value(seed, counter)))
    press(page, "Set up app")
    facts["recovery_codes"] = page.locator("main pre").inner_text().split()


def second_factor(page: Page, facts: Facts) -> None:
    """Where every sign-in stops from now on."""


def with_recovery_code(page: Page, facts: Facts) -> None:
    page.locator("main input[name=code]").fill(facts["recovery_codes"].pop())
    press(page, "Sign in")


def recovery_codes_anew(page: Page, facts: Facts) -> None:
    with_recovery_code(page, facts)
    page.goto("/account/second-factor/recovery-codes/generate/")


def own_factors(page: Page, facts: Facts) -> None:
    with_recovery_code(page, facts)
    page.goto("/account/second-factor/")


def app_removal(page: Page, facts: Facts) -> None:
    with_recovery_code(page, facts)
    page.goto("/account/second-factor/totp/deactivate/")
    confirm(page, facts)


def handover_form(page: Page, facts: Facts) -> None:
    open_client(page, "", "undelivered=on")
    page.locator("main").get_by_role("link", name="Hand over").first.click()
    page.wait_for_load_state()
    confirm(page, facts)


# --- Once ------------------------------------------------------------------------------------------


def secret_shown(page: Page, facts: Facts) -> None:
    open_client(page, "", "undelivered=on")
    page.locator("main").get_by_role("button", name="Show credentials").first.click()
    page.wait_for_load_state()
    confirm(page, facts)


def rotation_finish(page: Page, facts: Facts) -> None:
    open_client(page, "Secrets", "status=rotating")
    page.locator("main").get_by_role("link", name="Finish rotation").first.click()


def rotation_cancel(page: Page, facts: Facts) -> None:
    open_client(page, "Secrets", "status=rotating")
    page.locator("main").get_by_role("link", name="Cancel rotation").first.click()


def rotation_page(page: Page, facts: Facts) -> None:
    """An emergency, answered."""
    open_client(page, "Secrets", "q=shop-production")
    page.locator("main").get_by_role("link", name="It leaked").first.click()
    page.get_by_label("What happened").fill("It stood in a public repository")
    ending = page.locator("label[for=id_typed]").inner_text().split()[1]
    page.locator("#id_typed").fill(ending)
    press(page, "Revoke secret")
    confirm(page, facts)


def bulk_run(page: Page, facts: Facts) -> None:
    page.goto("/clients/rotate/?tenant=acme-robotics")
    page.get_by_label("Reason").fill("Once a year")
    press(page, "Rotate")
    confirm(page, facts)


# In this order: the last ones change what the others would meet.
ANSWERS: dict[str, Walk] = {
    walk.__name__.replace("_", "-"): walk
    for walk in (
        tenant_values_review, attribute_change_review, attribute_define_review, scopes_review, server_change_review,
        stale_settings, stale_attributes, stale_values, stale_attribute, stale_server,
        refused_client, refused_tenant, refused_server, refused_settings, refused_person,
        step_up, step_up_refused, handover_form, secret_shown, secret_found, rotation_finish, rotation_cancel, rotation_page,
        bulk_run,
        wrong_password, invitation, recovery_codes, second_factor, recovery_codes_anew, own_factors, app_removal,
    )
}  # fmt: skip
