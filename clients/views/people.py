"""People: who may sign in, inviting them, their role, their leaving."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import Coalesce, Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.people import FactorForm, InviteForm, LeaveForm, RoleForm
from clients.middleware import client_address
from clients.models import AppClient, Invitation, User
from clients.services import people
from clients.services.mail import send_account_changed, send_invitation
from clients.views.addresses import to_clean_address
from clients.views.fetching import need, person, signed_in
from clients.views.listing import PAGE, asked_for, capped_count
from clients.views.outcome import refused
from clients.views.step_up import step_up

# Who may sign in first, then the staff, then tenant by tenant; each once, for no two share an address. In digits: where
# PostgreSQL sorts by a language it overlooks blanks.
ACTIVE_FIRST = Case(When(is_active=True, then=Value("0")), default=Value("1"))
STAFF_FIRST = Case(When(tenant=None, then=Value("0 ")), default=Value("1 "))
PLACE = Concat(ACTIVE_FIRST, STAFF_FIRST, Coalesce("tenant__name", Value("")), Value(" "), "name", Value(" "), "email",
               output_field=CharField())  # fmt: skip
NOT_MAILED = "The invitation stands, but its mail could not be sent. Use Send again once mail works."


@signed_in("GET")
def person_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_manage_people)
    if clean := to_clean_address(request):
        return clean
    asked, after = asked_for(request), request.GET.get("after", "")
    rows = User.objects.managed_by(user).select_related("tenant").annotate(place=PLACE)
    if asked:
        rows = rows.filter(Q(name__icontains=asked) | Q(email__icontains=asked) | Q(tenant__name__icontains=asked))
    page, following = _cut(rows, after)
    invitations = Invitation.objects.open().managed_by(user).select_related("tenant", "invited_by").order_by("-pk")
    context = {
        "nav": "people", "people": page, "following": following, "asked": asked, "count": capped_count(rows),
        "is_first_page": not after, "invitations": [] if asked or after else invitations,
    }  # fmt: skip
    return render(request, "clients/person_list.html", context)


def _cut(rows: Any, after: str) -> tuple[list[User], str]:
    """One page behind a person, named by their number: an address holds nobody's e-mail address."""
    last = rows.filter(pk=int(after)).first() if after.isascii() and after.isdecimal() and len(after) < 19 else None
    found = list((rows.filter(place__gt=last.place) if last else rows).order_by("place")[: PAGE + 1])
    return found[:PAGE], str(found[PAGE - 1].pk) if len(found) > PAGE else ""


@signed_in("GET", "POST")
def person_invite(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_manage_people)
    initial = {"tenant": request.GET.get("tenant", "")}
    form = InviteForm(request.POST if request.method == "POST" else None, inviter=user, initial=initial)
    if request.method != "POST" or not form.is_valid():
        return _invite_page(request, form)
    if asked := step_up(request, back=reverse("person-list")):
        return asked
    email = form.cleaned_data["email"]
    try:
        token = people.invite(email, form.cleaned_data["role"], tenant=form.whose, actor=user)
    except InvalidInput as error:
        add_refusals(form, error)
        return _invite_page(request, form)
    _mail(request, email, token)
    return redirect("person-list")


def _invite_page(request: HttpRequest, form: InviteForm) -> HttpResponse:
    context = {"nav": "people", "form": form}
    return render(request, "clients/person_invite.html", context, status=422 if form.errors else 200)


def _mail(request: HttpRequest, email: str, token: str) -> None:
    if send_invitation(email.strip().lower(), token, inviter=person(request)):
        messages.success(request, f"The invitation is on its way to {email}.")
    else:
        messages.warning(request, NOT_MAILED)


@signed_in("POST")
def invitation_again(request: HttpRequest, pk: int) -> HttpResponse:
    invitation = _invitation(request, pk)
    if asked := step_up(request, back=reverse("person-list")):
        return asked
    try:
        token = people.send_again(invitation, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=reverse("person-list"))
    _mail(request, invitation.email, token)
    return redirect("person-list")


