"""The one way out over HTTP that is not boto3: to addresses people recorded, so it trusts none of them.

https, a host on the list, public addresses only, no redirects, size and time capped. A host of the own machine on the
list is a development's: http and loopback are let through for it, and `check --deploy` refuses it.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from clients.errors import AwsError

MOST_BYTES = 262_144
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NotAsked(AwsError):
    """Nothing was sent: the address is not one we go to."""

    code = "not_asked"


class Unreachable(AwsError):
    """No answer, or none that can be read."""

    code = "unreachable"


@dataclass(frozen=True)
class Answer:
    """`seconds`: from before the connection until the whole body was read."""

    status: int
    text: str
    seconds: float


def ask(url: str, *, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """GET, or POST of a form's body. Raises NotAsked, Unreachable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise NotAsked("The portal does not go to this address: nobody can read it.") from None
    host, is_own = _checked(parts.scheme, parts.hostname or "")
    kind = http.client.HTTPConnection if parts.scheme == "http" else http.client.HTTPSConnection
    began = time.monotonic()
    try:
        address = _address(host, parts.port or (80 if parts.scheme == "http" else 443), is_own)
        connection = kind(host, parts.port, timeout=settings.COGNITO_TIMEOUT_SECONDS)
        # To the address that was checked: asked a second time, a name may have another one.
        connection.sock = _socket(address, host, is_tls=parts.scheme == "https")
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST" if body is not None else "GET", target, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, _read(answer, began), time.monotonic() - began)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
        raise Unreachable(f"{host} did not answer as it should.", technical=type(error).__name__) from None


def _checked(scheme: str, host: str) -> tuple[str, bool]:
    """(the host, whether it is the own machine)."""
    entries = settings.OUTBOUND_HOSTS
    allowed = any(host == entry or (entry.startswith(".") and host.endswith(entry)) for entry in entries)
    is_own = host in LOOPBACK
    if not allowed or scheme not in (("https", "http") if is_own else ("https",)):
        raise NotAsked(
            f"The portal does not go to {host or 'this address'}: it is not https, or not in PORTAL_OUTBOUND_HOSTS.",
            technical=f"{scheme}://{host}",
        )
    return host, is_own


def _address(host: str, port: int, is_own: bool) -> tuple[str, int]:
    found = [entry[4][:2] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not is_own and not all(ipaddress.ip_address(address).is_global for address, _ in found):
        raise NotAsked(f"{host} leads to an address that is not public.", technical=host)
    return str(found[0][0]), int(found[0][1])


def _socket(address: tuple[str, int], host: str, *, is_tls: bool) -> socket.socket:
    plain = socket.create_connection(address, settings.COGNITO_TIMEOUT_SECONDS)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_tls else plain


def _read(answer: http.client.HTTPResponse, began: float) -> str:
    """Piece by piece, so that one who sends a byte a second does not hold us."""
    found = b""
    while piece := answer.read1(16_384):
        found += piece
        if len(found) > MOST_BYTES or time.monotonic() - began > 2 * settings.COGNITO_TIMEOUT_SECONDS:
            raise http.client.HTTPException("too long")
    return found.decode()
