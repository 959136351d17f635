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


def standard_error(one, other):
    return (statistics.variance(one) / len(one) + statistics.variance(other) / len(other)) ** 0.5


def welch(one, other):
    return abs(statistics.fmean(one) - statistics.fmean(other)) / standard_error(one, other)


def calm(samples):
    """Without the slowest tenth: what the machine did meanwhile tells nothing of the answer."""
    return sorted(samples)[: -len(samples) // 10]


def asked(codes, slower=None, seconds=0.0):
    """Calm seconds of the two kinds, asked for in a random order, so that whatever slows the machine slows both."""
    browser, found = Client(), {kind: [] for kind in codes}
    turns = [kind for kind in codes for _ in range(TIMES)]
    random.Random(7).shuffle(turns)  # noqa: S311
    for kind in turns:
        code = codes[kind]()
        began = time.perf_counter()
        answer = browser.post("/hand-over/", {"code": code, "show": "1", "pin": "000000"})
        if slower == kind:
            time.sleep(seconds)
        found[kind].append(time.perf_counter() - began)
        assert answer.status_code == 404
    return [calm(samples) for samples in found.values()]


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

    found = asked(codes)
    assert welch(*found) < MOST

    # Half a millisecond at least; on a machine that is busy with other things, what stands out of its own noise there.
    planted = max(0.0005, 12 * standard_error(*found))
    print(f"t {welch(*found):.2f} of {TIMES} each; planted {planted * 1000:.2f} ms")
    assert welch(*asked(codes, slower="near", seconds=planted)) > MOST, "what was planted is found"
