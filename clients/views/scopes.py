"""Which scopes a client may ask for: look, review before and after, save."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput, PortalError
from clients.forms.app_clients import ScopesForm, held_scopes, scope_groups, template_scopes
from clients.models import AppClient
from clients.services.client_changes import change_scopes, check_scopes
from clients.views.checklist import scopes_there
from clients.views.client_page import client_conflict, client_page, unfinished
from clients.views.errors import bad_request
from clients.views.fetching import get_app_client, need, person, signed_in
from clients.views.outcome import refused, say_outcome


@signed_in("GET", "POST")
def client_scopes(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    if request.method == "POST":
        need(person(request), permissions.can_change_scopes)
        return _change(request, app_client)
    held = held_scopes(app_client)
    chosen = template_scopes(app_client.pool, request.GET.get("template", "")) or held
    return _editor(request, app_client, ScopesForm.showing(app_client), chosen, held)


def _editor(
    request: HttpRequest, app_client: AppClient, form: ScopesForm, chosen: list[str], held: list[str],
    problems: list[str] | None = None,
) -> HttpResponse:  # fmt: skip
    may_change = permissions.can_change_scopes(person(request)) and app_client.is_changeable
    context = {
        "form": form, "groups": scope_groups(app_client.pool, chosen, held), "scope_count": len(chosen),
        "held": held, "scope_problems": problems or [], "may_change": may_change,
    }  # fmt: skip
    return client_page(request, app_client, "scopes", context, status=422 if problems else 200)


def _change(request: HttpRequest, app_client: AppClient) -> HttpResponse:
    form, held = ScopesForm(request.POST), held_scopes(app_client)
    if not form.is_valid():
        return bad_request(request)
    wanted = form.cleaned_data["scopes"]
    if "edit" in request.POST:
        return _editor(request, app_client, form, wanted, held)
    try:
        if "save" not in request.POST:
            check_scopes(app_client, wanted, generation=form.cleaned_data["generation"])
            return _review(request, app_client, form, wanted)
        operation = change_scopes(app_client, actor=person(request), **form.cleaned_data)
    except InvalidInput as error:
        return _editor(request, app_client, form, wanted, held, error.fields.get("scopes", [error.sentence]))
    except Conflict as error:
        return client_conflict(request, app_client, error, "client-scopes", form)
    except PortalError as error:
        return refused(request, error)
    say_outcome(request, operation, "The scopes are saved. They take effect with the next token.")
    return redirect("client-scopes", app_client.public_id)


def _review(request: HttpRequest, app_client: AppClient, form: ScopesForm, wanted: list[str]) -> HttpResponse:
    there = scopes_there(app_client, unfinished(app_client))  # what a change that failed left out, it may bring now
    added, removed = sorted(set(wanted) - set(there)), sorted(set(there) - set(wanted))
    if not added and not removed:
        messages.info(request, "Nothing differs from what the client holds.")
        return redirect("client-scopes", app_client.public_id)
    context = {
        "form": form, "wanted": wanted, "added": added, "removed": removed,
        "kept": sorted(set(there) & set(wanted)), "minutes": app_client.token_minutes,
    }  # fmt: skip
    return client_page(request, app_client, "scopes_review", context)
