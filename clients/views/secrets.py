"""Secrets of one client: the two slots, and the one time a value is shown."""

from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from clients import permissions
from clients.errors import PortalError
from clients.models import Secret, Status
from clients.services.evidence import mark_stored
from clients.services.secrets import reveal_secret
from clients.snippets.context import kit_context
from clients.snippets.kit import kit_file_name, render_curl, render_env
from clients.templatetags.portal import living
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, get_secret, person, signed_in
from clients.views.outcome import refused
from clients.views.rotations import rotation_context, rotation_under_way
from clients.views.step_up import step_up


@signed_in("GET")
def client_secrets(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    held = living(app_client)
    user = person(request)
    rotation = rotation_under_way(app_client, user)
    context = {
        "held": held, "pair": [*held, None, None][:2], "may_show": permissions.can_show_secret(user),
        "may_rotate": permissions.can_rotate_secret(user) and app_client.status == Status.ACTIVE,
        "may_postpone": permissions.can_postpone_reminders(user),
        "may_revoke": permissions.can_revoke_secret(user) and app_client.client_id is not None,
    }  # fmt: skip
    return client_page(request, app_client, "secrets", context | rotation_context(rotation, user))


@sensitive_variables()
@signed_in("POST")
def secret_show(request: HttpRequest, public_id: str, secret_id: str) -> HttpResponse:
    """The panel is the answer to this POST itself: there is no address where a value could be seen again."""
    app_client = get_app_client(request, public_id, permissions.can_show_secret)
    secret = get_secret(app_client, secret_id)
    if asked := step_up(request, back=reverse("client-secrets", args=[public_id])):
        return asked
    stored = reverse("secret-stored", args=[public_id, secret_id])
    try:
        reveal_panel(request, secret, "", stored)  # whatever is wrong with it shows before the one reveal is spent
        value = reveal_secret(secret, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=reverse("client-secrets", args=[public_id]))
    return reveal_panel(request, secret, value.reveal(), stored)


@sensitive_variables()
def reveal_panel(request: HttpRequest, secret: Secret, value: str, stored: str, *, code: str = "") -> HttpResponse:
    """The answer that shows it, whoever it is for. `stored`: where "I've stored it" goes; with a link's `code` it is
    the link's own page."""
    template = "clients/handover_shown.html" if code else "clients/secret_show.html"
    shown = {
        "stored_url": stored, "code": code, "organisation": settings.ORGANISATION,
        "may_get_token": not code and permissions.can_get_token(person(request)),
    }  # fmt: skip
    response = render(request, template, _panel(secret, value) | shown)
    response["Cache-Control"] = "no-store"
    response["Content-Encoding"] = "identity"  # never compressed: the length must not tell anything about a secret
    return response


@sensitive_variables()
def _panel(secret: Secret, value: str) -> dict[str, object]:
    app_client = secret.app_client
    kit = kit_context(app_client, secret.ending)
    return {
        "nav": "clients", "app_client": app_client, "secret": secret, "value": value,
        "masked": f"{'•' * 24}{secret.ending}",
        "env": _data_link(render_env(kit, value)),
        "kit": _data_link(render_curl(kit, secret=value)),
        "kit_name": kit_file_name(app_client.name, contains_secret=True),
    }  # fmt: skip


def _data_link(text: str) -> str:
    """A download that is already in the answer: nothing is asked twice."""
    return f"data:application/octet-stream;charset=utf-8,{quote(text)}"


@signed_in("POST")
def secret_stored(request: HttpRequest, public_id: str, secret_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_show_secret)
    secret, user = get_secret(app_client, secret_id), person(request)
    if secret.delivered_to_id == user.pk:  # of what somebody else was shown only they know it
        mark_stored(secret, actor=user)
    return redirect("client-overview", public_id)
