"""A customer's pages as its managers see them, for staff who help: to be read, under a bar that says for whom."""

from copy import copy

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from clients import permissions
from clients.models import Role, Tenant, User
from clients.views import (
    activity,
    app_clients,
    attributes,
    client_settings,
    customer,
    overview,
    people,
    scopes,
    secrets,
)
from clients.views import snippets as kits
from clients.views.fetching import Acting, View, get_tenant, need, person, signed_in

NOBODY = 0  # no row has this number: what belongs to one by name is nobody's here
PAGES = {"clients": app_clients.client_list, "activity": activity.activity_list, "members": people.person_list}
TABS = {
    "overview": overview.client_overview, "secrets": secrets.client_secrets, "scopes": scopes.client_scopes,
    "attributes": attributes.client_attributes, "snippets": kits.client_snippets,
    "activity": activity.client_activity, "settings": client_settings.client_settings,
}  # fmt: skip


def as_member(request: HttpRequest, tenant: Tenant) -> HttpRequest:
    """The same request as a manager of this tenant would send it. It is never stored, and only pages that are read
    get it: whatever is done is done by the one who is signed in, at its own address."""
    seen = copy(request)
    manager = User(pk=NOBODY, role=Role.MANAGER, tenant=tenant, name=f"A manager of {tenant}")
    vars(seen).update(user=manager, acting=Acting(person(request), tenant))
    return seen


@signed_in("GET")
def customer_home_as(request: HttpRequest, slug: str) -> HttpResponseBase:
    tenant = get_tenant(request, slug, permissions.can_view_tenants)
    return customer.customer_home(as_member(request, tenant), tenant)


@signed_in("GET")
def customer_page_as(request: HttpRequest, slug: str, page: str) -> HttpResponseBase:
    tenant = get_tenant(request, slug, permissions.can_view_tenants)
    return PAGES[page](as_member(request, tenant))


@signed_in("GET")
def customer_client_as(request: HttpRequest, slug: str, public_id: str, tab: str) -> HttpResponseBase:
    """One client of theirs; any other is not there."""
    tenant = get_tenant(request, slug, permissions.can_view_tenants)
    if tab == "snippets":
        need(person(request), permissions.can_get_snippets)
    view: View = TABS[tab]
    return view(as_member(request, tenant), public_id)