@signed_in("POST")
def invitation_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    invitation = _invitation(request, pk)
    try:
        people.withdraw_invitation(invitation, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=reverse("person-list"))
    messages.success(request, f"The invitation of {invitation.email} opens nothing any more.")
    return redirect("person-list")


def _invitation(request: HttpRequest, pk: int) -> Invitation:
    rows = Invitation.objects.managed_by(person(request)).select_related("tenant")
    return get_object_or_404(rows, pk=pk)


# --- One person ------------------------------------------------------------------------------------


def _managed(request: HttpRequest, pk: int) -> User:
    return get_object_or_404(User.objects.managed_by(person(request)).select_related("tenant"), pk=pk)


@signed_in("GET")
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _managed(request, pk))


def _page(request: HttpRequest, found: User, **forms: Any) -> HttpResponse:
    role, leave = forms.get("role") or RoleForm(user=found), forms.get("leave") or LeaveForm(user=found)
    held = AppClient.objects.present().filter(contact=found)
    may_remove = permissions.can_remove_second_factor(person(request)) and found != person(request)
    context = {
        "nav": "people", "found": found, "role_form": role, "leave_form": leave, "held": held[:10],
        "held_count": held.count(), "is_self": found == person(request),
        "factors": Authenticator.objects.filter(user=found).exclude(type="recovery_codes").count() if may_remove else 0,
        "factor_form": forms.get("factor") or FactorForm(),
        "may_change_role": permissions.can_change_role(person(request)) and found != person(request),
    }  # fmt: skip
    return render(request, "clients/person_page.html", context, status=422 if forms else 200)


@signed_in("POST")
def person_role(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    need(person(request), permissions.can_change_role)
    form = RoleForm(request.POST, user=found)
    if not form.is_valid():
        return _page(request, found, role=form)
    if asked := step_up(request, back=reverse("person-page", args=[pk])):
        return asked
    try:
        people.change_role(found, form.cleaned_data["role"], actor=person(request))
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, found, role=form)
    except PortalError as error:
        return refused(request, error, back=reverse("person-page", args=[pk]))
    messages.success(request, f"{found} has the new role from the next click on, and is signed out.")
    return redirect("person-page", pk)


@signed_in("POST")
def person_deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    form = LeaveForm(request.POST, user=found)
    if not form.is_valid():
        return _page(request, found, leave=form)
    if asked := step_up(request, back=reverse("person-page", args=[pk])):
        return asked
    try:
        count = people.deactivate(found, actor=person(request), heir=form.cleaned_data["heir"])
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, found, leave=form)
    except PortalError as error:
        return refused(request, error, back=reverse("person-page", args=[pk]))
    messages.success(request, f"{found} is signed out and cannot sign in. Clients handed on: {count}.")
    return redirect("person-page", pk)


@signed_in("POST")
def person_factor_remove(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    need(person(request), permissions.can_remove_second_factor)
    form = FactorForm(request.POST)
    if not form.is_valid():
        return _page(request, found, factor=form)
    if asked := step_up(request, back=reverse("person-page", args=[pk])):
        return asked
    try:
        people.remove_second_factor(found, actor=person(request), reason=form.cleaned_data["reason"])
    except PortalError as error:
        return refused(request, error, back=reverse("person-page", args=[pk]))
    told = "An administrator removed the second factor of your account."
    send_account_changed(found, told, address=client_address(request))
    messages.success(request, f"{found} has no second factor any more, is signed out, and was told by mail.")
    return redirect("person-page", pk)


@signed_in("POST")
def person_activate(request: HttpRequest, pk: int) -> HttpResponse:
    found = _managed(request, pk)
    if asked := step_up(request, back=reverse("person-page", args=[pk])):
        return asked
    try:
        people.activate(found, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=reverse("person-page", args=[pk]))
    messages.success(request, f"{found} can sign in again.")
    return redirect("person-page", pk)
