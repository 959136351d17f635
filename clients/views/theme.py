"""Light, dark, or as the system says; kept in a cookie so that the server prints it and nothing flashes."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

NEXT = {"": "dark", "dark": "light", "light": ""}
YEAR = 365 * 24 * 3600


def current_theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get(settings.THEME_COOKIE_NAME, "")
    return theme if theme in NEXT else ""


@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    # A path only: redirect() takes a word without a slash for the name of a route, and fails on an unknown one.
    if not target.startswith("/") or not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    response = redirect(target)
    theme = request.POST.get("theme", "")
    if theme in ("light", "dark"):
        response.set_cookie(
            settings.THEME_COOKIE_NAME, theme, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SECURE
        )
    else:
        response.delete_cookie(settings.THEME_COOKIE_NAME, samesite="Lax")
    return response
