"""Doors of the app that every request passes."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from clients.services import audit


class RememberOrigin:
    """Audit entries written during this request carry its address and agent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        agent = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())
        with audit.coming_from(request.META.get("REMOTE_ADDR", ""), agent):
            return self.get_response(request)
