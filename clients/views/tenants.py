"""Tenants: the list, one tenant's page, creating one, changing its details."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import Conflict, InvalidInput
from clients.forms.attributes import as_text
from clients.forms.errors import add_refusals
from clients.forms.tenants import CreateTenantForm, TenantForm
from clients.models import AppClient, Secret, Tenant, TenantChange, User, UserPool
from clients.services import claims
from clients.services.tenants import change_tenant, create_tenant, suggest_slug
from clients.views.addresses import to_clean_address
from clients.views.conflicts import edit_conflict
from clients.views.errors import error_page
from clients.views.fetching import get_tenant, need, person, signed_in
from clients.views.listing import CountUpTo, asked_for, capped_count, cut_ascending, page_by_attention
from clients.views.outcome import just_done, say_nothing_differs
from clients.views.progress import progress_of
from clients.views.step_up import step_up

PAGE = 25  # tenants in a list: its rows are the tallest
MANY = 100  # what a tenant's line counts up to; its page counts further
SHOWN = 10  # clients and members on a tenant's page


@signed_in("GET")
def tenant_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_view_tenants)
    if clean := to_clean_address(request):
        return clean
    asked = asked_for(request)
    found = Tenant.objects.select_related("contact")
    if asked:
        found = found.filter(Q(name__icontains=asked) | Q(slug__icontains=asked) | Q(contact_email__icontains=asked))
    page, following = cut_ascending(found, key="name", after=request.GET.get("after", ""), length=PAGE)
    context = {
        "nav": "tenants", "lines": _lines(page), "following": following, "asked": asked, "count": capped_count(found),
        "is_first_page": "after" not in request.GET, "may_change": permissions.can_change_tenants(user), "many": MANY,
        "may_define": permissions.can_define_attribute(user), "has_definitions": bool(claims.present_definitions()),
    }  # fmt: skip
    return render(request, "clients/tenant_list.html", context)


def _lines(page: list[Tenant]) -> list[dict[str, Any]]:
    """Each tenant with how many clients it has and how many of them need somebody, counted up to `MANY`."""
    clients = AppClient.objects.present().filter(tenant=OuterRef("pk")).order_by()
    counts = {"clients": clients, "unpublished": clients.unpublished(), "expiring": clients.expiring()}
    cut = {f"{name}_count": CountUpTo(rows.values("pk")[: MANY + 1]) for name, rows in counts.items()}
    waiting = Secret.objects.undelivered().values("app_client")
    here = AppClient.objects.present().filter(tenant__in=page).order_by()
    drifted = AppClient.objects.out_of_sync().order_by().values("pk")  # by itself an index of its own answers
    few = {
        "undelivered": here.filter(pk__in=waiting),
        "drifted": here.filter(pk__in=drifted),
        "urgent": here.pressing(),
    }
    rare = {name: dict(rows.values_list("tenant").annotate(Count("pk"))) for name, rows in few.items()}
    held = TenantChange.objects.filter(tenant__in=page, finished_at=None).exclude(last_error="")
    held_up = {change.tenant_id: change.get_kind_display() for change in held}
    counted = Tenant.objects.filter(pk__in=[tenant.pk for tenant in page]).annotate(**cut).in_bulk()
    return [
        {"tenant": tenant, "held_up": held_up.get(tenant.pk, "")}
        | {name: found.get(tenant.pk, 0) for name, found in rare.items()}
        | {name: getattr(counted[tenant.pk], f"{name}_count") for name in counts}
        for tenant in page
    ]


# --- One tenant ------------------------------------------------------------------------------------


# What a page beneath a tenant's is called, at the end of where it stands.
HERE = {
    "details": "Change details", "policies": "Change policies", "values": "Change values", "values_review": "Review",
    "conflict": "Not saved",
}  # fmt: skip


def tenant_frame(
    request: HttpRequest, tenant: Tenant, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    user = person(request)
    frame = {
        "nav": "tenants", "tenant": tenant, "may_change": permissions.can_change_tenants(user),
        "here": HERE.get(template, ""),
        "may_create_client": permissions.can_create_client(user),
        "may_set_policies": permissions.can_set_policies(user),
    }  # fmt: skip
    return render(request, f"clients/tenant_{template}.html", frame | context, status=status)


def left(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    why = f"{tenant} is off-boarded: it stays as it is. Nothing was changed."
    act, back = "Look at it on its page.", reverse("tenant-page", args=[tenant.slug])
    return error_page(request, 409, "This does not change any more", why, act, back=back)


def tenant_conflict(request: HttpRequest, tenant: Tenant, error: Conflict, route: str, form: Any) -> HttpResponse:
    tenant.refresh_from_db()
    again, leave = (reverse(name, args=[tenant.slug]) for name in (route, "tenant-page"))
    told = edit_conflict(error, form, form.showing(tenant), tenant, again=again, leave=leave)
    return tenant_frame(request, tenant, "conflict", told, status=409)


@signed_in("GET")
def tenant_page(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_view_tenants)
    clients = AppClient.objects.present().filter(tenant=tenant)
    page, _ = page_by_attention(clients.select_related("pool"), "")
    shown = page[:SHOWN]
    prefetch_related_objects(shown, "secrets")
    members = User.objects.filter(tenant=tenant, is_active=True).order_by("name", "email")
    context = {
        "app_clients": shown, "client_count": capped_count(clients), "has_more": len(page) > SHOWN,
        "attributes": _attributes(tenant), "progress": progress_of(AppClient.objects.filter(tenant=tenant)),
        "members": members[:SHOWN], "member_count": members.count(), "change": tenant.changes.first(),
        "tenant_claims": sorted(set(UserPool.objects.values_list("tenant_claim", flat=True))),
    }  # fmt: skip
    return tenant_frame(request, tenant, "page", context)


def _attributes(tenant: Tenant) -> list[dict[str, Any]]:
    values = claims.stored_values(tenant)
    lines = []
    for definition in claims.present_definitions():
        is_set = definition.pk in values
        value = values[definition.pk] if is_set else definition.default
        source = "Tenant" if is_set else "Default" if value is not None else "Not set"
        lines.append({"definition": definition, "text": as_text(value), "source": source})
    return lines


# --- Create and change -------------------------------------------------------------------------------


@signed_in("GET", "POST")
def tenant_create(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_change_tenants)
    definitions = claims.present_definitions()
    if request.method != "POST":
        form = CreateTenantForm(definitions=definitions, initial={"contact": user.pk})
        return render(request, "clients/tenant_create.html", {"nav": "tenants", "form": form})
    form = CreateTenantForm(request.POST, definitions=definitions)
    if form.is_valid() and (twice := _just_created(form, user)):
        return redirect("tenant-page", twice.slug)
    tenant = _create(form, user) if form.is_valid() else None
    if tenant is None:
        return render(request, "clients/tenant_create.html", {"nav": "tenants", "form": form}, status=422)
    messages.success(request, f"{tenant.name} is created. Its first client comes next.")
    return redirect("tenant-page", tenant.slug)


def _just_created(form: CreateTenantForm, user: User) -> Tenant | None:
    """By its name, which is one tenant's alone: the slug it was given is not free by now, and another is suggested."""
    twice = Tenant.objects.filter(name=form.cleaned_data["name"]).first()
    if twice and form.cleaned_data["slug"] not in ("", twice.slug):
        return None
    return twice if twice and just_done(user, "tenant:create", tenant=twice) else None


