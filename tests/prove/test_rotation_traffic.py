"""A customer who asks for tokens all the time through fifty rotations; and how soon a leaked secret is refused."""

import base64
import json
import os
import random
import statistics
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from django.db import connection
from django.urls import reverse

from clients.models import AppClient, BulkRun, Rotation, Secret
from clients.models.ids import new_ulid
from clients.services import bulk_rotations, evidence, operations, rotations, rotations_due, secrets
from tests.conftest import ConfirmedClient

SHARE = int(os.environ.get("PROVE_SHARE", "1"))
ROTATIONS = max(50 // SHARE, 5)
STOPS = max(100 // SHARE, 10)
REFUSED = 400
OVERLAPS = (0.5, 4.0)  # seconds from the delivery to the finishing, by chance
OFTEN = 20.0  # tokens a second, or half of what the sandbox gives at rest


def ask(url, client_id, value):
    """The status of a token request, as a customer's server makes it; 0 when there is no answer."""
    basic = base64.b64encode(f"{client_id}:{value}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            json.load(answer)
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Customer(threading.Thread):
    """Asks at this pace with the secret it has now; how each was answered."""

    def __init__(self, url, client_id, value, pace):
        super().__init__(daemon=True)
        self.url, self.client_id, self.value, self.pause = url, client_id, value, 1 / pace
        self.over, self.answers = threading.Event(), []

    def run(self):
        following = time.monotonic()
        while not self.over.is_set():
            self.answers.append(ask(self.url, self.client_id, self.value))
            following = max(following + self.pause, time.monotonic())
            self.over.wait(max(following - time.monotonic(), 0))

    def end(self):
        self.over.set()
        self.join(timeout=20)
        return [status for status in self.answers if status != 200]


def sustained(url, client_id, value):
    """Tokens a second at rest, one after the other."""
    began, count = time.monotonic(), 0
    while time.monotonic() - began < 2:
        assert ask(url, client_id, value) == 200
        count += 1
    return count / 2


@pytest.fixture
def customer(lasting_world):
    world = lasting_world
    app_client = world.create()
    value = secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"]).reveal()
    url = world.pool.token_url
    most = sustained(url, app_client.client_id, value)
    pace = min(OFTEN, most / 2)
    print(f"{most:.0f} tokens a second at rest, asked for {pace:.0f} a second")
    found = Customer(url, app_client.client_id, value, pace)
    found.start()
    yield found
    found.over.set()


def rotate(world, customer, chance, *, carelessly=False):
    """Start, deliver, the customer switches at some moment of the overlap, says so, and at its end it is finished; how
    far into it they switched. `carelessly`: retired at once."""
    operator, app_client = world.people["operator"], AppClient.objects.select_related("pool", "tenant").get()
    rotations.start_rotation(app_client, actor=operator, operation_id=new_ulid(), overlap_hours=24)
    rotation = Rotation.objects.select_related("app_client__pool", "old_secret", "new_secret").order_by("-pk")[0]
    new = Secret.objects.select_related("app_client").get(pk=rotation.new_secret_id)
    value = secrets.reveal_secret(new, actor=operator).reveal()
    lasts = chance.uniform(*OVERLAPS)
    moment = chance.uniform(0, lasts)
    said = {"actor": operator, "operation_id": new_ulid()}
    if carelessly:
        rotations.finish_rotation(rotation, typed=rotation.old_secret.ending, reason="in a hurry", **said)
        time.sleep(0.3)
        customer.value = value
        return 0.0
    time.sleep(moment)
    customer.value = value
    evidence.mark_stored(new, actor=world.people["manager"])
    time.sleep(max(lasts - moment, customer.pause))  # at least what it had begun to ask with the old one
    rotation.refresh_from_db()
    rotations.finish_rotation(rotation, **said)
    return moment / lasts


def test_fifty_rotations_lose_no_token(lasting_world, customer):
    seed = int(os.environ.get("PROVE_TRAFFIC") or random.randrange(10**6))
    print(f"PROVE_TRAFFIC={seed}")
    chance = random.Random(seed)
    switched = [rotate(lasting_world, customer, chance) for _ in range(ROTATIONS)]
    assert customer.end() == [] and len(customer.answers) > ROTATIONS
    assert Rotation.objects.filter(state="finished").count() == ROTATIONS
    shares = f"switched {min(switched):.0%} to {max(switched):.0%} into the overlap"
    print(f"{len(customer.answers)} tokens through {ROTATIONS} rotations, {shares}")


def test_control_retiring_at_once_does(lasting_world, customer):
    for _ in range(3):
        rotate(lasting_world, customer, random.Random(1), carelessly=True)
    assert REFUSED in customer.end()


# --- An emergency while everything else goes on ------------------------------------------------------


class Bulk(threading.Thread):
    """A worker that starts rotations of many clients all the time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.begun = threading.Event(), 0

    def run(self):
        while not self.over.is_set():
            self.begun += bulk_rotations.advance_due() + operations.resume_due() + rotations_due.advance_due()
            self.over.wait(0.01)
        connection.close()


def until_refused(world, app_client, value):
    """Seconds from the click to the first refusal of the leaked secret."""
    leaked = Secret.objects.select_related("app_client__pool").get(app_client=app_client, delivered_at__isnull=False)
    typed = {"operation_id": new_ulid(), "typed": leaked.ending, "reason": "published", "stop_now": "on"}
    browser = ConfirmedClient()
    browser.force_login(world.people["support"])
    refused_at = []

    def watch():
        while not refused_at:
            if ask(world.pool.token_url, app_client.client_id, value) == REFUSED:
                refused_at.append(time.monotonic())
            time.sleep(0.02)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    clicked = time.monotonic()
    answer = browser.post(reverse("secret-revoke", args=[app_client.public_id, leaked.public_id]), typed)
    assert answer.status_code == 302, answer.content.decode()
    watching.join(timeout=60)
    return refused_at[0] - clicked if refused_at else 60.0


def test_stop_now_is_felt_within_five_seconds(lasting_world, settings):
    """A third of all calls throttled, and a bulk run going on at the pace Cognito allows."""
    world = lasting_world
    leaking = [world.create(name=f"leak-{number}") for number in range(STOPS)]
    values = [secrets.reveal_secret(each.secrets.get(), actor=world.people["operator"]).reveal() for each in leaking]
    many = [world.create(name=f"bulk-{number}") for number in range(STOPS)]
    settings.COGNITO_WRITES_PER_SECOND = 4.5
    said = {"overlap_hours": 24, "reason": "yearly", "run_id": new_ulid()}
    bulk_rotations.start_run(many, actor=world.people["operator"], **said)
    bulk = Bulk()
    world.sandbox.settings(throttled_share=1 / 3)
    bulk.start()
    try:
        took = [until_refused(world, *pair) for pair in zip(leaking, values, strict=True)]
        is_going = BulkRun.objects.filter(finished_at=None).exists()
    finally:
        world.sandbox.settings(throttled_share=0)
        bulk.over.set()
        bulk.join(timeout=60)
    ordered = sorted(took)
    worst = ordered[max(round(0.99 * len(ordered)) - 1, 0)]
    print(f"stop now: median {statistics.median(took):.2f} s, p99 {worst:.2f} s of {len(took)}; bulk {bulk.begun}")
    assert worst <= 5.0 and bulk.begun > 0 and is_going, "and the bulk run went on until the last of them"
