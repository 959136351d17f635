"""A tenant's attribute values: typed, reviewed with whose tokens change, saved."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients import permissions
from clients.errors import Conflict, InvalidInput
from clients.forms.attributes import as_text
from clients.forms.errors import add_refusals
from clients.forms.tenants import ValuesForm
from clients.models import Tenant
from clients.services import attributes, claims
from clients.views.fetching import get_tenant, person, signed_in
from clients.views.tenants import tenant_frame

STALE = Conflict("Somebody changed this tenant since you opened the page. Look at the new values first.")


@signed_in("GET", "POST")
def tenant_values(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_change_tenants)
    stored, definitions = attributes.values_of(tenant), claims.present_definitions()
    if request.method != "POST":
        form = ValuesForm(definitions=definitions, values=stored, initial={"generation": tenant.generation})
        return tenant_frame(request, tenant, "values", {"form": form})
    form = ValuesForm(request.POST, definitions=definitions, values=stored)
    if not form.is_valid() or "edit" in request.POST:
        return tenant_frame(request, tenant, "values", {"form": form}, status=422 if form.errors else 200)
    try:
        if "save" in request.POST:
            return _save(request, tenant, form)
        return _review(request, tenant, form, stored)
    except InvalidInput as error:
        add_refusals(form, error)
        return tenant_frame(request, tenant, "values", {"form": form}, status=422)
    except Conflict as error:
        told = {"error": error, "wanted": _told(form.values()), "now": _told(attributes.values_of(tenant))}
        return tenant_frame(request, tenant, "conflict", told | {"again": "tenant-values"}, status=409)


def _review(request: HttpRequest, tenant: Tenant, form: ValuesForm, stored: dict[str, Any]) -> HttpResponse:
    typed, effect = attributes.plan_tenant_values(tenant, form.values())
    if {definition.claim_name: value for definition, value in typed.items()} == stored:
        messages.info(request, "Nothing differs from what the tenant has.")
        return redirect("tenant-page", tenant.slug)
    if form.cleaned_data["generation"] != tenant.generation:
        raise STALE
    return tenant_frame(request, tenant, "values_review", {"form": form, "effect": effect})


def _save(request: HttpRequest, tenant: Tenant, form: ValuesForm) -> HttpResponse:
    generation = form.cleaned_data["generation"]
    touched = attributes.set_tenant_values(
        tenant, actor=person(request), generation=generation, values=form.values()
    )  # fmt: skip
    if touched:
        messages.success(request, f"The values are saved. {touched:,} document{'s' * (touched != 1)} to publish.")
    else:
        messages.success(request, "The values are saved. No client’s token changes.")
    return redirect("tenant-page", tenant.slug)


def _told(values: dict[str, Any]) -> list[str]:
    texts = {claim_name: as_text(value) for claim_name, value in values.items()}
    return [f"{claim_name} = {text}" for claim_name, text in sorted(texts.items()) if text]
