"""What happened to one client: who, what, when, from where, why."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from clients import permissions
from clients.models import AuditEntry, User
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, person, signed_in
from clients.views.listing import cut

WORDS = {
    "client:create": "Create client",
    "client:change": "Change client",
    "client:change_lifetime": "Change secret lifetime",
    "client:set_contact": "Set contact",
    "client:pause": "Pause client",
    "client:resume": "Resume client",
    "client:delete": "Delete client",
    "client:attributes": "Change attributes",
    "attributes:publish": "Publish attributes",
    "secret:show": "Show credentials",
    "secret:stored": "Confirm that the secret is stored",
    "operation:retry": "Try again",
    "client:export": "Export clients",
    "client:observe": "Compare with Cognito",
    "pool:connect": "Connect pool",
    "pool:compare": "Compare pool with Cognito",
    "pool:change_urls": "Change addresses of pool",
    "resource_server:adopt": "Adopt resource server",
    "resource_server:create": "Create resource server",
    "resource_server:change": "Change resource server",
    "resource_server:change_api": "Change API of resource server",
    "resource_server:delete": "Delete resource server",
    "scope:retire": "Retire scopes",
    "scope:release": "Release scopes",
    "scope:retire_cancel": "Cancel retirement",
    "scope:removed": "Remove scopes",
    "pool:install_trigger": "Install trigger",
    "attributes:repair": "Repair published attributes",
    "tenant:pause": "Pause tenant",
    "tenant:pause_done": "Pause tenant: all clients followed",
    "tenant:resume": "Resume tenant",
    "tenant:resume_done": "Resume tenant: all clients followed",
    "tenant:off_board": "Off-board tenant",
    "tenant:off_board_done": "Off-board tenant: all clients gone",
    "person:invite": "Invite person",
    "person:accept": "Accept invitation",
    "person:invite_again": "Send invitation again",
    "person:invite_withdraw": "Withdraw invitation",
    "person:change_role": "Change role",
    "person:deactivate": "Deactivate person",
    "person:activate": "Activate person",
    "tenant:create": "Create tenant",
    "tenant:change": "Change tenant",
    "tenant:set_values": "Change a tenant’s values",
    "attribute:define": "Define attribute",
    "attribute:change": "Change attribute",
    "attribute:retire": "Retire attribute",
    "attribute:restore": "Take back attribute",
}


@signed_in("GET")
def client_activity(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_see_activity)
    after = request.GET.get("after", "")
    entries = AuditEntry.objects.filter(app_client=app_client).select_related("actor", "origin")
    page, following = cut(entries, key="sequence", after=after if after.isdecimal() and len(after) < 19 else "")
    people = _people(page)
    lines = [_line(entry, people, is_staff=person(request).is_staff_member) for entry in page]
    return client_page(request, app_client, "activity", {"lines": lines, "following": following})


def _people(entries: list[AuditEntry]) -> dict[Any, str]:
    """The trail holds ids alone; who they are is said as of today."""
    sides = [side for entry in entries for side in (entry.detail.get("before"), entry.detail.get("after"))]
    ids = {side["contact"] for side in sides if isinstance(side, dict) and isinstance(side.get("contact"), int)}
    return {found.pk: str(found) for found in User.objects.filter(pk__in=ids)} if ids else {}


def _line(entry: AuditEntry, people: dict[Any, str], *, is_staff: bool) -> dict[str, Any]:
    """Members do not learn the addresses staff work from."""
    origin = getattr(entry, "origin", None)
    detail = entry.detail
    return {
        "entry": entry,
        "what": WORDS.get(entry.action, entry.action),
        "from": origin.address if origin and is_staff else "",
        "sub": detail.get("ending") and f"secret ending …{detail['ending']}" or detail.get("step", ""),
        "changes": _changes(detail, people),
    }


def _changes(detail: dict[str, Any], people: dict[Any, str]) -> list[tuple[str, Any, Any]]:
    """(name, before, after) of what differs."""
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    names = sorted(before.keys() | after.keys())
    differing = [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]
    return [(n, people.get(b, b), people.get(a, a)) if n == "contact" else (n, b, a) for n, b, a in differing]
