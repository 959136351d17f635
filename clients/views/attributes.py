"""A client's attributes: what comes from its tenant, and where it differs."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput
from clients.forms.app_clients import AttributesForm
from clients.forms.attributes import mark_problems, overrides_typed
from clients.models import AppClient, OperationState
from clients.services import claims
from clients.services.attributes import change_attributes
from clients.views.client_page import client_conflict, client_page
from clients.views.errors import bad_request
from clients.views.fetching import get_app_client, need, person, signed_in


@signed_in("GET", "POST")
def client_attributes(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    if request.method == "GET" or request.method == "HEAD":
        return _editor(request, app_client, AttributesForm.showing(app_client))
    need(person(request), permissions.can_change_attributes)
    form = AttributesForm(request.POST, app_client=app_client)
    if not form.is_valid():
        return bad_request(request)
    if "preview" in request.POST or "edit" in request.POST:
        return _editor(request, app_client, form)
    return _save(request, app_client, form)


def _editor(request: HttpRequest, app_client: AppClient, form: AttributesForm, *, status: int = 200) -> HttpResponse:
    scopes, lines = list(app_client.scopes.values_list("full_name", flat=True)), form.lines
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


def _save(request: HttpRequest, app_client: AppClient, form: AttributesForm) -> HttpResponse:
    wanted = overrides_typed(form.lines)
    try:
        form.refuse_retired(form.showing(app_client))
        operation = change_attributes(app_client, actor=person(request), values=wanted, **form.cleaned_data)
    except InvalidInput:
        return _editor(request, app_client, form, status=422)
    except Conflict as error:
        return client_conflict(request, app_client, error, "client-attributes", form)
    app_client.refresh_from_db()
    if operation.state == OperationState.DONE and (why := claims.why_not_in_token(app_client)):
        messages.warning(request, f"The attributes are saved. {why}")
    elif operation.state == OperationState.DONE:
        messages.success(request, "The attributes are saved and published. They take effect with the next token.")
    else:
        messages.warning(request, f"The attributes are saved here and not published yet. {operation.last_error}")
    return redirect("client-attributes", app_client.public_id)
