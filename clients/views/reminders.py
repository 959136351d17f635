"""Postponing the reminders of a secret's end, or doing without them."""

from datetime import UTC, datetime, time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals, keep_typed
from clients.forms.rotations import PostponeForm
from clients.services.reminders import postpone
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, person, signed_in
from clients.views.outcome import status_of


@signed_in("GET", "POST")
def client_reminders(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_postpone_reminders)
    form = PostponeForm(request.POST if request.method == "POST" else None)
    status = 422
    if form.is_bound and form.is_valid():
        until = form.cleaned_data["until"]
        moment = datetime.combine(until, time(), tzinfo=UTC) if until else None
        try:
            postpone(app_client, until=moment, reason=form.cleaned_data["reason"], actor=person(request))
        except InvalidInput as error:
            add_refusals(form, error)
        except PortalError as error:
            keep_typed(form, error)
            status = status_of(error)
        else:
            said = f"Nobody is reminded before {until:%-d %b %Y}." if until else "Nobody is reminded of this end again."
            messages.success(request, said)
            return redirect("client-secrets", public_id)
    return client_page(request, app_client, "reminders", {"form": form}, status=status if form.errors else 200)
