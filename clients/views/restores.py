"""Restore mode: what differs from AWS after a backup was restored, and its end."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.rotations import LeaveRestoreForm
from clients.models import Restore
from clients.services import restores
from clients.views.checklist import DRIFT
from clients.views.fetching import need, person, signed_in
from clients.views.outcome import refused
from clients.views.step_up import step_up


@signed_in("GET", "POST")
def restore_page(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_view_tenants)
    form = LeaveRestoreForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        need(user, permissions.can_end_restore)
    if form.is_bound and form.is_valid():
        if asked := step_up(request, back=request.path):
            return asked
        try:
            restores.leave(actor=user, reason=form.cleaned_data["reason"])
        except InvalidInput as error:
            add_refusals(form, error)
        except PortalError as error:
            return refused(request, error, back=reverse("restore-page"))
        else:
            messages.success(request, "Restore mode is off. The portal works again.")
            return redirect("restore-page")
    return _page(request, form)


def _page(request: HttpRequest, form: LeaveRestoreForm) -> HttpResponse:
    found = restores.differences()
    context = {
        "nav": "restore", "form": form, "restore": Restore.objects.filter(cleared_at=None).first(),
        "differences": [(each, ", ".join(DRIFT.get(name, name) for name in each.what)) for each in found],
        "left": restores.not_compared(), "may_end": permissions.can_end_restore(person(request)),
        "last": Restore.objects.exclude(cleared_at=None).select_related("cleared_by").first(),
    }  # fmt: skip
    return render(request, "clients/restore_page.html", context, status=422 if form.errors else 200)
