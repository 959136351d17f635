"""The frame of one client's page: header, tabs, the next sensible step."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from clients import permissions
from clients.errors import Conflict
from clients.models import (
    AppClient,
    AttributeDefinition,
    Handover,
    Operation,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
    User,
)
from clients.templatetags.portal import living, tab_address
from clients.views.conflicts import edit_conflict
from clients.views.fetching import Acting, acting, person
from clients.views.words import WORDS

LOCKED = {
    Status.CREATING: "It can be changed once it is created.",
    Status.DELETED: "It is deleted: nothing about it can be changed any more.",
}
# Pages beneath a tab: (that tab, what the page is called). They have an act of their own, so the header offers none.
BENEATH = {
    "state": ("settings", ""), "rotate": ("secrets", "Rotate secret"), "revoke": ("secrets", "Revoke secret"),
    "rotation_end": ("secrets", ""), "reminders": ("secrets", "Postpone reminders"), "token": ("", "Get a token"),
    "request": ("", "Request a change"), "scopes_review": ("scopes", "Review"), "conflict": ("", "Not saved"),
    "deleted": ("overview", ""),
}  # fmt: skip
TABS = ("overview", "secrets", "scopes", "attributes", "snippets", "activity", "settings")


def tabs_for(user: User, app_client: AppClient, acting: Acting | None = None) -> list[tuple[str, str, str, int | None]]:
    """(URL name, address, label, how many there are behind it) of what this person may open."""
    may_get_snippets = permissions.can_get_snippets(acting.by if acting else user) and app_client.client_id
    shown = [tab for tab in TABS if tab != "snippets" or may_get_snippets]
    if app_client.status == Status.DELETED:
        shown = ["overview", "secrets", "activity"]
    counts = {
        "secrets": len(living(app_client)), "scopes": app_client.scopes.count(),
        "attributes": 1 + AttributeDefinition.objects.filter(retired_at__isnull=True).count(),  # and the tenant itself
    }  # fmt: skip
    slug = acting.tenant.slug if acting else ""
    return [(f"client-{t}", tab_address(app_client, t, slug), t.capitalize(), counts.get(t)) for t in shown]


def unfinished(app_client: AppClient) -> Operation | None:
    """The last change that is still at work, or ended without success and was not made good since."""
    return app_client.operations.unfinished().first()


def secret_to_show(user: User, app_client: AppClient) -> Secret | None:
    return waiting_secret(app_client) if permissions.can_show_secret(user) else None


def open_handover(user: User, app_client: AppClient) -> Handover | None:
    """The offer of its secret that is open and this person may know of."""
    waiting = waiting_secret(app_client)
    rows = Handover.objects.open().visible_to(user).filter(secret=waiting).select_related("member")
    return rows.first() if waiting else None


def waiting_secret(app_client: AppClient) -> Secret | None:
    """One nobody has seen."""
    if app_client.status == Status.CREATING:
        return None
    found = [secret for secret in living(app_client) if secret.can_be_shown]
    return found[-1] if found else None  # of two the new one


def rotation_to_finish(user: User, app_client: AppClient) -> Rotation | None:
    """The one that only waits for somebody to finish it."""
    if app_client.status != Status.ROTATING or not permissions.can_finish_rotation(user):
        return None
    ready = Rotation.objects.filter(app_client=app_client, state=RotationState.OPEN, acknowledged_at__isnull=False)
    return ready.first()


def is_rotation_next(app_client: AppClient) -> bool:
    """Its one secret is in use, or its end is near or past."""
    is_due = app_client.last_token_at is not None or app_client.is_expired or app_client.is_expiring_soon
    return is_due and app_client.status == Status.ACTIVE and len(living(app_client)) == 1


def current_ending(app_client: AppClient) -> str | None:
    known = (SecretState.CURRENT, SecretState.NEW)
    return next((s.ending for s in living(app_client) if s.state in known), None)


def client_conflict(
    request: HttpRequest, app_client: AppClient, error: Conflict, route: str, form: Any
) -> HttpResponse:
    """A change that came second, or while another is under way: `route` names the page it is typed on."""
    app_client.refresh_from_db()
    again = reverse(route, args=[app_client.public_id])
    is_under_way = Operation.objects.live().filter(app_client=app_client).exists()
    told = edit_conflict(
        error, form, form.showing(app_client), app_client, again=again, leave=again, is_under_way=is_under_way
    )  # fmt: skip
    return client_page(request, app_client, "conflict", told | {"tab": route}, status=409)


def client_page(
    request: HttpRequest, app_client: AppClient, tab: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    user, staff = person(request), acting(request)
    is_there = bool(app_client.client_id) and app_client.status != Status.DELETED
    # Errors of AWS are the staff's business.
    change = unfinished(app_client) if user.is_staff_member else None
    above, here = BENEATH.get(tab, (tab, "" if tab == "overview" else tab.capitalize()))
    frame = {
        "nav": "clients", "tab": above and f"client-{above}", "here": here, "is_act": tab in BENEATH,
        "app_client": app_client, "tabs": tabs_for(user, app_client, staff),
        "to_show": secret_to_show(user, app_client), "is_staff": user.is_staff_member,
        "handover": open_handover(staff.by if staff else user, app_client),
        "may_hand_over": permissions.can_send_handover(user) and waiting_secret(app_client) is not None,
        "may_resume": app_client.status == Status.PAUSED and permissions.can_resume_client(user),
        "change": change, "changed": WORDS.get(change.kind, change.kind) if change else "",
        "may_retry": permissions.can_retry_operation(user),
        "locked": LOCKED.get(Status(app_client.status), ""),
        "may_request": permissions.can_request_change(user) and is_there,
        "may_get_token": permissions.can_get_token(user) and is_there,
        "may_get_snippets": permissions.can_get_snippets(user) and is_there,
        "finish_next": rotation_to_finish(user, app_client),
        "rotate_next": permissions.can_rotate_secret(user) and is_rotation_next(app_client),
    }  # fmt: skip
    return render(request, f"clients/client_{tab}.html", frame | (context or {}), status=status)
