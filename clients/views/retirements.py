"""Retiring scopes: choose and say why, then watch clients being released, last the removal."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render

from clients import permissions
from clients.errors import Conflict, InvalidInput, PortalError
from clients.forms.catalogue import ReleaseForm, RetireForm
from clients.forms.errors import add_refusals, keep_typed
from clients.models import GOING_ON, AppClient, ResourceServer, Retirement, RetirementState
from clients.services import retirements
from clients.views.catalogue import counted_scopes, get_server, server_frame, unfinished
from clients.views.fetching import need, person, signed_in
from clients.views.outcome import status_of

SHOWN = 20


@signed_in("GET", "POST")
def server_retire(request: HttpRequest, server_id: int) -> HttpResponse:
    server = get_server(request, server_id, permissions.can_change_catalogue)
    form, chosen = RetireForm(request.POST or None), (request.POST or request.GET).getlist("scopes")
    if request.method != "POST" or not form.is_valid():
        return _retire_page(request, server, form, chosen, [], status=422 if request.method == "POST" else 200)
    try:
        going = retirements.start_retirement(
            server, actor=person(request), scope_names=chosen, reason=form.cleaned_data["reason"]
        )
    except InvalidInput as error:
        rest = add_refusals(form, error)
        return _retire_page(request, server, form, chosen, rest.get("scopes", []), status=422)
    except Conflict as error:
        earlier = server.retirements.filter(state__in=GOING_ON).first()
        if earlier is None:
            keep_typed(form, error)
            return _retire_page(request, server, form, chosen, [], status=status_of(error))
        going = _said_twice(request, earlier, chosen, error)
    return redirect("retirement-page", going.public_id)


def _said_twice(request: HttpRequest, earlier: Retirement, chosen: list[str], error: Conflict) -> Retirement:
    """A double click meets its own first one and hears nothing; another wish hears that it was not begun."""
    if earlier.started_by != person(request) or earlier.scope_names != sorted(set(chosen)):
        messages.error(request, error.sentence)
    return earlier


def _retire_page(
    request: HttpRequest, server: ResourceServer, form: RetireForm, chosen: list[str], problems: list[str], *,
    status: int,
) -> HttpResponse:  # fmt: skip
    is_all = request.method != "POST" and "all" in request.GET
    scopes = [(s, is_all or s.name in chosen) for s in counted_scopes().filter(resource_server=server)]
    context = {"form": form, "scopes": scopes, "scope_problems": problems}
    return server_frame(request, server, "retire", context, status=status)


@signed_in("GET", "POST")
def retirement_page(request: HttpRequest, public_id: str) -> HttpResponse:
    user = person(request)
    rows = Retirement.objects.select_related("pool", "resource_server__pool", "started_by")
    going = get_object_or_404(rows if user.is_staff_member else rows.none(), public_id=public_id)
    need(user, permissions.can_view_tenants)
    if request.method != "POST":
        return _page(request, going, _release_form(going), status=200)
    need(user, permissions.can_change_catalogue)
    form = _release_form(going, request.POST)
    try:
        if "cancel" in request.POST:
            retirements.cancel_retirement(going, actor=user)
            messages.success(request, "Cancelled. The scopes can be given out again.")
        elif not form.is_valid():
            return _page(request, going, form, status=422)
        else:
            _release(request, going, form.cleaned_data["typed"])
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, going, form, status=422)
    except PortalError as error:
        messages.error(request, error.sentence)
    return redirect("retirement-page", going.public_id)


def _release_form(going: Retirement, posted: QueryDict | None = None) -> ReleaseForm:
    is_held = going.state == RetirementState.WAITING and retirements.holders(going).exists()
    return ReleaseForm(posted, wanted=retirements.to_be_typed(going) if is_held else "")


def _release(request: HttpRequest, going: Retirement, typed: str) -> None:
    if going.state == RetirementState.RELEASING:  # a double click
        return
    retirements.release_holders(going, actor=person(request), typed=typed)
    messages.success(request, "It is going on: clients are released one after another, then the scopes are removed.")


def _page(request: HttpRequest, going: Retirement, form: ReleaseForm, *, status: int) -> HttpResponse:
    left = retirements.holders(going) if going.is_going_on else AppClient.objects.none()
    shown = left.select_related("tenant").prefetch_related("scopes").order_by("name")[:SHOWN]
    rows = [(c, not {scope.full_name for scope in c.scopes.all()} - set(going.full_names)) for c in shown]
    stranded = retirements.stranded(going) if going.is_going_on else AppClient.objects.none()
    left_count, stranded_count, released = left.count(), stranded.count(), retirements.released(going)
    is_done, is_over = going.state == RetirementState.DONE, not going.is_going_on
    is_removing = going.state == RetirementState.RELEASING and not left_count
    context = {
        "released_state": "done" if is_done or is_removing else "" if is_over else "now",
        "removed_state": "done" if is_done else "now" if is_removing else "",
        "stranded": stranded.order_by("name")[:SHOWN], "stranded_count": stranded_count,
        "releasable": left_count - stranded_count, "total": retirements.concerned(going),
        "retirement": going, "form": form, "holders": rows, "left_count": left_count, "released": released,
        "server": going.resource_server, "nav": "scopes", "is_removing": is_removing,
        "unfinished": unfinished(going.resource_server) if going.resource_server and is_removing else [],
        "is_stopped": retirements.is_stopped(going), "may_change": permissions.can_change_catalogue(person(request)),
    }  # fmt: skip
    return render(request, "clients/retirement_page.html", context, status=status)
