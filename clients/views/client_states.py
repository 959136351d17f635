"""Pausing, resuming and deleting a client: a page that says what will happen, then one button that names it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.client_states import ReasonForm, TypedForm
from clients.forms.errors import add_refusals, keep_typed
from clients.models import AppClient, Operation
from clients.services.client_states import DELETE, PAUSE, RESUME, delete_client, pause_client, resume_client, why_not
from clients.views.checklist import drift_in_words
from clients.views.client_page import client_page
from clients.views.fetching import Predicate, get_app_client, person, signed_in
from clients.views.outcome import say_outcome, status_of
from clients.views.step_up import step_up


@dataclass(frozen=True)
class Act:
    may: Predicate
    kind: str
    do: Callable[..., Operation]
    button: str
    done: str
    after: str = "client-overview"
    is_final: bool = False
    is_risky: bool = True


ACTS = {
    "pause": Act(permissions.can_pause_client, PAUSE, pause_client, "Pause client", "The client is paused."),
    "resume": Act(permissions.can_resume_client, RESUME, resume_client, "Resume client", "The client is active again.",
                  is_risky=False),
    "delete": Act(permissions.can_delete_client, DELETE, delete_client, "Delete client", "The client is deleted.",
                  after="client-list", is_final=True),
}  # fmt: skip


@signed_in("GET", "POST")
def client_pause(request: HttpRequest, public_id: str) -> HttpResponse:
    return _act(request, public_id, "pause")


@signed_in("GET", "POST")
def client_resume(request: HttpRequest, public_id: str) -> HttpResponse:
    return _act(request, public_id, "resume")


@signed_in("GET", "POST")
def client_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    return _act(request, public_id, "delete")


def _act(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    act = ACTS[name]
    app_client = get_app_client(request, public_id, act.may)
    posted = request.POST if request.method == "POST" else None
    form = TypedForm(posted, wanted=app_client.name) if act.is_final else ReasonForm(posted)
    if posted is None or not form.is_valid():
        return _page(request, app_client, name, form, status=422 if posted is not None else 200)
    if act.is_risky and (asked := step_up(request, back=request.path)):
        return asked
    said: dict[str, Any] = {key: form.cleaned_data[key] for key in ("operation_id", "reason")}
    try:
        operation = act.do(app_client, actor=person(request), **said)
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, app_client, name, form, status=422)
    except PortalError as error:
        keep_typed(form, error)
        app_client.refresh_from_db()
        return _page(request, app_client, name, form, status=status_of(error))
    say_outcome(request, operation, act.done)
    return redirect(act.after) if act.is_final else redirect(act.after, app_client.public_id)


def _page(request: HttpRequest, app_client: AppClient, name: str, form: ReasonForm, *, status: int) -> HttpResponse:
    context = {
        "act": name, "button": ACTS[name].button, "here": ACTS[name].button, "form": form,
        "minutes": app_client.token_minutes, "is_final": ACTS[name].is_final,
        "why_not": why_not(app_client, ACTS[name].kind),
        "changed": drift_in_words(app_client) if name == "resume" and app_client.drift else "",
    }  # fmt: skip
    return client_page(request, app_client, "state", context, status=status)
