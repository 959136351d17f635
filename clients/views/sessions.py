"""How long a session lasts, and what is left in the browser after it: nothing."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from clients.errors import scrubbed
from clients.models import User
from clients.services.sign_in import record_sign_out

BEGAN, SEEN = "began_at", "seen_at"  # seconds since 1970, kept in the session
STEP = 60  # seconds between two notes of being there: not every request writes


class Sessions:
    """Idle and absolute limits; a sign-out clears what the browser keeps of the portal's pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        was = request.user if isinstance(request.user, User) else None
        over = _over(request) if was else ""
        response = _end(request, over) if over else self.get_response(request)
        if was and not request.user.is_authenticated:
            response["Clear-Site-Data"] = '"cache", "storage"'
        return response


def _over(request: HttpRequest) -> str:
    """Why this session is over; empty while it lasts."""
    now = int(timezone.now().timestamp())
    began, seen = (request.session.get(name, now) for name in (BEGAN, SEEN))
    if now - began > settings.SESSION_HOURS * 3600:
        return f"You were signed out: a session lasts {settings.SESSION_HOURS} hours at most."
    if now - seen > settings.SESSION_IDLE_MINUTES * 60:
        return f"You were signed out after {settings.SESSION_IDLE_MINUTES} minutes without a click."
    if now - request.session.get(SEEN, 0) >= STEP:
        request.session[BEGAN], request.session[SEEN] = began, now
    return ""


def _end(request: HttpRequest, why: str) -> HttpResponse:
    """To the page they were on after the next sign-in; what a form was to do is not done."""
    if isinstance(request.user, User):
        record_sign_out(request.user)
    logout(request)
    messages.info(request, why)
    return redirect_to_login(scrubbed(request.get_full_path()) if request.method == "GET" else "/")
