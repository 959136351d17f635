"""A leaked secret, answered on one page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals, keep_typed
from clients.forms.rotations import RevokeForm
from clients.models import RotationState, Secret, Status
from clients.services.revocations import revoke_secret
from clients.templatetags.portal import living
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, get_secret, person, signed_in
from clients.views.outcome import status_of
from clients.views.step_up import step_up


@signed_in("GET", "POST")
def secret_revoke(request: HttpRequest, public_id: str, secret_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_revoke_secret)
    secret = get_secret(app_client, secret_id)
    form = RevokeForm(request.POST if request.method == "POST" else None, secret=secret)
    if request.method != "POST" or not form.is_valid():
        return _page(request, secret, form)
    if asked := step_up(request, back=request.path):
        return asked
    said = {key: form.cleaned_data[key] for key in ("operation_id", "reason", "typed", "stop_now")}
    try:
        rotation = revoke_secret(secret, actor=person(request), **said)
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, secret, form)
    except PortalError as error:
        keep_typed(form, error)
        return _page(request, get_secret(app_client, secret_id), form, status=status_of(error))
    if rotation.state == RotationState.FINISHED:
        messages.success(request, f"The secret ending {secret.ending} is gone.")
    else:
        messages.warning(request, "It has begun and goes on by itself. This page says how far it is.")
    return redirect("rotation-page", rotation.public_id)


def _page(request: HttpRequest, secret: Secret, form: RevokeForm, *, status: int | None = None) -> HttpResponse:
    others = [held for held in living(secret.app_client) if held.pk != secret.pk]
    context = {
        "form": form, "secret": secret, "others": others, "is_other_held": any(held.delivered_at for held in others),
        "minutes": secret.app_client.token_minutes,
        "is_paused": secret.app_client.status == Status.PAUSED,
    }  # fmt: skip
    return client_page(request, secret.app_client, "revoke", context, status=status or (422 if form.is_bound else 200))
