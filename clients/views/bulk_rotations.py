"""Starting rotations of the clients ticked in the list or of a filtered one, and watching them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.bulk import ChosenForm
from clients.forms.errors import add_refusals
from clients.forms.filters import ClientFilter
from clients.forms.rotations import BulkRotateForm
from clients.models import AppClient, BulkRun, Operation, Status, User
from clients.services import bulk_rotations
from clients.views.bulk import back_to_list
from clients.views.fetching import need, person, signed_in
from clients.views.outcome import refused
from clients.views.step_up import step_up

SHOWN = 100


@signed_in("GET", "POST")
def bulk_rotate(request: HttpRequest) -> HttpResponse:
    """Of the clients ticked in the list, or, with none ticked, of those the address filters; as they are when the form
    is sent. The list's own button sends the ticks alone, and is asked the rest."""
    user = person(request)
    need(user, permissions.can_rotate_many)
    ticked = ChosenForm(request.POST, user=user) if "chosen" in request.POST else None
    if ticked and not ticked.is_valid():
        return back_to_list(request, f"{ticked.problem} Nothing was started.")
    filters = ClientFilter(request.GET, user=user)
    active = _active(filters, ticked, user)
    form = BulkRotateForm(request.POST if "run_id" in request.POST else None)
    if form.is_bound and form.is_valid():
        if asked := step_up(request, back=_address_of_list(filters)):
            return asked
        try:
            run = bulk_rotations.start_run(active[: bulk_rotations.MOST + 1], actor=user, **form.cleaned_data)
        except InvalidInput as error:
            add_refusals(form, error)
        except PortalError as error:
            return refused(request, error, back=reverse("client-list"))
        else:
            return redirect("bulk-run", run.public_id)
    return _page(request, form, filters, ticked, active)


def _active(filters: ClientFilter, ticked: ChosenForm | None, user: User) -> Any:
    rows = AppClient.objects.visible_to(user)
    if ticked:
        rows = rows.filter(pk__in=[app_client.pk for app_client in ticked.cleaned_data["chosen"]])
    else:
        rows = filters.apply(rows)
    return rows.filter(status=Status.ACTIVE).order_by("name", "pk")


def _address_of_list(filters: ClientFilter) -> str:
    return f"{reverse('client-list')}{'?' if filters.is_used else ''}{filters.address}"


def _page(
    request: HttpRequest, form: BulkRotateForm, filters: ClientFilter, ticked: ChosenForm | None, active: Any
) -> HttpResponse:
    context = {
        "nav": "clients", "form": form, "count": active.count(), "is_filtered": filters.is_used,
        "list": _address_of_list(filters), "most": bulk_rotations.MOST, "first": active.select_related("tenant")[:10],
        "ticked": ticked.cleaned_data["chosen"] if ticked else [], "back": request.POST.get("back", ""),
    }  # fmt: skip
    return render(request, "clients/bulk_rotate.html", context, status=422 if form.errors else 200)


@signed_in("GET", "POST")
def bulk_run(request: HttpRequest, public_id: str) -> HttpResponse:
    """How far it is: told from the rows, so a page loaded again says the same."""
    user = person(request)
    rows = BulkRun.objects.select_related("started_by")
    run = get_object_or_404(rows if user.is_staff_member else rows.none(), public_id=public_id)
    need(user, permissions.can_see_operations if request.method != "POST" else permissions.can_rotate_many)
    if request.method == "POST":
        try:
            bulk_rotations.stop_run(run, actor=user)
        except PortalError as error:
            return refused(request, error, back=request.path)
        messages.success(request, "It is stopped. What had begun goes on.")
        return redirect("bulk-run", public_id)
    items = list(run.items.select_related("app_client__tenant").order_by("pk")[:SHOWN])
    known = Operation.objects.in_bulk([item.operation_id for item in items])
    context = {
        "nav": "operations", "run": run, "progress": bulk_rotations.progress_of(run),
        "lines": [(item, known.get(item.operation_id)) for item in items], "shown": SHOWN,
        "may_stop": permissions.can_rotate_many(user) and run.finished_at is None,
    }  # fmt: skip
    return render(request, "clients/bulk_run.html", context)
