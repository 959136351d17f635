"""Handing over, as staff do and watch it; and what a member is shown by name."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.handovers import HandoverForm
from clients.middleware import client_address
from clients.models import AppClient, AuditEntry, Handover, Secret, User
from clients.services import handovers
from clients.services.handovers import Offer
from clients.services.mail import send_handover_link, send_handover_waiting
from clients.views.client_page import waiting_secret
from clients.views.fetching import Predicate, get_app_client, need, person, signed_in
from clients.views.outcome import refused
from clients.views.secrets import reveal_panel
from clients.views.step_up import step_up


@sensitive_variables()
@signed_in("GET", "POST")
def handover_create(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_send_handover)
    secret = waiting_secret(app_client)
    if secret and (open_one := open_for(secret)):
        return redirect("handover-page", open_one.public_id)
    posted = request.POST if request.method == "POST" else None
    form = HandoverForm(posted, app_client=app_client, user=person(request))
    if secret is None or posted is None or not form.is_valid():
        return _create_page(request, app_client, secret, form)
    if asked := step_up(request, back=reverse("client-overview", args=[public_id])):
        return asked
    try:
        offer = _offer(secret, form, person(request))
    except InvalidInput as error:
        add_refusals(form, error)
        return _create_page(request, app_client, secret, form)
    except PortalError as error:
        return refused(request, error, back=reverse("client-overview", args=[public_id]))
    return _made(request, offer)


def _create_page(
    request: HttpRequest, app_client: AppClient, secret: Secret | None, form: HandoverForm
) -> HttpResponse:
    context = {
        "nav": "clients", "app_client": app_client, "secret": secret, "form": form,
        "kept_until": handovers.keeps_until(secret) if secret else None,
    }  # fmt: skip
    return render(request, "clients/handover_create.html", context, status=422 if form.is_bound else 200)


def _offer(secret: Secret, form: HandoverForm, actor: User) -> Offer:
    hours = form.cleaned_data["hours"]
    if form.member:
        return Offer(handovers.offer_to_member(secret, form.member, hours=hours, actor=actor), "", "")
    email = secret.app_client.tenant.contact_email if form.is_mailed else ""
    # Without a PIN where nobody could tell it: support is shown none.
    with_pin = form.has_link and form.cleaned_data["with_pin"]
    return handovers.offer_by_link(secret, hours=hours, with_pin=with_pin, email=email, actor=actor)


@sensitive_variables()
def _made(request: HttpRequest, offer: Offer) -> HttpResponse:
    """What is known at this moment only is in this answer only; to support it is in none."""
    handover, actor = offer.handover, person(request)
    if handover.member or handover.email:
        sent = send_handover_waiting(handover) if handover.member else send_handover_link(handover, offer.token)
        if sent:
            handovers.note_mailed(handover, actor=actor)
        else:
            messages.error(request, "The mail server did not take the mail. Send it again in a minute.")
    if not permissions.can_hand_over(actor) or handover.member or (handover.email and not offer.pin):
        return redirect("handover-page", handover.public_id)
    context = {"nav": "clients", "handover": handover, "app_client": handover.app_client, "pin": offer.pin,
               "link": "" if handover.email else handovers.link_to(offer.token)}  # fmt: skip
    response = render(request, "clients/handover_made.html", context)
    response["Cache-Control"] = "no-store"
    response["Content-Encoding"] = "identity"  # never compressed: the length must not tell anything about a code
    return response


def open_for(secret: Secret) -> Handover | None:
    return Handover.objects.open().filter(secret=secret).first()


# --- Watching ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Happening:
    """A line of the timeline; without a moment it is still to come."""

    title: str
    at: datetime | None
    more: str = ""
    tone: str = "ok"


def get_handover(request: HttpRequest, public_id: str, can: Predicate) -> Handover:
    """Staff's; a member who asks meets nothing but what is for them: 404."""
    user = person(request)
    related = ("secret", "app_client__tenant", "app_client__pool", "member", "created_by", "revoked_by")
    handover = get_object_or_404(Handover.objects.visible_to(user).select_related(*related), public_id=public_id)
    need(user, can)
    return handover


