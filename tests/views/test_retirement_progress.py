"""How far a retirement is, and who waits: the same count from its first page to its last."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from clients.models import Operation, ResourceServer, Retirement
from clients.services import retirements
from clients.services.operations import resume_due


@pytest.fixture(autouse=True)
def operator(world, client):
    client.force_login(world.people["operator"])


def retire(world, names=("write",)):
    orders = ResourceServer.objects.get(identifier="orders")
    said = {"actor": world.people["operator"], "scope_names": list(names), "reason": "nobody writes"}
    return retirements.start_retirement(orders, **said)


def release(world, going):
    retirements.release_holders(going, actor=world.people["operator"], typed=retirements.to_be_typed(going))


def shown(client, going):
    """As a person reads it: without tags, one space between words."""
    page = client.get(reverse("retirement-page", args=[going.public_id])).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def work():
    Retirement.objects.update(next_try_at=timezone.now())
    Operation.objects.live().update(next_try_at=timezone.now())
    return resume_due() + retirements.advance_due()


def make(world, count, scopes):
    for n in range(count):
        world.create(name=f"{'only' if len(scopes) == 1 else 'both'}-{n}", scopes=scopes)


def test_retirement_counts_the_same_clients_while_a_release_is_in_flight(client, world):
    make(world, 3, ["orders/read", "orders/write"])
    going = retire(world)
    release(world, going)
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    said = []
    for _ in range(12):
        said += re.findall(r"released (\d of \d)", shown(client, going))
        work()
    assert said[0] == "0 of 3" and said[-1] == "3 of 3" and len(set(said)) > 2
    assert said == sorted(said) and {line[-1] for line in said} == {"3"}


def test_retirement_says_before_it_begins_how_many_are_released_and_who_waits(client, world):
    make(world, 2, ["orders/read", "orders/write"])
    make(world, 3, ["orders/write"])
    page = shown(client, retire(world))
    assert "Release 2 clients; 3 wait" in page and "and remove" not in page
    assert "3 wait, as no scope would be left to them: only-0, only-1, only-2." in page


def test_retirement_that_can_release_nobody_says_so(client, world):
    make(world, 1, ["orders/write"])
    page = shown(client, retire(world))
    assert "Release as soon as possible" in page and "Release 0" not in page
    assert "1 waits, as no scope would be left to it: only-0." in page


def test_retirement_names_all_that_wait_and_counts_them(client, world):
    make(world, 3, ["orders/write"])
    make(world, 1, ["orders/read", "orders/write"])
    going = retire(world)
    release(world, going)
    while work():
        pass
    page = shown(client, going)
    assert "3 clients wait only-0, only-1, only-2: no scope would be left." in page
    assert "released 1 of 4" in page
