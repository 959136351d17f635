"""Colours of the system, as in Windows' high contrast: what is current or chosen is still told from the rest."""

import pytest

from clients.models import AppClient
from tests.journeys.steps import create_client, faults, sign_in

pytestmark = pytest.mark.browser
# The lines around it: outlines, and borders that can be seen.
LINES = """at => {
  const s = getComputedStyle(at), sides = ["top", "right", "bottom", "left"];
  return ["outline", ...sides.map((side) => `border-${side}`)]
    .map((line) => `${line} ${s.getPropertyValue(`${line}-style`)} ${s.getPropertyValue(`${line}-width`)}`)
    .filter((line) => !/ none | 0px/.test(line)).join(", ");
}"""


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], ids=["forced"], indirect=True)
def test_current_and_chosen_are_told_from_the_rest_by_a_line(live_harbourline, page):
    sign_in(page)
    create_client(page)
    page.goto(f"/clients/{AppClient.objects.get().public_id}/scopes/")
    looks = {"nav": (".side .nav-link[aria-current]", ".side .nav-link:not([aria-current])"),
             "tab": (".tabs [aria-current]", ".tabs a:not([aria-current])")}  # fmt: skip
    lines = {name: [page.locator(one).first.evaluate(LINES) for one in both] for name, both in looks.items()}
    assert faults(page) == []
    page.goto("/clients/new/?tenant=northwind")
    segments = (".seg label:has(:checked)", ".seg label:not(:has(:checked))")
    lines["segment"] = [page.locator(one).first.evaluate(LINES) for one in segments]
    page.goto("/clients/")
    page.get_by_label("Choose northwind-orders-prod").check()
    lines["row"] = [page.locator(one).first.evaluate(LINES) for one in (".clients tbody tr", ".clients thead tr")]
    for name, (chosen, other) in lines.items():
        assert chosen and chosen != other and "3px" in chosen, (name, chosen, other)
