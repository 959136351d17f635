"""Signing in through the organisation's own provider of identities, by OpenID Connect: staff only, and nobody signs up.

The library speaks the protocol (code flow, PKCE, state). What it would leave open is closed here: its parameters in the
address, its own matching of people, its trust in the connection instead of the signature, the token in the session.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import jwt
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import LoginView
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import DisallowedRedirect
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from clients.services import single_sign_on
from clients.services.single_sign_on import NotAdmitted
from clients.views.errors import method_not_allowed
from clients.views.fetching import View, person, signed_in

logger = logging.getLogger(__name__)
METADATA = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # every provider signs by the first of them unless told otherwise
SUBJECT = re.compile(r"[\x20-\x7e]{1,191}")  # OpenID Connect Core, section 2, and the library's column
# What happened, why, one thing to do. Each is told to somebody who proved their address, or tells nothing of anybody.
CASES = {
    "cancelled": (
        "You did not sign in",
        "The sign-in was cancelled at your organisation.",
        "Try again, or use your password.",
    ),
    "unfinished": (
        "This sign-in was not finished",
        "It took too long, was opened twice, or began in another browser.",
        "Begin once more on the sign-in page.",
    ),
    "again": (
        "This sign-in was not finished",
        "Something changed at this very moment.",
        "Try again.",
    ),
    "failed": (
        "Your organisation’s sign-in failed",
        "Its answer could not be used. Nothing was changed.",
        "Try again. If it stays, tell an administrator the reference below.",
    ),
    "unreachable": (
        "Your organisation’s sign-in cannot be reached",
        "It did not answer the portal.",
        "Try again in a minute, or use your password.",
    ),
    "unverified": (
        "Your address is not verified",
        "Your organisation does not vouch for your e-mail address, so the portal cannot tell who you are.",
        "Have the address verified there, then try again.",
    ),
    "uninvited": (
        "You have no account here",
        "People come by invitation, and none is open for your address.",
        "Ask an administrator of the portal to invite you.",
    ),
    "member": (
        "This way in is for staff",
        "Your account belongs to a customer’s organisation.",
        "Sign in with your e-mail address and your password.",
    ),
    "closed": (
        "This account is closed",
        "An administrator closed it.",
        "Ask an administrator of the portal if you still need it.",
    ),
    "other": (
        "Another sign-in is connected to your account",
        "Somebody else at your organisation, with the same address, signed in here before.",
        "Ask an administrator of the portal.",
    ),
}


def is_configured() -> bool:
    return all(settings.OIDC.values())


def refusal(request: HttpRequest, case: str, *, technical: str = "", status: int = 403) -> HttpResponse:
    """A calm page, and a line in the log that its reference leads to. Never into the trail: it is no place for a flood,
    and whoever is refused is nobody here."""
    reference = secrets.token_hex(4)
    logger.warning("reference %s: single sign-on: %s %s", reference, case, technical)
    title, why, act = CASES[case]
    context = {"title": title, "why": why, "act": act, "reference": reference}
    return render(request, "socialaccount/authentication_error.html", context, status=status)


# --- What the library is told ------------------------------------------------------------------------


class Flow(OpenIDConnectOAuth2Adapter):
    """One sign-in, from the provider's metadata to its claims."""

    @property
    def openid_config(self) -> dict[str, Any]:
        found = super().openid_config
        if not all(isinstance(found.get(name), str) for name in METADATA):
            raise ConnectionError("What answers at the issuer's address is no OpenID Connect provider.")
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """At the configured address, whatever the request calls its host: the provider compares it letter by letter."""
        return urljoin(settings.BASE_URL, reverse("openid_connect_callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        """By the ID token alone. The library would also ask the provider's userinfo, whose `email_verified` is a word
        with Cognito, and would not look at the signature, because the token came from the provider directly."""
        try:
            if jwt.get_unverified_header(kwargs["response"]["id_token"]).get("alg") not in ALGORITHMS:
                raise OAuth2Error("The ID token is signed by an algorithm that is not on the list.")
            claims = jwtkit.verify_and_decode(
                credential=kwargs["response"]["id_token"], keys_url=self.openid_config["jwks_uri"],
                issuer=self.openid_config["issuer"], audience=app.client_id, lookup_kid=jwtkit.lookup_kid_jwk,
            )  # fmt: skip
        except (LookupError, TypeError, ValueError, jwt.InvalidTokenError) as error:
            raise OAuth2Error(f"No usable ID token: {type(error).__name__}") from error
        if claims.get("azp", app.client_id) != app.client_id or not SUBJECT.fullmatch(str(claims.get("sub", ""))):
            raise OAuth2Error("The ID token is for somebody else, or names nobody.")
        # Of the claims it gets what it finds people by; the rest, which it would store or trip over, is read by us.
        login = self.get_provider().sociallogin_from_response(request, {"id_token": {"sub": claims["sub"]}})
        login.claims = claims
        return login


class StaffProvider(OpenIDConnectProvider):
    oauth2_adapter_class = Flow

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing: who somebody is stands in our own rows."""
        return {}


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Nobody signs up, and the one provider is that of the environment, not a row of the library's table."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> StaffProvider:
        if not is_configured():
            raise SocialApp.DoesNotExist
        issuer = settings.OIDC["ISSUER"]
        return StaffProvider(request, app=SocialApp(
            # A `sub` is unique at its issuer only, so people are connected to both.
            provider="openid_connect", provider_id=issuer, name=settings.OIDC["NAME"],
            client_id=settings.OIDC["CLIENT_ID"], secret=settings.OIDC["CLIENT_SECRET"],
            settings={"server_url": issuer.rstrip("/"), "fetch_userinfo": False},
        ))  # fmt: skip

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The library found somebody by `sub`, or nobody; who it is, we say. Its other processes, which connect an
        identity to whoever is signed in, are not begun by any page of ours."""
        state, claims = sociallogin.state, sociallogin.claims
        nonce = state.get("nonce")
        if state.get("process") != AuthProcess.LOGIN or not nonce or claims.get("nonce") != nonce:
            raise ImmediateHttpResponse(refusal(request, "unfinished"))
        try:
            identity = single_sign_on.read_claims(sociallogin.account.provider, claims)
            sociallogin.user = single_sign_on.admit(identity)
        except NotAdmitted as error:
            raise ImmediateHttpResponse(refusal(request, error.case)) from None
        sociallogin.token = None  # it would wait in the session while a second factor is asked for

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Our page instead of the library's. Of the exception its kind alone: its text may hold what was answered."""
        if error == AuthError.CANCELLED:
            raise ImmediateHttpResponse(refusal(request, "cancelled", status=200))
        if exception is None and "error" not in request.GET:
            raise ImmediateHttpResponse(refusal(request, "unfinished"))
        said = re.sub(r"[^a-z_]", "", request.GET.get("error", ""))[:40]
        technical = f"{type(exception).__name__ if exception else ''} {said}".strip()
        raise ImmediateHttpResponse(refusal(request, "failed", technical=technical, status=502))


# --- Pages -------------------------------------------------------------------------------------------


class Login(LoginView):
    """The library's page, with the name on the second button."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"single_sign_on": settings.OIDC["NAME"] if is_configured() else ""}


@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """To the provider. Of the request only where to go afterwards counts: the library would take the process, scopes
    and any parameter of the provider's from the address."""
    if not is_configured():
        raise Http404
    if request.method != "POST":
        return method_not_allowed(request, ("POST",))
    nonce, following = secrets.token_urlsafe(32), get_next_redirect_url(request)
    try:
        provider = get_adapter(request).get_provider(request, "openid_connect")
        answer = provider.redirect(request, AuthProcess.LOGIN, following, auth_params={"nonce": nonce}, nonce=nonce)
    except (OSError, DisallowedRedirect) as error:  # every error of `requests` is an OSError
        return refusal(request, "unreachable", technical=type(error).__name__, status=503)
    # A page, not a redirect: Chromium holds the answer to a form to `form-action` of our content security policy, and
    # so every address the provider sends on to would have to be listed there.
    onward = answer["Location"]
    response = render(request, "socialaccount/onward.html", {"onward": onward, "name": settings.OIDC["NAME"]})
    response["Refresh"] = f"0;url={onward}"
    return response


@never_cache
def callback(request: HttpRequest) -> HttpResponseBase:
    """Back from the provider, with a code."""
    if not is_configured():
        raise Http404
    if request.method != "GET":
        return method_not_allowed(request, ("GET",))
    try:
        return OAuth2CallbackView.adapter_view(Flow(request, settings.OIDC["ISSUER"]))(request)
    except OSError as error:
        return refusal(request, "unreachable", technical=type(error).__name__, status=503)


def first_factor(view: View, otherwise: View) -> Callable[..., HttpResponseBase]:
    """A page that enrols a second factor. Who came by single sign-on and has nothing to confirm with could never enrol
    one, and would be sent here for ever: to them, that sign-in is the confirmation while it is ten minutes fresh."""

    @signed_in("GET", "POST")
    def enrol(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = person(request)
        has_something = user.has_usable_password() or Authenticator.objects.filter(user=user).exists()
        return (otherwise if has_something or not _came_just_now(request) else view)(request, *args, **kwargs)

    return enrol


def _came_just_now(request: HttpRequest) -> bool:
    records = get_authentication_records(request, person(request))
    times = [record["at"] for record in records if record.get("method") == "socialaccount"]
    return any(0 <= time.time() - at < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT for at in times)
