"""Every route, method and role against one table read by people; a route the table lacks is red."""

import csv
from pathlib import Path

import pytest

from clients.urls import urlpatterns

WITHOUT = ("stranger", "anonymous")
TABLE = list(csv.DictReader((Path(__file__).parent / "routes.csv").read_text().splitlines()))
ROLES = [column for column in TABLE[0] if column not in ("route", "method")]


@pytest.mark.parametrize("role", ROLES)
def test_routes_answer_as_the_table_says(world, client, app_client, address, stranger, role):
    if role != "anonymous":
        client.force_login(stranger if role == "stranger" else world.people[role])
    got = {
        (row["route"], row["method"]): client.generic(row["method"], address(row["route"])).status_code for row in TABLE
    }
    wanted = {(row["route"], row["method"]): int(row[role]) for row in TABLE}
    assert got == wanted


def test_routes_of_the_table_are_all_routes():
    assert {row["route"] for row in TABLE} == {pattern.name for pattern in urlpatterns}


def test_anonymous_is_sent_to_sign_in(client, address):
    assert client.get(address("client-overview"))["Location"].startswith("/account/login/?next=")


def test_sign_up_is_closed(client, db):
    answer = client.post("/account/signup/", {"email": "new@example.org", "password1": "correct horse battery staple"})
    assert b"come by invitation" in answer.content
