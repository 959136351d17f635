"""What rotations of a tenant may and do."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.rotations import PoliciesForm
from clients.models import Tenant
from clients.services.tenants import POLICIES, set_policies
from clients.views.fetching import get_tenant, person, signed_in
from clients.views.outcome import refused
from clients.views.tenants import tenant_frame


@signed_in("GET", "POST")
def tenant_policies(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_set_policies)
    form = PoliciesForm(request.POST) if request.method == "POST" else _showing(tenant)
    if form.is_bound and form.is_valid():
        try:
            is_new = set_policies(tenant, actor=person(request), **form.cleaned_data)
        except InvalidInput as error:
            add_refusals(form, error)
        except PortalError as error:
            return refused(request, error, back=reverse("tenant-policies", args=[slug]))
        else:
            messages.success(request, "The policies are saved." if is_new else "Nothing differs from before.")
            return redirect("tenant-page", slug)
    return tenant_frame(request, tenant, "policies", {"form": form}, status=422 if form.errors else 200)


def _showing(tenant: Tenant) -> PoliciesForm:
    facts = {name: getattr(tenant, name) for name in ("generation", *POLICIES)}
    return PoliciesForm(initial=facts | {"lifetime_days": tenant.lifetime_days or ""})
