"""One secret, many hands at once: 64 people press "Show credentials" on the same link over HTTP, through several server
processes, and one of them is shown it."""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from clients.models import AuditEntry, Handover, Secret, SecretState
from clients.services import handovers
from clients.services.secrets import seal_new_secret
from tests.prove.processes import database_url

SERVERS, HANDS = 3, 64
LINKS = max(100 // int(os.environ.get("PROVE_SHARE", "1")), 5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def servers(application="portal.wsgi"):
    """Ports of server processes of their own on the database of this test."""
    ports = [free_port() for _ in range(SERVERS)]
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    # Without our configuration, which refuses to serve a sandbox.
    command = [sys.executable, "-m", "gunicorn", "-c", os.devnull, application, "--threads", "8", "--bind"]
    running = [
        subprocess.Popen([*command, f"127.0.0.1:{port}"], env=environment, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        for port in ports
    ]  # fmt: skip
    try:
        for port in ports:
            wait_for(port)
        yield ports
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def wait_for(port):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if ask(port, "GET", "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("a server did not come up")


def ask(port, method, path, sent=None, cookie=""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Cookie": cookie} | ({"Content-Type": "application/x-www-form-urlencoded"} if sent else {})
    try:
        connection.request(method, path, urlencode(sent) if sent else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("Set-Cookie", "")
    finally:
        connection.close()


def form_of(port):
    """(token, cookie) as the page of the link gives them."""
    _, page, cookie = ask(port, "GET", "/hand-over/")
    return re.search(r'csrfmiddlewaretoken" value="(\w+)"', page).group(1), cookie.split(";")[0]


def rush(ports, token, cookie, code, pins=None):
    """What 64 are answered who press at the same moment: (status, whether a secret is in it, whether it says used)."""
    ready, found = threading.Barrier(HANDS), []

    def press(number):
        sent = {"csrfmiddlewaretoken": token, "code": code, "show": "1"}
        sent |= {"pin": pins[number]} if pins else {}
        ready.wait()
        status, page, _ = ask(ports[number % len(ports)], "POST", "/hand-over/", sent, cookie)
        found.append((status, bool(re.search(r"cps_\w{20}", page)), "already used" in page))

    threads = [threading.Thread(target=press, args=(number,)) for number in range(HANDS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def links(world):
    """Codes of as many links, each of a secret of its own."""
    app_client, actor = world.create(), world.people["operator"]
    Secret.objects.update(sealed_value=None, sealing_key_id="")
    for _ in range(LINKS):
        yield handovers.offer_by_link(a_secret(app_client, actor), hours=24, with_pin=False, actor=actor).token


def a_secret(app_client, actor):
    secret = seal_new_secret(app_client, actor=actor)
    secret.state = SecretState.NEW
    secret.save(force_insert=True)
    return secret


def test_of_many_who_press_at_once_one_is_shown_the_secret(lasting_world):
    codes = list(links(lasting_world))
    with servers() as ports:
        token, cookie = form_of(ports[0])
        found = [Counter(rush(ports, token, cookie, code)) for code in codes]

    assert len(codes) == LINKS
    for answers in found:
        shown = {answer: count for answer, count in answers.items() if answer[1]}
        assert shown == {(200, True, False): 1}, answers
        polite = {answer: count for answer, count in answers.items() if not answer[1]}
        assert set(polite) <= {(200, False, True), (409, False, True)} and sum(polite.values()) == HANDS - 1, answers
    assert Handover.objects.filter(shown_at__isnull=False).count() == LINKS
    assert AuditEntry.objects.filter(action="secret:show").count() == LINKS
    assert not Secret.objects.filter(sealed_value__isnull=False).exists()


def test_a_naive_consumption_is_found_out(lasting_world):
    """The planted defect: look, then spend. The same rush, through servers that have it."""
    code = next(links(lasting_world))
    with servers("tests.prove.naive_wsgi") as ports:
        token, cookie = form_of(ports[0])
        found = rush(ports, token, cookie, code)
    assert sum(is_shown for _, is_shown, _ in found) > 1, Counter(found)


def test_of_many_who_guess_a_pin_at_once_five_are_compared(lasting_world):
    secret = a_secret(lasting_world.create(), lasting_world.people["operator"])
    offer = handovers.offer_by_link(secret, hours=24, with_pin=True, actor=lasting_world.people["operator"])
    pins = [f"{(int(offer.pin) + step) % 10**6:06d}" for step in range(1, HANDS + 1)]
    with servers() as ports:
        token, cookie = form_of(ports[0])
        found = Counter(status for status, *_ in rush(ports, token, cookie, offer.token, pins))
        late = rush(ports, token, cookie, offer.token, [offer.pin] * HANDS)
    row = Handover.objects.get()
    assert (row.pin_tries, bool(row.closed_at), row.shown_at) == (5, True, None)
    assert AuditEntry.objects.filter(action="handover:wrong_pin").count() == 5
    assert set(found) <= {200, 409, 422} and found[422] == 5, found
    assert not any(is_shown for _, is_shown, _ in late), "the right one comes too late"


AGENTS = (
    "Slackbot-LinkExpanding 1.0",
    "facebookexternalhit/1.1",
    "Microsoft Outlook",
    "BarracudaCentral",
    "Googlebot/2.1",
)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_thousand_openings_by_machines_spend_nothing(lasting_world, client, method):
    code = next(links(lasting_world))
    for number in range(500):
        where = f"/hand-over/?code={code}&show=1"
        answer = client.generic(method, where, headers={"user-agent": AGENTS[number % len(AGENTS)]})
        assert answer.status_code == 200
    row = Handover.objects.get(token_hash=handovers.hash_of(code))
    assert row.opened_at is None and row.secret.can_be_shown
    assert "cps_" in client.post("/hand-over/", {"code": code, "show": "1"}).content.decode()
