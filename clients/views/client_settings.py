"""A client's settings: name, token validity, the secret's lifetime, contact, notes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput, PortalError
from clients.forms.app_clients import SettingsForm
from clients.forms.errors import add_refusals
from clients.models import AppClient, Operation, Status
from clients.services.client_changes import change_settings
from clients.services.lifetimes import change_lifetime
from clients.views.client_page import client_conflict, client_page
from clients.views.fetching import get_app_client, need, person, signed_in
from clients.views.outcome import refused, say_outcome


@signed_in("GET", "POST")
def client_settings(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_view_clients)
    if request.method == "POST":
        need(person(request), permissions.can_change_settings)
        return _change(request, app_client)
    return _page(request, app_client, SettingsForm.showing(app_client))


def _page(request: HttpRequest, app_client: AppClient, form: SettingsForm, *, status: int = 200) -> HttpResponse:
    user, at = person(request), app_client.status
    context = {
        "form": form,
        "may_change": permissions.can_change_settings(user) and app_client.is_changeable,
        "minutes": app_client.access_token_seconds // 60,
        "may_pause": permissions.can_pause_client(user) and at in (Status.ACTIVE, Status.ROTATING),
        "may_resume": permissions.can_resume_client(user) and at == Status.PAUSED,
        "may_delete": permissions.can_delete_client(user) and at != Status.DELETED,
    }  # fmt: skip
    return client_page(request, app_client, "settings", context, status=status)


def _change(request: HttpRequest, app_client: AppClient) -> HttpResponse:
    form = SettingsForm(request.POST, app_client=app_client)
    if not form.is_valid() or "edit" in request.POST:
        return _page(request, app_client, form, status=422 if form.errors else 200)
    try:
        operation = _save(request, app_client, form)
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, app_client, form, status=422)
    except Conflict as error:
        return client_conflict(request, app_client, error, "client-settings", form)
    except PortalError as error:
        return refused(request, error)
    say_outcome(request, operation, "The settings are saved.")
    return redirect("client-settings", app_client.public_id)


def _save(request: HttpRequest, app_client: AppClient, form: SettingsForm) -> Operation | None:
    """Cognito knows no lifetime: where nothing else was changed, it is not asked for anything."""
    touched = form.touched(form.showing(app_client)).keys()
    if not touched or touched - {"secret_lifetime", "no_expiry_reason"}:
        return change_settings(app_client, actor=person(request), **form.settings())
    (days, reason), generation = form.lifetime, form.cleaned_data["generation"]
    change_lifetime(app_client, actor=person(request), generation=generation, days=days, reason=reason)
    return None
