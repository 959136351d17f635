"""Staff sign in with a second factor: who has none is led to enrol one before anything else."""

from collections.abc import Callable

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from clients.models import User

# What has to work on the way there: enrolling, one's own password, signing out, and what is no page.
OPEN = ("/account/", "/theme/", "/healthz", "/static/", "/invitation/")


class RequireSecondFactor:
    """Asked of the database only while the session does not say that one was used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.REQUIRE_SECOND_FACTOR and not request.path.startswith(OPEN) and _has_none(request):
            messages.info(request, "Your role needs a second factor. Set one up, then everything else opens.")
            return redirect(reverse("mfa_index"))
        return self.get_response(request)


def _has_none(request: HttpRequest) -> bool:
    user = request.user
    if not isinstance(user, User) or not user.is_staff_member:
        return False
    # A provider may ask everybody for a second factor. Its token need not say so, hence it is believed by setting only.
    # For risky acts it never counts: the step-up asks for something this portal can check itself.
    counting = ("mfa", "socialaccount") if settings.OIDC_IS_SECOND_FACTOR else ("mfa",)
    if any(record.get("method") in counting for record in get_authentication_records(request, user)):
        return False
    return not Authenticator.objects.filter(user=user, type__in=("totp", "webauthn")).exists()
