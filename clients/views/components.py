"""Every component in all its states on one page, in both themes: for whoever builds pages, in development only."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from clients import permissions
from clients.models import AppClient, Operation, OperationState, Secret, SecretState, Status
from clients.views.fetching import need, person, signed_in


class Samples(forms.Form):
    title = "Fields, "
    text = forms.CharField(help_text="With a hint.")
    choice = forms.ChoiceField(choices=[("a", "The first"), ("b", "The second")], required=False)
    words = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)
    tick = forms.BooleanField(required=False, label="A box to tick", help_text="With what it means.")


class Wrong(Samples):
    """Sent with nothing typed."""

    title = "Fields with errors, "


THEMES = ("light", "dark")


@signed_in("GET")
def component_list(request: HttpRequest) -> HttpResponse:
    need(person(request), permissions.can_view_tenants)
    if not (settings.DEBUG or settings.DEMO):
        raise Http404
    now = timezone.now()
    context: dict[str, Any] = {
        "themes": [(theme, [Samples(prefix=theme), Wrong({"text": ""}, prefix=f"{theme}-wrong")]) for theme in THEMES],
        "lifetimes": ("90 days", "180 days", "No end"),
        "statuses": [_client(status) for status in Status],
        "flags": [*(_client(Status.ACTIVE, expires_at=now + timedelta(days=days)) for days in (9, -3)), *_flagged()],
        "slots": [_secrets(*states) for states in ((), ("current",), ("current", "new"), ("retiring", "current"))],
        "lives": [_aged(*days) for days in ((12, 90), (80, 90), (95, 90), (40, None))],
        "operations": [Operation(state=state) for state in OperationState], "moments": [now, now - timedelta(days=3)],
        "curve": [3, 5, 2, 8, 6, 9, 4], "tones": ("", "ok", "warn", "bad", "move"),
    }  # fmt: skip
    return render(request, "clients/component_list.html", context)


def _flagged() -> list[AppClient]:
    undelivered = _client(Status.ACTIVE)
    undelivered._prefetched_objects_cache = {"secrets": [Secret(state="current")]}  # type: ignore[attr-defined]
    return [_client(Status.ACTIVE, drift=["scopes"]), undelivered, _client(Status.ACTIVE, document_version=2)]


def _client(status: Status, **fields: Any) -> AppClient:
    return AppClient(pk=-1, status=status, client_id="sample", **fields)  # a row nobody has: it holds no secrets


def _aged(days: int, whole: int | None) -> Secret:
    made = timezone.now() - timedelta(days=days)
    ends = made + timedelta(days=whole) if whole else None
    return Secret(state=SecretState.CURRENT, ending="7Kq2", created_at=made, expires_at=ends)


def _secrets(*states: str) -> list[Secret]:
    return [Secret(state=SecretState(state), ending="7Kq2") for state in states]
