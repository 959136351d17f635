"""What happened: the trail with its filters, one entry with its neighbours, one client's part of it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from clients import permissions
from clients.forms.activity import ActivityFilter
from clients.forms.attributes import as_text
from clients.models import AuditEntry, AuditQuerySet, User
from clients.services.audit import fits
from clients.views.addresses import to_clean_address
from clients.views.client_page import client_page
from clients.views.fetching import acting, get_app_client, need, person, signed_in
from clients.views.listing import capped_count, cut
from clients.views.words import STEPS, VIAS, WORDS

NEIGHBOURS = 2  # entries shown before and after one
TOLD_APART = ("before", "after", "ending", "step")  # of an entry's detail, shown in words of their own
COGNITO = {
    "ClientName": "name", "AllowedOAuthScopes": "scopes", "AllowedOAuthFlows": "flows",
    "AccessTokenValidity": "token validity", "TokenValidityUnits": "unit of validity",
}  # fmt: skip
LAST = 2**63 - 1  # the highest number an entry can have


def shown_to(user: User) -> AuditQuerySet:
    return AuditEntry.objects.visible_to(user).select_related("actor", "origin", "app_client", "tenant", "pool")


@signed_in("GET")
def activity_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_see_activity)
    if clean := to_clean_address(request):
        return clean
    filters = ActivityFilter(request.GET, user=user, actions=WORDS)
    found = filters.apply(shown_to(user))
    if staff := acting(request):
        found = found & AuditEntry.objects.visible_to(staff.by)
    page, following = cut(found, key="sequence", after=_after(request))
    context = {
        "nav": "activity", "filters": filters, "lines": lines_of(page, user), "following": following,
        "count": capped_count(found), "is_staff": user.is_staff_member, "is_first_page": not _after(request),
        "views": [("", "All"), ("period=7", "Last 7 days"), (f"who={user.pk}", "My own"), ("outcome=failed", "Failed"),
                  ("outcome=unknown", "Outcome unknown")],
    }  # fmt: skip
    return render(request, "clients/activity_list.html", context)


@signed_in("GET")
def activity_entry(request: HttpRequest, sequence: int) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_see_activity)
    visible = shown_to(user)
    entry = get_object_or_404(visible, sequence=min(sequence, LAST))
    newer = visible.filter(sequence__gt=entry.sequence).order_by("sequence")[:NEIGHBOURS]
    older = visible.filter(sequence__lt=entry.sequence).order_by("-sequence")[:NEIGHBOURS]
    around = [*reversed(newer), entry, *older]
    same = visible.filter(operation_id=entry.operation_id).order_by("-sequence") if entry.operation_id else ()
    context = {
        "nav": "activity", "line": lines_of([entry], user)[0], "around": lines_of(around, user),
        "operation": lines_of(list(same), user), "fits": fits(entry), "is_staff": user.is_staff_member,
        "facts": [(name, value) for name, value in sorted(entry.detail.items()) if name not in TOLD_APART],
    }  # fmt: skip
    return render(request, "clients/activity_entry.html", context)


@signed_in("GET")
def client_activity(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_see_activity)
    entries = AuditEntry.objects.filter(app_client=app_client).select_related("actor", "origin")
    page, following = cut(entries, key="sequence", after=_after(request))
    context = {"lines": lines_of(page, person(request)), "following": following}
    return client_page(request, app_client, "activity", context)


def _after(request: HttpRequest) -> str:
    after = request.GET.get("after", "")
    return after if after.isascii() and after.isdecimal() and len(after) < 19 else ""


def lines_of(entries: list[AuditEntry], user: User) -> list[dict[str, Any]]:
    """The trail holds ids; who they are is said as of today. Members do not learn the addresses staff work from."""
    people = _people(entries)
    lines = []
    for entry in entries:
        origin, detail = getattr(entry, "origin", None), entry.detail
        about, step = _about(detail, people), detail.get("step") or ""
        lines.append({
            "entry": entry, "what": WORDS.get(entry.action, entry.action), "changes": _changes(detail, people),
            "sub": about or STEPS.get(step, step), "is_step": not about, "via": VIAS.get(entry.via, entry.via),
            "from": origin.address if origin and user.is_staff_member else "",
            "agent": origin.agent if origin and user.is_staff_member else "",
        })  # fmt: skip
    return lines


def _about(detail: dict[str, Any], people: dict[Any, str]) -> str:
    """What of it, where the words for the act do not say."""
    if ending := detail.get("ending"):
        return f"secret ending …{ending}"
    if isinstance(detail.get("scopes"), list):
        return ", ".join(str(name) for name in detail["scopes"])
    person = people.get(detail.get("person"), "")
    return person or str(detail.get("claim_name") or detail.get("identifier") or "")


def _people(entries: list[AuditEntry]) -> dict[Any, str]:
    sides = [side for entry in entries for side in (entry.detail.get("before"), entry.detail.get("after"))]
    ids = {side["contact"] for side in sides if isinstance(side, dict) and isinstance(side.get("contact"), int)}
    ids |= {entry.detail["person"] for entry in entries if isinstance(entry.detail.get("person"), int)}
    return {found.pk: str(found) for found in User.objects.filter(pk__in=ids)} if ids else {}


def _changes(detail: dict[str, Any], people: dict[Any, str]) -> list[tuple[str, Any, Any]]:
    """(name, before, after) of what differs."""
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    names = sorted(before.keys() | after.keys())
    differing = [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]
    named = [(n, people.get(b, b), people.get(a, a)) if n == "contact" else (n, b, a) for n, b, a in differing]
    return [(COGNITO.get(n, n), _said(b), _said(a)) for n, b, a in named]


def _said(value: Any) -> Any:
    """A value as people type it; None where there is none, which the page tells apart."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return as_text(value) if isinstance(value, bool) else value