def _create(form: CreateTenantForm, user: User) -> Tenant | None:
    facts = {name: form.cleaned_data[name] for name in ("name", "contact", "contact_email", "keep_days")}
    slug = form.cleaned_data["slug"] or suggest_slug(facts["name"])
    try:
        return create_tenant(actor=user, slug=slug, values=form.values(), **facts)
    except InvalidInput as error:
        add_refusals(form, error)
        return None


@signed_in("GET", "POST")
def tenant_details(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_tenant(request, slug, permissions.can_change_tenants)
    if tenant.has_left:
        return left(request, tenant)
    if request.method != "POST":
        return tenant_frame(request, tenant, "details", {"form": TenantForm.showing(tenant)})
    form = TenantForm(request.POST, tenant=tenant)
    if form.is_valid() and "edit" not in request.POST:
        is_moved = form.cleaned_data["contact_email"] != tenant.contact_email  # where links with a secret may be mailed
        is_fresh = form.cleaned_data["generation"] == tenant.generation  # else it is refused without asking who it is
        if is_moved and is_fresh and (asked := step_up(request, back=reverse("tenant-page", args=[slug]))):
            return asked
        try:
            if change_tenant(tenant, actor=person(request), **form.cleaned_data):
                messages.success(request, "The details are saved.")
            else:
                say_nothing_differs(request, tenant, form.cleaned_data["generation"], "tenant:change", tenant=tenant)
            return redirect("tenant-page", tenant.slug)
        except InvalidInput as error:
            add_refusals(form, error)
        except Conflict as error:
            return tenant_conflict(request, tenant, error, "tenant-details", form)
    return tenant_frame(request, tenant, "details", {"form": form}, status=422 if form.errors else 200)
