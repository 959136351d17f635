"""Without its code a link that exists is answered as fast as one that does not: nobody learns by a clock how near they
came."""

import os
import random
import statistics
import time

from django.core.cache import cache
from django.test import Client

from clients.services import handovers

TIMES = max(5_000 // int(os.environ.get("PROVE_SHARE", "1")), 500)
MOST = 4.5  # Welch's t, as in the literature on leaks by time


def welch(one, other):
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return abs(statistics.fmean(one) - statistics.fmean(other)) / spread**0.5


def calm(samples):
    """Without the slowest hundredth: what the machine did meanwhile tells nothing of the answer."""
    return sorted(samples)[: -len(samples) // 100]


def asked(codes, slower=None):
    """Seconds of each of the kinds, asked for in a random order, so that whatever slows the machine slows both."""
    browser, found = Client(), {kind: [] for kind in codes}
    turns = [kind for kind in codes for _ in range(TIMES)]
    random.Random(7).shuffle(turns)  # noqa: S311
    for kind in turns:
        code = codes[kind]()
        began = time.perf_counter()
        answer = browser.post("/hand-over/", {"code": code, "show": "1", "pin": "000000"})
        if slower == kind:
            time.sleep(0.0005)
        found[kind].append(time.perf_counter() - began)
        assert answer.status_code == 404
    return welch(*(calm(samples) for samples in found.values()))


def codes_near(offer):
    """One letter away from the code of a link that exists, and of one that never was."""
    never = handovers.random.token_urlsafe(32)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return {
        "near": lambda: offer.token[:-1] + random.choice([c for c in letters if c != offer.token[-1]]),  # noqa: S311
        "far": lambda: never[:-1] + random.choice(letters),  # noqa: S311
    }


def test_time_tells_nothing_of_a_link_without_its_code(world, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}  # nobody waits
    cache.clear()
    secret = world.create().secrets.get()
    offer = handovers.offer_by_link(secret, hours=24, with_pin=True, actor=world.people["operator"])
    codes = codes_near(offer)

    assert asked(codes) < MOST
    assert asked(codes, slower="near") > MOST, "a planted half a millisecond is found"
