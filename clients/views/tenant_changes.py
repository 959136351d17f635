"""Pausing, resuming and off-boarding a tenant: what will happen, one button, then how far its clients have come."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.client_states import ReasonForm, TypedForm
from clients.forms.errors import add_refusals, keep_typed
from clients.models import AppClient, Tenant, TenantChange, TenantChangeKind, User
from clients.services.tenant_changes import FROM, start_change, to_follow
from clients.views.fetching import get_tenant, person, signed_in
from clients.views.outcome import status_of
from clients.views.step_up import step_up

SHOWN = 20
BUTTONS = {
    TenantChangeKind.PAUSE: "Pause tenant",
    TenantChangeKind.RESUME: "Resume tenant",
    TenantChangeKind.OFF_BOARD: "Off-board tenant",
}


@signed_in("GET", "POST")
def tenant_change_start(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_change_tenants)
    chosen = TenantChangeKind(kind.replace("-", "_"))
    posted = request.POST if request.method == "POST" else None
    is_final = chosen == TenantChangeKind.OFF_BOARD
    form = TypedForm(posted, wanted=tenant.slug) if is_final else ReasonForm(posted)
    if posted is None or not form.is_valid():
        return _page(request, tenant, chosen, form, status=422 if posted is not None else 200)
    if chosen != TenantChangeKind.RESUME and (asked := step_up(request, back=request.path)):
        return asked
    said: dict[str, Any] = {"reason": form.cleaned_data["reason"], "typed": form.cleaned_data.get("typed", "")}
    try:
        change = start_change(tenant, chosen, actor=person(request), **said)
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, tenant, chosen, form, status=422)
    except PortalError as error:
        keep_typed(form, error)
        tenant.refresh_from_db()
        return _page(request, tenant, chosen, form, status=status_of(error))
    return redirect("tenant-change", slug, change.public_id)


def _page(
    request: HttpRequest, tenant: Tenant, kind: TenantChangeKind, form: ReasonForm, *, status: int
) -> HttpResponse:
    present = AppClient.objects.present().filter(tenant=tenant)
    following = to_follow(TenantChange(tenant=tenant, kind=kind)).order_by("name")
    context = {
        "nav": "tenants", "tenant": tenant, "kind": kind, "button": BUTTONS[kind], "form": form,
        "clients": following[:SHOWN], "client_count": following.count(), "all_count": present.count(),
        "members": User.objects.filter(tenant=tenant, is_active=True).count(), "may": tenant.status in FROM[kind],
        "is_final": kind == TenantChangeKind.OFF_BOARD,
    }  # fmt: skip
    return render(request, "clients/tenant_change_start.html", context, status=status)


@signed_in("GET")
def tenant_change(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_view_tenants)
    rows = TenantChange.objects.select_related("tenant", "started_by")
    change = get_object_or_404(rows, tenant=tenant, public_id=public_id)
    left = to_follow(change).order_by("name")
    context = {
        "nav": "tenants", "tenant": change.tenant, "change": change, "button": BUTTONS[TenantChangeKind(change.kind)],
        "left": left[:SHOWN] if change.finished_at is None else [],
        "left_count": left.count() if change.finished_at is None else 0,
    }  # fmt: skip
    return render(request, "clients/tenant_change_progress.html", context)
