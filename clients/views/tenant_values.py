"""A tenant's attribute values: typed, reviewed with whose tokens change, saved."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput, ReviewOutdated
from clients.forms.errors import add_refusals
from clients.forms.tenants import ValuesForm
from clients.models import Tenant
from clients.services import attributes
from clients.views.fetching import get_tenant, person, signed_in
from clients.views.outcome import say_nothing_differs
from clients.views.tenants import left, tenant_conflict, tenant_frame

STALE = Conflict("Somebody changed this tenant since you opened the page. Look at the new values first.")


@signed_in("GET", "POST")
def tenant_values(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_change_tenants)
    if tenant.has_left:
        return left(request, tenant)
    if request.method != "POST":
        return tenant_frame(request, tenant, "values", {"form": ValuesForm.showing(tenant)})
    form, stored = ValuesForm(request.POST, tenant=tenant), attributes.values_of(tenant)
    if not form.is_valid() or "edit" in request.POST:
        return tenant_frame(request, tenant, "values", {"form": form}, status=422 if form.errors else 200)
    try:
        form.refuse_retired(form.showing(tenant))
        if {d.claim_name: value for d, value in attributes.typed_values(form.values()).items()} == stored:
            seen = form.cleaned_data["generation"]
            say_nothing_differs(request, tenant, seen, "tenant:set_values", tenant=tenant)
            return redirect("tenant-page", tenant.slug)
        return _save(request, tenant, form) if "save" in request.POST else _review(request, tenant, form)
    except ReviewOutdated as error:
        return _review(request, tenant, form, outdated=error.sentence)
    except InvalidInput as error:
        add_refusals(form, error)
        return tenant_frame(request, tenant, "values", {"form": form}, status=422)
    except Conflict as error:
        return tenant_conflict(request, tenant, error, "tenant-values", form)


def _review(request: HttpRequest, tenant: Tenant, form: ValuesForm, *, outdated: str = "") -> HttpResponse:
    _, effect = attributes.plan_tenant_values(tenant, form.values())
    if form.cleaned_data["generation"] != tenant.generation:
        raise STALE
    context = {"form": form, "effect": effect, "outdated": outdated}
    return tenant_frame(request, tenant, "values_review", context, status=409 if outdated else 200)


def _save(request: HttpRequest, tenant: Tenant, form: ValuesForm) -> HttpResponse:
    seen = {"generation": form.cleaned_data["generation"], "reviewed": request.POST.get("reviewed", "")}
    touched = attributes.set_tenant_values(tenant, actor=person(request), values=form.values(), **seen)
    if touched:
        messages.success(request, f"The values are saved. {touched:,} document{'s' * (touched != 1)} to publish.")
    else:
        messages.success(request, "The values are saved. No client’s token changes.")
    return redirect("tenant-page", tenant.slug)
