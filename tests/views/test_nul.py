"""A NUL in any field of any page: PostgreSQL takes none, so it is refused or left out before a query."""

from html.parser import HTMLParser

import pytest

from clients.models import AppClient
from clients.models.ids import new_ulid
from tests.views.test_permissions import TABLE

NUL = "a\x00b"
# Read by views, and not always a field of the page that sends them.
ASKED = ("q", "after", "view", "template", "tenant", "pool", "server", "scope", "contact", "status")
SENT = ("next", "pool", "scopes", "identifier", "generation", "token", "theme")
FRAME = ("q", "theme")  # of the frame around every page; each is sent where it belongs
METHODS = {(row["route"], row["method"]) for row in TABLE}


class Fields(HTMLParser):
    """Names and values a browser would send from the page; of choices the one selected, else the first that says something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self.select = ""

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "option" and self.select and ("selected" in told or not self.found[self.select]):
            self.found[self.select] = told.get("value") or ""
        elif tag == "button" and told.get("name"):
            self.buttons[told["name"]] = told.get("value") or ""
        elif tag in ("input", "textarea", "select") and told.get("name"):
            self.found.setdefault(told["name"], told.get("value") or "")
            self.select = told["name"] if tag == "select" else ""


@pytest.mark.parametrize("route", sorted({route for route, _ in METHODS}))
def test_no_field_of_a_page_lets_a_nul_into_a_query(world, client, address, route):
    client.force_login(world.people["administrator"])
    where, fields = address(route), Fields()
    page = client.get(where, {"tenant": "northwind", "pool": "prod"}, follow=True)
    if not page.streaming:
        fields.feed(page.content.decode())
    if route.startswith("account_") or route == "invitation-accept":
        client.logout()
    assert client.get(where, dict.fromkeys(ASKED, NUL)).status_code < 500
    if (route, "POST") not in METHODS:
        return
    filled = {name: value or "x" for name, value in fields.found.items() if name not in FRAME}
    for name in {*filled, *SENT}:
        for button in ({}, *({name: value} for name, value in fields.buttons.items() if name not in FRAME)):
            sent = filled | button | {name: NUL, "operation_id": new_ulid()}
            assert client.post(where, sent).status_code < 500, (name, button)


def test_reading_a_page_finds_the_fields_of_create(world, client, operator):
    fields = Fields()
    fields.feed(client.get("/clients/new/", {"tenant": "northwind", "pool": "prod"}).content.decode())
    assert {"tenant", "pool", "name", "scopes", "attribute:rate_limit", "operation_id"} <= set(fields.found)
    assert fields.found["tenant"] == "northwind"


@pytest.mark.parametrize("target", ["x", "account_login", "//evil.example/", "https://evil.example/", ""])
def test_theme_goes_home_when_told_anything_but_a_path(client, db, target):
    assert client.post("/theme/", {"next": target, "theme": "dark"})["Location"] == "/"


@pytest.mark.parametrize("scope", [NUL, "orders/\x1fread", "orders/re ad", "\u00fc/read"])
def test_a_scope_cognito_cannot_have_is_refused_with_a_sentence(world, client, operator, scope):
    sent = {"tenant": "northwind", "pool": "prod", "name": "n", "secret_lifetime": "180", "validity_minutes": "60",
            "operation_id": new_ulid(), "scopes": ["orders/read", scope]}  # fmt: skip
    answer = client.post("/clients/new/", sent)
    assert answer.status_code == 422 and "is no scope" in answer.content.decode()
    assert not AppClient.objects.exists()
