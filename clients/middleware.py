"""Doors of the app that every request passes."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from clients.services import audit


class RememberOrigin:
    """Audit entries written during this request carry its address and agent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        agent = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())
        with audit.coming_from(client_address(request), agent):
            return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The caller's address as our own outermost proxy saw it; without proxies, or where what they wrote makes no
    sense, that of the connection; empty for a local socket.

    Each proxy appends whom it was called by, so only the last elements are theirs: the rest is the caller's own word.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    seen = ""
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded):
        seen = _address(forwarded[-settings.TRUSTED_PROXIES].strip())
    return seen or _address(request.META.get("REMOTE_ADDR", ""))


def _address(text: str) -> str:
    """An address in its one spelling, also from `address:port`; empty when it is none."""
    for candidate in (text, _without_port(text)):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address):
            return "" if address.scope_id else str(address.ipv4_mapped or address)
        return str(address)
    return ""


def _without_port(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""
