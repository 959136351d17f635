"""Retiring scopes: choose and say why, then watch clients being released, last the removal."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.catalogue import ReleaseForm, RetireForm
from clients.forms.errors import add_refusals
from clients.models import AppClient, ResourceServer, Retirement, RetirementState
from clients.services import retirements
from clients.views.catalogue import counted_scopes, get_server, server_frame
from clients.views.fetching import need, person, signed_in
from clients.views.outcome import refused

SHOWN = 20


@signed_in("GET", "POST")
def server_retire(request: HttpRequest, server_id: int) -> HttpResponse:
    server = get_server(request, server_id, permissions.can_change_catalogue)
    form, chosen = RetireForm(request.POST or None), request.POST.getlist("scopes")
    if request.method != "POST" or not form.is_valid():
        return _retire_page(request, server, form, chosen, [], status=422 if request.method == "POST" else 200)
    try:
        going = retirements.start_retirement(
            server, actor=person(request), scope_names=chosen, reason=form.cleaned_data["reason"]
        )
    except InvalidInput as error:
        rest = add_refusals(form, error)
        return _retire_page(request, server, form, chosen, rest.get("scopes", []), status=422)
    except PortalError as error:
        return refused(request, error)
    return redirect("retirement-page", going.public_id)


def _retire_page(
    request: HttpRequest, server: ResourceServer, form: RetireForm, chosen: list[str], problems: list[str], *,
    status: int,
) -> HttpResponse:  # fmt: skip
    scopes = [(scope, scope.name in chosen) for scope in counted_scopes().filter(resource_server=server)]
    context = {"form": form, "scopes": scopes, "scope_problems": problems}
    return server_frame(request, server, "retire", context, status=status)


@signed_in("GET", "POST")
def retirement_page(request: HttpRequest, public_id: str) -> HttpResponse:
    user = person(request)
    rows = Retirement.objects.select_related("pool", "resource_server__pool", "started_by")
    going = get_object_or_404(rows if user.is_staff_member else rows.none(), public_id=public_id)
    need(user, permissions.can_view_tenants)
    form = ReleaseForm()
    if request.method == "POST":
        need(user, permissions.can_change_catalogue)
        form = ReleaseForm(request.POST)
        try:
            if form.is_valid() and _act(request, going, form):
                return redirect("retirement-page", going.public_id)
        except InvalidInput as error:
            add_refusals(form, error)
        except PortalError as error:
            return refused(request, error)
    return _page(request, going, form, status=422 if form.errors else 200)


def _act(request: HttpRequest, going: Retirement, form: ReleaseForm) -> bool:
    if "cancel" in request.POST:
        retirements.cancel_retirement(going, actor=person(request))
        messages.success(request, "Cancelled. The scopes can be given out again.")
    else:
        retirements.release_holders(going, actor=person(request), typed=form.cleaned_data["typed"])
        messages.success(
            request, "It is going on: clients are released one after another, then the scopes are removed."
        )
    return True


def _page(request: HttpRequest, going: Retirement, form: ReleaseForm, *, status: int) -> HttpResponse:
    left = retirements.holders(going) if going.is_going_on else AppClient.objects.none()
    rows = [
        (app_client, not set(app_client.scopes.values_list("full_name", flat=True)) - set(going.full_names))
        for app_client in left.select_related("tenant").order_by("name")[:SHOWN]
    ]
    released = retirements.released(going)
    is_done = going.state == RetirementState.DONE
    context = {
        "released_state": "done" if is_done else "now" if going.is_going_on else "",
        "removed_state": "done" if is_done else "",
        "retirement": going, "form": form, "holders": rows, "left_count": left.count(), "released": released,
        "wanted_label": f"Type {retirements.to_be_typed(going)} to confirm", "server": going.resource_server,
        "nav": "scopes",
        "may_change": permissions.can_change_catalogue(person(request)),
    }  # fmt: skip
    return render(request, "clients/retirement_page.html", context, status=status)
