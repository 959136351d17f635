"""Whether "/" alone goes to the search; kept in a cookie, so that the server draws the hint where the key works.

A key without Ctrl or Alt can be turned off (WCAG 2.2, 2.1.4): who speaks to the computer says it without meaning it.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from clients.views.theme import YEAR

OFF = "off"


def has_shortcut(request: HttpRequest) -> bool:
    return request.COOKIES.get(settings.SHORTCUT_COOKIE_NAME) != OFF


@require_POST
def shortcut_set(request: HttpRequest) -> HttpResponse:
    response = redirect("mfa_index")
    if request.POST.get("shortcut") == OFF:
        response.set_cookie(
            settings.SHORTCUT_COOKIE_NAME, OFF, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SECURE
        )
    else:
        response.delete_cookie(settings.SHORTCUT_COOKIE_NAME, samesite="Lax")
    return response
