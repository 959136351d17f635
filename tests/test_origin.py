"""Whose address counts: behind proxies of ours the one they saw, never one the caller wrote."""

import pytest
from django.test import RequestFactory

from clients.middleware import client_address
from clients.models import AuditEntry
from clients.services import people

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", PROXY),
        (0, "203.0.113.9", PROXY),  # nobody we trust wrote it
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9,garbage , 198.51.100.7 ", "198.51.100.7"),
        (2, "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (2, "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (2, "198.51.100.7", PROXY),  # came past the outer proxy: what it wrote is not known
        (1, "", PROXY),
        (1, "198.51.100.7, garbage", PROXY),
        (1, "198.51.100.7,", PROXY),
        (1, "' OR 1=1 --", PROXY),
        (1, "1.2.3.4\x00", PROXY),
        (1, "fe80::1%eth0", PROXY),  # no database column holds a zone
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
        (1, "198.51.100.7:5678", "198.51.100.7"),
        (1, "[2001:db8::1]:5678", "2001:db8::1"),
        (1, "[2001:db8::1", PROXY),
    ],
)
def test_address_is_counted_from_the_right(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_address_of_a_socket_is_empty(settings):
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="")) == ""


def test_audit_entry_carries_the_address_the_proxy_saw(client, db, settings):
    settings.TRUSTED_PROXIES = 1
    token = people.invite("ada@portal.example", "administrator", actor=None)
    sent = {"token": token, "name": "Ada", "password": "a long enough passphrase"}
    client.post("/invitation/", sent, HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.7", REMOTE_ADDR=PROXY)
    assert AuditEntry.objects.get(action="person:accept").origin.address == "198.51.100.7"


def test_wrong_sign_ins_are_counted_for_the_address_the_proxy_saw(client, db, settings):
    """A caller who writes another address into every request is still one caller; the next one is not blocked."""
    settings.TRUSTED_PROXIES = 1

    def wrong(number, forwarded):
        sent = {"login": f"p{number}@portal.example", "password": "wrong"}
        return client.post("/account/login/", sent, HTTP_X_FORWARDED_FOR=forwarded, REMOTE_ADDR=PROXY)

    answers = [wrong(n, f"203.0.113.{n}, 198.51.100.7") for n in range(12)]

    assert b"Too many" in answers[-1].content and b"Too many" not in answers[0].content
    assert b"Too many" not in wrong(99, "203.0.113.1, 198.51.100.8").content
