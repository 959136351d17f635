"""What a customer runs: the curl kit, shown and downloaded, never with the secret."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from clients import permissions
from clients.errors import NotReady
from clients.models import AppClient
from clients.snippets.context import kit_context
from clients.snippets.kit import kit_file_name, kit_version, render_curl
from clients.views.client_page import client_page, current_ending
from clients.views.fetching import get_app_client, signed_in
from clients.views.outcome import refused


def _ready(request: HttpRequest, public_id: str) -> AppClient:
    app_client = get_app_client(request, public_id, permissions.can_get_snippets)
    if not app_client.client_id:
        raise Http404("No snippet before Cognito has made the client ID.")
    return app_client


@signed_in("GET")
def client_snippets(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = _ready(request, public_id)
    try:
        kit = kit_context(app_client, current_ending(app_client))
    except NotReady as error:
        return refused(request, error, back=reverse("client-overview", args=[public_id]))
    context = {
        "text": render_curl(kit), "version": kit_version(kit), "kit": kit,
        "file_name": kit_file_name(app_client.name, contains_secret=False),
        "minutes": app_client.access_token_seconds // 60,
    }  # fmt: skip
    return client_page(request, app_client, "snippets", context)


@signed_in("GET")
def snippet_curl(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = _ready(request, public_id)
    try:
        text = render_curl(kit_context(app_client, current_ending(app_client)))
    except NotReady as error:
        return refused(request, error, back=reverse("client-overview", args=[public_id]))
    name = kit_file_name(app_client.name, contains_secret=False)
    response = HttpResponse(text, content_type="text/x-shellscript; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