@signed_in("GET")
def handover_page(request: HttpRequest, public_id: str) -> HttpResponse:
    handover = get_handover(request, public_id, permissions.can_view_tenants)
    user, later = person(request), open_for(handover.secret)
    context = {
        "nav": "clients", "handover": handover, "app_client": handover.app_client, "timeline": timeline(handover),
        "may_send": _may_send(user, handover),
        "may_revoke": permissions.can_send_handover(user) and handover.is_open,
        "may_act": permissions.can_revoke_secret(user),
        "later": later if later != handover else None, "kept_until": handovers.keeps_until(handover.secret),
    }  # fmt: skip
    return render(request, "clients/handover_page.html", context)


def _may_send(user: User, handover: Handover) -> bool:
    """Whoever is shown neither link nor PIN sends no link anew that they would have to pass on, or whose PIN nobody
    would know."""
    needs_nobody = not handover.is_link or (handover.email and not handover.pin_hash)
    return permissions.can_send_handover(user) and (bool(needs_nobody) or permissions.can_hand_over(user))


def timeline(handover: Handover) -> list[Happening]:
    """From the offer to the first token, what happened and what is still to come."""
    made = Happening(f"Made by {handover.created_by}", handover.created_at, f"for {handover.receiver}")
    wrong = AuditEntry.objects.filter(
        app_client=handover.app_client_id, action="handover:wrong_pin", detail__handover=handover.public_id
    ).order_by("sequence")
    found = [made]
    if handover.mailed_at:
        found.append(Happening("Mailed", handover.mailed_at))
    found.append(Happening("Opened", handover.opened_at, "The page, not the secret."))
    found += [Happening("Wrong PIN", entry.at, f"{entry.detail.get('left')} tries left", "warn") for entry in wrong]
    found.append(Happening("Secret shown", handover.shown_at, handover.shown_from))
    found.append(Happening("Stored", handover.stored_at, "Said by whoever was shown it."))
    found.append(Happening("First token", handover.first_token_at))
    for title, at in (
        ("Closed after five wrong PINs", handover.closed_at), ("Revoked", handover.revoked_at),
        ("“This wasn’t me”", handover.alarm_at), ("Asked for a new link", handover.asked_again_at),
    ):  # fmt: skip
        if at:
            found.append(Happening(title, at, tone="bad" if at == handover.alarm_at else "warn"))
    happened = sorted((line for line in found if line.at), key=lambda line: line.at or handover.created_at)
    return happened + ([line for line in found if not line.at] if handover.is_open or handover.shown_at else [])


@signed_in("POST")
def handover_revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    handover = get_handover(request, public_id, permissions.can_send_handover)
    try:
        handovers.revoke(handover, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=reverse("handover-page", args=[public_id]))
    messages.success(request, "The hand-over is revoked. The secret stays sealed until it is handed over anew.")
    return redirect("handover-page", public_id)


@sensitive_variables()
@signed_in("POST")
def handover_again(request: HttpRequest, public_id: str) -> HttpResponse:
    handover = get_handover(request, public_id, permissions.can_send_handover)
    need(person(request), lambda user: _may_send(user, handover))
    back = reverse("handover-page", args=[public_id])
    if asked := step_up(request, back=back):
        return asked
    try:
        return _made(request, handovers.offer_again(handover, actor=person(request)))
    except PortalError as error:
        return refused(request, error, back=back)


# --- The member it is for ------------------------------------------------------------------------------


@sensitive_variables()
@signed_in("POST")
def handover_show(request: HttpRequest, public_id: str) -> HttpResponse:
    handover = get_handover(request, public_id, permissions.can_take_handover)
    back = reverse("client-overview", args=[handover.app_client.public_id])
    if asked := step_up(request, back=back):
        return asked
    stored = reverse("handover-stored", args=[public_id])
    try:
        reveal_panel(request, handover.secret, "", stored)  # whatever is wrong with it shows before it is spent
        value = handovers.reveal_to_member(handover, actor=person(request), address=client_address(request))
    except PortalError as error:
        return refused(request, error, back=back)
    return reveal_panel(request, handover.secret, value.reveal(), stored)


@signed_in("POST")
def handover_stored(request: HttpRequest, public_id: str) -> HttpResponse:
    handover = get_handover(request, public_id, permissions.can_take_handover)
    handovers.mark_stored(handover, actor=person(request), via="web")
    return redirect("client-overview", handover.app_client.public_id)
