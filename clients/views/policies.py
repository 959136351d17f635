"""What rotations of a tenant may and do."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput
from clients.forms.errors import add_refusals
from clients.forms.rotations import PoliciesForm
from clients.services.tenants import set_policies
from clients.views.fetching import get_tenant, person, signed_in
from clients.views.outcome import say_nothing_differs
from clients.views.tenants import left, tenant_conflict, tenant_frame


@signed_in("GET", "POST")
def tenant_policies(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_set_policies)
    if tenant.has_left:
        return left(request, tenant)
    form = PoliciesForm(request.POST) if request.method == "POST" else PoliciesForm.showing(tenant)
    if form.is_bound and form.is_valid() and "edit" not in request.POST:
        try:
            if set_policies(tenant, actor=person(request), **form.cleaned_data):
                messages.success(request, "The policies are saved.")
            else:
                seen = form.cleaned_data["generation"]
                say_nothing_differs(request, tenant, seen, "tenant:change_policies", tenant=tenant)
            return redirect("tenant-page", slug)
        except InvalidInput as error:
            add_refusals(form, error)
        except Conflict as error:
            return tenant_conflict(request, tenant, error, "tenant-policies", form)
    return tenant_frame(request, tenant, "policies", {"form": form}, status=422 if form.errors else 200)
