"""Attribute definitions: the list, one definition with who uses it, defining, changing, retiring, taking back."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import Conflict, InvalidInput, ReviewOutdated
from clients.forms.attributes import as_text
from clients.forms.definitions import ChangeDefinitionForm, DefineForm
from clients.forms.errors import add_refusals
from clients.models import AppClient, AttributeDefinition, ClientOverride, Status, Tenant, TenantValue
from clients.services import attributes
from clients.services.effects import Effect
from clients.views.conflicts import conflict_told, edit_conflict, last_change
from clients.views.fetching import get_definition, need, person, signed_in
from clients.views.listing import capped_count
from clients.views.outcome import just_done, say_nothing_differs
from clients.views.progress import progress_of

Plan = tuple[AttributeDefinition, Effect]
SHOWN = 10  # tenants and clients named on a definition's page


@signed_in("GET")
def attribute_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_view_tenants)
    rows = list(AttributeDefinition.objects.order_by("retired_at", "claim_name"))
    rows.sort(key=lambda row: row.retired_at is not None)
    set_by = _counts(TenantValue.objects.all())
    own = _counts(ClientOverride.objects.exclude(app_client__status=Status.DELETED))
    context = {
        "nav": "attributes", "may_define": permissions.can_define_attribute(user),
        "progress": progress_of(AppClient.objects.all()), "tenant_count": capped_count(Tenant.objects.all()),
        "lines": [_line(row) | {"tenants": set_by.get(row.pk, 0), "clients": own.get(row.pk, 0)} for row in rows],
    }  # fmt: skip
    return render(request, "clients/attribute_list.html", context)


def _counts(values: Any) -> dict[int, int]:
    """Rows per definition, counted from their side: most clients have none, and cost nothing."""
    return dict(values.order_by().values_list("definition").annotate(Count("pk")))


def _line(definition: AttributeDefinition) -> dict[str, Any]:
    return {"definition": definition, "default": as_text(definition.default)}


# --- Define ------------------------------------------------------------------------------------------


@signed_in("GET", "POST")
def attribute_define(request: HttpRequest) -> HttpResponse:
    need(person(request), permissions.can_define_attribute)
    form = DefineForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and "edit" not in request.POST:
        try:
            return _define(request, form)
        except InvalidInput as error:
            add_refusals(form, error)
    context = {"nav": "attributes", "form": form}
    return render(request, "clients/attribute_define.html", context, status=422 if form.errors else 200)


def _define(request: HttpRequest, form: DefineForm) -> HttpResponse:
    facts = form.facts()
    same = AttributeDefinition.objects.filter(claim_name=facts["claim_name"], type=facts["type"]).first()
    if same and just_done(person(request), "attribute:define", detail__claim_name=same.claim_name):
        return redirect("attribute-change", same.pk)
    plan = attributes.plan_definition(**facts)
    if "save" not in request.POST and plan[1].changes:
        return _define_review(request, form, plan)
    reviewed = request.POST.get("reviewed", plan[1].fingerprint)
    try:
        definition = attributes.define_attribute(actor=person(request), reviewed=reviewed, **facts)
    except ReviewOutdated as error:
        return _define_review(request, form, attributes.plan_definition(**facts), outdated=error.sentence)
    messages.success(request, f"{definition.claim_name} is defined.")
    return redirect("attribute-change", definition.pk)


def _define_review(request: HttpRequest, form: DefineForm, plan: Plan, *, outdated: str = "") -> HttpResponse:
    context = {"nav": "attributes", "form": form, "planned": plan[0], "effect": plan[1], "outdated": outdated}
    return render(request, "clients/attribute_define_review.html", context, status=409 if outdated else 200)


# --- One definition --------------------------------------------------------------------------------


def _page(
    request: HttpRequest, definition: AttributeDefinition, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    may_define = permissions.can_define_attribute(person(request))
    frame = {"nav": "attributes", "may_define": may_define, **_line(definition)}
    return render(request, f"clients/attribute_{template}.html", frame | context, status=status)


@signed_in("GET", "POST")
def attribute_change(request: HttpRequest, pk: int) -> HttpResponse:
    can = permissions.can_define_attribute if request.method == "POST" else permissions.can_view_tenants
    definition = get_definition(request, pk, can)
    if request.method != "POST":
        return _editor(request, definition, ChangeDefinitionForm(definition=definition))
    form = ChangeDefinitionForm(request.POST, definition=definition)
    if not form.is_valid() or "edit" in request.POST:
        return _editor(request, definition, form)
    try:
        return _change(request, definition, form)
    except InvalidInput as error:
        add_refusals(form, error)
        return _editor(request, definition, form)
    except Conflict as error:
        definition.refresh_from_db()
        fresh = form.showing(definition)
        told = edit_conflict(error, form, fresh, definition, again=request.path, leave=request.path)
        return _page(request, definition, "conflict", told, status=409)


def _editor(request: HttpRequest, definition: AttributeDefinition, form: ChangeDefinitionForm) -> HttpResponse:
    tenants = Tenant.objects.filter(values__definition=definition)
    own = Prefetch("overrides", ClientOverride.objects.filter(definition=definition), "ours")
    overriding = AppClient.objects.present().filter(overrides__definition=definition).order_by("name")
    shown = overriding.prefetch_related("tenant", own)[:SHOWN]  # joined, SQLite begins with all clients
    context = {
        "form": form, "tenants": tenants[:SHOWN], "tenant_count": tenants.count(), "overriding": shown,
        "overriding_count": overriding.count(), "progress": progress_of(AppClient.objects.all()),
    }  # fmt: skip
    return _page(request, definition, "change", context, status=422 if form.errors else 200)


def _change(request: HttpRequest, definition: AttributeDefinition, form: ChangeDefinitionForm) -> HttpResponse:
    generation, facts = form.cleaned_data["generation"], form.facts()
    plan = attributes.plan_change(definition, **facts)
    if _told(vars(definition)) == _told(vars(plan[0])):
        about = {"detail__claim_name": definition.claim_name}
        say_nothing_differs(request, definition, generation, "attribute:change", **about)
    elif "save" in request.POST:
        seen = {"generation": generation, "reviewed": request.POST.get("reviewed", "")}
        try:
            touched = attributes.change_definition(definition, actor=person(request), **seen, **facts)
        except ReviewOutdated as error:
            plan = attributes.plan_change(definition, **facts)
            return _change_review(request, definition, form, plan, outdated=error.sentence)
        _say(request, f"{definition.claim_name} is changed.", touched)
    elif generation != definition.generation:
        raise Conflict("Somebody changed this attribute since you opened the page. Look at it as it is now first.")
    else:
        return _change_review(request, definition, form, plan)
    return redirect("attribute-change", definition.pk)


def _change_review(
    request: HttpRequest, definition: AttributeDefinition, form: ChangeDefinitionForm, plan: Plan, *, outdated: str = ""
) -> HttpResponse:
    before, after = _told(vars(definition)), _told(vars(plan[0]))
    differing = [(name, before[name], after[name]) for name in before if before[name] != after[name]]
    context = {"form": form, "effect": plan[1], "differing": differing, "outdated": outdated}
    return _page(request, definition, "change_review", context, status=409 if outdated else 200)


@signed_in("GET", "POST")
def attribute_retire(request: HttpRequest, pk: int, is_retired: bool) -> HttpResponse:
    """Retiring, or with `is_retired` false taking back: GET reviews, POST does it."""
    definition = get_definition(request, pk, permissions.can_define_attribute)
    if bool(definition.retired_at) == is_retired:
        act_name = "attribute:retire" if is_retired else "attribute:restore"
        if not just_done(person(request), act_name, detail__claim_name=definition.claim_name):
            messages.info(request, f"{definition.claim_name} is {'retired' if is_retired else 'in use'} already.")
        return redirect("attribute-change", definition.pk)
    act = attributes.retire_definition if is_retired else attributes.restore_definition
    try:
        if request.method == "POST" and "edit" not in request.POST:
            seen: dict[str, Any] = {"generation": _generation(request), "reviewed": request.POST.get("reviewed", "")}
            touched = act(definition, actor=person(request), **seen)
            _say(request, f"{definition.claim_name} is {'retired' if is_retired else 'in use again'}.", touched)
            return redirect("attribute-change", definition.pk)
        return _retirement(request, definition, is_retired)
    except InvalidInput as error:
        return _page(request, definition, "retire", {"refusal": error.sentence}, status=422)
    except ReviewOutdated as error:
        return _retirement(request, definition, is_retired, outdated=error.sentence)
    except Conflict as error:
        return _retirement_conflict(request, definition, error, is_retired)


def _retirement_conflict(
    request: HttpRequest, definition: AttributeDefinition, error: Conflict, is_retired: bool
) -> HttpResponse:
    definition.refresh_from_db()
    before, wanted = ("yes", "no") if is_retired else ("no", "yes")
    now = "no" if definition.retired_at else "yes"
    told = conflict_told(
        error, differing=[("In use", before, now, wanted)] if now != wanted else [], carried=[], again=request.path,
        generation=definition.generation, leave=reverse("attribute-change", args=[definition.pk]),
        changed=last_change(definition),
    )  # fmt: skip
    return _page(request, definition, "conflict", told, status=409)


def _generation(request: HttpRequest) -> int:
    sent = request.POST.get("generation", "")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 10 else 0


def _retirement(
    request: HttpRequest, definition: AttributeDefinition, is_retired: bool, *, outdated: str = ""
) -> HttpResponse:
    _, effect = attributes.plan_retirement(definition, is_retired=is_retired)
    context = {"effect": effect, "is_retired": is_retired, "outdated": outdated}
    return _page(request, definition, "retire", context, status=409 if outdated else 200)


def _say(request: HttpRequest, done: str, touched: int) -> None:
    rest = f"{touched:,} document{'s' * (touched != 1)} to publish." if touched else "No client’s token changes."
    messages.success(request, f"{done} {rest}")


def _told(facts: dict[str, Any]) -> dict[str, str]:
    """What of a definition may change, in words."""
    return {
        "Description": facts.get("description") or "",
        "Choices": ", ".join(facts.get("choices") or []),
        "Default": as_text(facts.get("default")),
        "Required": "yes" if facts.get("is_required") else "no",
        "Clients": "may differ" if facts.get("is_overridable") else "follow their tenant",
    }
