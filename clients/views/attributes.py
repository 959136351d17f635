"""A client's attributes: what comes from its tenant, and where it differs."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput
from clients.forms.app_clients import ChangeForm
from clients.forms.attributes import AttributeLine, as_text, attribute_lines, mark_problems, overrides_typed
from clients.models import AppClient, OperationState
from clients.services import claims
from clients.services.attributes import change_attributes
from clients.views.client_page import client_conflict, client_page
from clients.views.errors import bad_request
from clients.views.fetching import get_app_client, need, person, signed_in


@signed_in("GET", "POST")
def client_attributes(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    stored = claims.overrides_of(app_client)
    if request.method == "GET" or request.method == "HEAD":
        form = ChangeForm(initial={"generation": app_client.generation})
        return _editor(request, app_client, form, attribute_lines(app_client.pool, app_client.tenant, overrides=stored))
    need(person(request), permissions.can_change_attributes)
    form = ChangeForm(request.POST)
    lines = attribute_lines(app_client.pool, app_client.tenant, overrides=stored, typed=request.POST)
    if not form.is_valid():
        return bad_request(request)
    if "preview" in request.POST or "edit" in request.POST:
        return _editor(request, app_client, form, lines)
    return _save(request, app_client, form, lines)


def _editor(
    request: HttpRequest, app_client: AppClient, form: ChangeForm, lines: list[AttributeLine], *, status: int = 200
) -> HttpResponse:
    scopes = list(app_client.scopes.values_list("full_name", flat=True))
    preview = claims.preview(
        app_client.pool, app_client.tenant, overrides_typed(lines), scopes=scopes, app_client=app_client,
        access_token_seconds=app_client.access_token_seconds,
    )  # fmt: skip
    mark_problems(lines, preview.problems)
    context = {
        "form": form, "lines": lines, "preview": preview, "why_not": claims.why_not_in_token(app_client),
        "missing": preview.missing, "is_refused": status == 422,
        "may_change": permissions.can_change_attributes(person(request)) and app_client.is_changeable
        and any(not line.is_fixed for line in lines),
    }  # fmt: skip
    return client_page(request, app_client, "attributes", context, status=status)


def _save(request: HttpRequest, app_client: AppClient, form: ChangeForm, lines: list[AttributeLine]) -> HttpResponse:
    wanted = overrides_typed(lines)
    try:
        operation = change_attributes(app_client, actor=person(request), values=wanted, **form.cleaned_data)
    except InvalidInput:
        return _editor(request, app_client, form, lines, status=422)
    except Conflict as error:
        now = claims.overrides_of(app_client)
        return client_conflict(request, app_client, error, "client-attributes", wanted=_told(wanted), now=_told(now))
    app_client.refresh_from_db()
    if operation.state == OperationState.DONE and (why := claims.why_not_in_token(app_client)):
        messages.warning(request, f"The attributes are saved. {why}")
    elif operation.state == OperationState.DONE:
        messages.success(request, "The attributes are saved and published. They take effect with the next token.")
    else:
        messages.warning(request, f"The attributes are saved here and not published yet. {operation.last_error}")
    return redirect("client-attributes", app_client.public_id)


def _told(values: dict[str, Any]) -> dict[str, str]:
    return {claim_name: as_text(value) for claim_name, value in values.items()}
