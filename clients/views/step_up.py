"""Step-up: before a risky act one says again who one is, unless that was less than ten minutes ago."""

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core.internal import ratelimit
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clients.models import User
from clients.views.fetching import person

PASSWORD = "confirm_password"
OURS = ("csrfmiddlewaretoken", PASSWORD)


class ConfirmForm(forms.Form):
    confirm_password = forms.CharField(
        label="Your password", strip=False, max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
        error_messages={"required": "Type your password to go on."},
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_confirm_password(self) -> str:
        password = str(self.cleaned_data[PASSWORD])
        if not get_adapter().reauthenticate(self.user, password):
            raise forms.ValidationError("This is not your password. Nothing was done.")
        return password


def is_fresh(request: HttpRequest) -> bool:
    """Confirmed, or signed in with a second factor, within the last ten minutes. A password at sign-in alone does not
    count: whoever finds an open browser has that as well."""
    records = get_authentication_records(request, person(request))
    counting = [record["at"] for record in records if record.get("reauthenticated") or record.get("method") == "mfa"]
    return any(0 <= time.time() - at < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT for at in counting)


def step_up(request: HttpRequest, *, back: str) -> HttpResponse | None:
    """None when the person may go on; else the page to answer with, which sends the same form again, confirmed: nothing
    has to be typed twice, and no form waits in a session. `back`: where *Not now* leads. For POST, after the
    permission was checked."""
    request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]  # what Django's decorator sets
    if is_fresh(request):
        return None
    user, is_answer = person(request), PASSWORD in request.POST
    if is_answer and (limited := _too_often(request)):
        return limited
    form = ConfirmForm(request.POST if is_answer else None, user=user)
    if is_answer and form.is_valid():
        record_authentication(request, user, method="password", reauthenticated=True)
        return None
    carried = [(name, value) for name, values in request.POST.lists() for value in values if name not in OURS]
    context = {"nav": "", "form": form, "carried": carried, "back": back}
    return render(request, "clients/step_up.html", context, status=422 if is_answer else 200)


def _too_often(request: HttpRequest) -> HttpResponse | None:
    """Ten tries a minute and person; the answer is allauth's own page for it."""
    return ratelimit.consume_or_429(request, app="allauth.account", action="reauthenticate", user=request.user)
