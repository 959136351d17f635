"""Step-up: before a risky act one says again who one is, unless that was less than ten minutes ago."""

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core.internal import ratelimit
from allauth.mfa.base.forms import ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from clients.forms.second_factor import PasskeyConfirmForm
from clients.models import User
from clients.views.fetching import View, person, signed_in

PASSWORD, CODE, CREDENTIAL, OPENING = "confirm_password", "confirm_code", "confirm_credential", "confirm_opening"
OURS = ("csrfmiddlewaretoken", PASSWORD, CODE, CREDENTIAL, OPENING)


class ConfirmForm(forms.Form):
    """One of what this person has: the password, a code of the app or a recovery code, a passkey."""

    confirm_password = forms.CharField(
        label="Your password", strip=False, max_length=4096, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    confirm_code = forms.CharField(
        label="Or a code", max_length=64, required=False, help_text="From your authenticator app, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, types: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields[PASSWORD]
        if "totp" not in types:
            del self.fields[CODE]

    def clean_confirm_password(self) -> str:
        password = str(self.cleaned_data[PASSWORD])
        if password and not get_adapter().reauthenticate(self.user, password):
            raise forms.ValidationError("This is not your password. Nothing was done.")
        return password

    def clean_confirm_code(self) -> ReauthenticateForm | None:
        code = str(self.cleaned_data[CODE]).replace(" ", "")
        answer = ReauthenticateForm({"code": code}, user=self.user)
        if code and not answer.is_valid():
            raise forms.ValidationError("This code does not fit, or it was used before. Nothing was done.")
        return answer if code else None

    def record(self, request: HttpRequest) -> bool:
        """Whether something of it proves who it is; then the session remembers."""
        if answer := self.cleaned_data.get(CODE):
            answer.save()
        elif self.cleaned_data.get(PASSWORD):
            record_authentication(request, self.user, method="password", reauthenticated=True)
        else:
            self.add_error(None, "Nothing was typed. Nothing was done.")
            return False
        return True


def is_fresh(request: HttpRequest) -> bool:
    """Confirmed, or signed in with a second factor, within the last ten minutes. A password at sign-in alone does not
    count: whoever finds an open browser has that as well."""
    records = get_authentication_records(request, person(request))
    counting = [record["at"] for record in records if record.get("reauthenticated") or record.get("method") == "mfa"]
    return any(0 <= time.time() - at < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT for at in counting)


def step_up(request: HttpRequest, *, back: str) -> HttpResponse | None:
    """None when the person may go on; else the page to answer with, which sends the same form again, confirmed: nothing
    has to be typed twice, and no form waits in a session. `back`: where *Not now* leads. The permission comes first.

    Who has nothing to confirm with, because they came by single sign-on, is sent to enrol it and never let through.
    """
    request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]  # what Django's decorator sets
    if is_fresh(request):
        return None
    user = person(request)
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    if not user.has_usable_password() and not types & {"totp", "webauthn"}:
        return render(request, "clients/step_up_impossible.html", {"nav": "", "back": back}, status=403)
    is_answer = request.method == "POST" and bool({PASSWORD, CODE, CREDENTIAL} & request.POST.keys())
    if is_answer and (limited := _too_often(request)):
        return limited
    form = ConfirmForm(request.POST if is_answer else None, user=user, types=types)
    if is_answer and (_is_passkey(request, form) or form.is_valid() and form.record(request)):
        return redirect(request.get_full_path()) if OPENING in request.POST else None
    return _page(request, form, back, types, status=422 if is_answer else 200)


def confirmed(view: View) -> View:
    """For a page of the sign-in library, opened or sent."""

    @signed_in("GET", "POST")
    def stepped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return step_up(request, back=reverse("mfa_index")) or view(request, *args, **kwargs)

    return stepped


def _page(request: HttpRequest, form: ConfirmForm, back: str, types: set[str], *, status: int) -> HttpResponse:
    carried = [(name, value) for name, values in request.POST.lists() for value in values if name not in OURS]
    carried += [(OPENING, "1")] if request.method != "POST" or OPENING in request.POST else []
    context = {"nav": "", "form": form, "carried": carried, "back": back, "has_passkey": "webauthn" in types}
    if context["has_passkey"]:
        context["js_data"] = {"request_options": begin_authentication(form.user)}
    return render(request, "clients/step_up.html", context, status=status)


def _is_passkey(request: HttpRequest, form: ConfirmForm) -> bool:
    """Whether a passkey's answer came, and fits."""
    if not request.POST.get(CREDENTIAL):
        return False
    answer = PasskeyConfirmForm({"credential": request.POST[CREDENTIAL]}, user=form.user)
    if answer.is_valid():
        answer.save()
        return True
    form.full_clean()
    form.add_error(None, "This passkey is not one of yours. Nothing was done.")
    return False


def _too_often(request: HttpRequest) -> HttpResponse | None:
    """Ten tries a minute and person."""
    return ratelimit.consume_or_429(request, app="allauth.account", action="reauthenticate", user=request.user)
