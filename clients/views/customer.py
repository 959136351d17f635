"""The pages of members: what is theirs, what waits for them, and what they may ask for."""

from dataclasses import dataclass

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clients import permissions
from clients.errors import InvalidInput
from clients.forms.customer import ChangeRequestForm
from clients.forms.errors import add_refusals
from clients.models import ApiKind, AppClient, Handover, ResourceServer, Rotation, RotationState, Tenant, User
from clients.services import claims
from clients.services.change_requests import asked_of, request_change
from clients.services.claims import Claim
from clients.services.mail import send_change_request
from clients.views.client_page import client_page
from clients.views.fetching import acting, get_app_client, person, signed_in

SHOWN = 30
REQUESTS = {"change": "10/h/key"}  # each is a mail to one of the staff


@dataclass(frozen=True)
class Mine:
    """A client, the hand-over of it that waits (for this person, or, to staff, for whomever), its open rotation."""

    app_client: AppClient
    handover: Handover | None
    rotation: Rotation | None


def customer_home(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Of a member, or what members see, for staff who help them: then with every offer, whomever it is for."""
    present = AppClient.objects.present().filter(tenant=tenant)
    facts = present.aggregate(first_end=Min("expires_at"), last_token=Max("last_token_at"))
    rows = present.select_related("pool", "contact").prefetch_related("secrets", "scopes")
    shown = list(rows.order_by("name")[:SHOWN])
    offers = Handover.objects.open().filter(app_client__tenant=tenant, member__isnull=False)
    offers = offers.select_related("member") if acting(request) else offers.filter(member=person(request))
    waiting = {offer.app_client_id: offer for offer in offers}
    rotations = {r.app_client_id: r for r in Rotation.objects.filter(app_client__in=shown, state=RotationState.OPEN)}
    servers = ResourceServer.objects.filter(scopes__app_clients__in=shown).exclude(api_kind=ApiKind.NONE).distinct()
    context = {
        "nav": "home", "tenant": tenant, "count": present.count(), "facts": facts,
        "mine": [Mine(row, waiting.get(row.pk), rotations.get(row.pk)) for row in shown],
        "pools": {row.pool for row in shown},
        "servers": [server for server in servers.order_by("identifier") if server.api_url],
        "claims": _claims(shown, tenant), "contact": _contact(shown, tenant), "ends": facts["first_end"],
        "may_get_token": permissions.can_get_token(person(request)),
    }  # fmt: skip
    return render(request, "clients/customer_home.html", context)


def _claims(shown: list[AppClient], tenant: Tenant) -> list[Claim]:
    """What all of their tokens carry; a client may differ, its own page says so."""
    if not shown:
        return []
    found = claims.preview(shown[0].pool, tenant, {}).claims
    return [claim for claim in found if claim.source in ("tenant", "default")]


def _contact(shown: list[AppClient], tenant: Tenant) -> User | None:
    return tenant.contact or next((row.contact for row in shown if row.contact), None)


@signed_in("GET", "POST")
def change_request(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_request_change)
    form = ChangeRequestForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        key = f"{person(request).pk}:{app_client.pk}"
        if limited := ratelimit.consume_or_429(request, app="clients", action="change", key=key, config=REQUESTS):
            return limited
        try:
            asked = request_change(app_client, form.cleaned_data["text"], actor=person(request))
        except InvalidInput as error:
            add_refusals(form, error)
        else:
            if send_change_request(app_client, form.cleaned_data["text"], who=person(request), to=asked):
                messages.success(request, f"{asked} hears of it, and it stands in the activity.")
            else:
                messages.warning(request, f"Recorded in the activity, but could not be mailed: tell {asked} yourself.")
            return redirect("client-overview", public_id)
    context = {"form": form, "asked": asked_of(app_client)}
    return client_page(request, app_client, "request", context, status=422 if form.is_bound else 200)
