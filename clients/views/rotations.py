"""A rotation from its start to its end, as staff lead it and members follow it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals, keep_typed
from clients.forms.rotations import DismissForm, EndForm, ExtendForm, InUseForm, RotateForm, missing_in_words
from clients.models import AppClient, Rotation, RotationState, User
from clients.services import evidence, rotations
from clients.templatetags.portal import living
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, get_rotation, need, person, signed_in
from clients.views.outcome import refused, say_outcome, status_of
from clients.views.step_up import step_up

# --- Start -----------------------------------------------------------------------------------------


@signed_in("GET", "POST")
def secret_rotate(request: HttpRequest, public_id: str) -> HttpResponse:
    app_client = get_app_client(request, public_id, permissions.can_rotate_secret)
    posted = request.POST if request.method == "POST" else None
    form = RotateForm(posted, tenant=app_client.tenant)
    if posted is None or not form.is_valid():
        return _start_page(request, app_client, form)
    if asked := step_up(request, back=request.path):
        return asked
    said = {"operation_id": form.cleaned_data["operation_id"], "reason": form.cleaned_data["reason"]}
    try:
        operation = rotations.start_rotation(
            app_client, actor=person(request), overlap_hours=form.overlap_hours, **said
        )
    except InvalidInput as error:
        add_refusals(form, error)
        return _start_page(request, app_client, form)
    except PortalError as error:
        keep_typed(form, error)
        return _start_page(request, app_client, form, status=status_of(error))
    say_outcome(request, operation, "The new secret works. Hand it over: nobody has seen it yet.")
    return redirect("client-secrets", public_id)


def _start_page(
    request: HttpRequest, app_client: AppClient, form: RotateForm, *, status: int | None = None
) -> HttpResponse:
    why_not = ""
    try:
        old = rotations.secret_to_rotate(app_client)
    except PortalError as error:
        old, why_not = None, error.sentence
    context = {"form": form, "old": old, "why_not": why_not}
    return client_page(request, app_client, "rotate", context, status=status or (422 if form.is_bound else 200))


# --- How far it is ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sign:
    """One thing that speaks for the new secret being in use; without a moment it has not been seen."""

    title: str
    more: str
    at: datetime | None
    is_seen: bool


def signs_of(rotation: Rotation) -> list[Sign]:
    new, app_client = rotation.new_secret, rotation.app_client
    if new is None:
        return []
    reported = app_client.reported_ending
    is_reported = reported == new.ending and app_client.last_token_at is not None
    used = app_client.last_token_at
    return [
        Sign("The new secret obtained a token", "Tested by the portal before anybody saw it.", rotation.tested_at,
             rotation.tested_at is not None),
        Sign("The customer says that it is in use",
             str(rotation.acknowledged_by or "Whoever was shown it") if rotation.acknowledged_at else "",
             rotation.acknowledged_at, rotation.acknowledged_at is not None),
        Sign(f"Reported by the caller: …{reported}" if reported else "The caller reported the new ending",
             "The kits send the ending of the secret they use." if reported
             else "None reported so far. The kits send the ending of the secret they use.",
             used if is_reported else None, is_reported),
        Sign("A token since it was shown", "With either secret: Cognito does not tell which.",
             used if _since(used, new.delivered_at) else None, _since(used, new.delivered_at)),
    ]  # fmt: skip


def _since(at: datetime | None, start: datetime | None) -> bool:
    return at is not None and start is not None and at >= start


@dataclass(frozen=True)
class Line:
    """Where the overlap stands in its drawing, which is a thousand wide: it lies between 250 and 750."""

    now: int
    day: int
    days: int


def line_of(rotation: Rotation) -> Line | None:
    if not rotation.added_at or not rotation.ends_at:
        return None
    whole = max((rotation.ends_at - rotation.added_at).total_seconds(), 1)
    gone = (timezone.now() - rotation.added_at).total_seconds()
    days = max(round(whole / 86_400), 1)
    return Line(min(250 + round(500 * gone / whole), 1000), min(int(gone // 86_400) + 1, days), days)


def rotation_under_way(app_client: AppClient, user: User) -> Rotation | None:
    rows = Rotation.objects.under_way().visible_to(user).filter(app_client=app_client)
    found = rows.select_related("old_secret", "new_secret__delivered_to", "started_by", "acknowledged_by").first()
    if found:
        found.app_client = app_client
    return found


def rotation_context(rotation: Rotation | None, user: User) -> dict[str, Any]:
    """What the Secrets tab and the rotation's own page show of it."""
    if rotation is None:
        return {"rotation": None}
    signs = signs_of(rotation)
    is_open = rotation.is_open
    return {
        "rotation": rotation, "signs": signs, "seen": sum(sign.is_seen for sign in signs), "line": line_of(rotation),
        "extend_form": ExtendForm(), "dismiss_form": DismissForm(), "is_member": user.tenant_id is not None,
        "may_finish": is_open and permissions.can_finish_rotation(user)
        and (rotation.has_evidence or user.tenant_id or permissions.can_override_evidence(user)),
        "may_extend": is_open and permissions.can_extend_overlap(user),
        "may_cancel": rotation.state in (RotationState.OPEN, RotationState.STARTING)
        and permissions.can_cancel_rotation(user),
        "may_acknowledge": is_open and not rotation.acknowledged_at and rotation.new_secret is not None
        and rotation.new_secret.delivered_at is not None and permissions.can_acknowledge_secret(user),
        "may_dismiss": rotation.state == RotationState.REQUESTED and permissions.can_rotate_secret(user),
        "minutes": rotation.app_client.token_minutes,
    }  # fmt: skip


@signed_in("GET")
def rotation_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """What lasts after it is over; while it goes on it stands on the Secrets tab."""
    rotation = get_rotation(request, public_id, permissions.can_view_rotations)
    if rotation.is_under_way and not rotation.is_emergency:
        return redirect("client-secrets", rotation.app_client.public_id)
    waiting = any(held.can_be_shown for held in living(rotation.app_client))
    told = {
        "tab": "client-secrets", "here": "Emergency" if rotation.is_emergency else "Rotation", "waiting": waiting,
        "notice": _notice(rotation, waiting=waiting),
    }  # fmt: skip
    context = rotation_context(rotation, person(request)) | told
    asked = {"client": rotation.app_client.public_id, "since": f"{rotation.started_at:%Y-%m-%d}"}
    return client_page(request, rotation.app_client, "rotation", context | {"timeline_query": urlencode(asked)})


def _notice(rotation: Rotation, *, waiting: bool) -> str:
    """What the customer is told of an emergency; a draft, sent by people. `waiting`: a secret is there for them."""
    told = {"rotation": rotation, "waiting": waiting, "organisation": settings.ORGANISATION}
    return render_to_string("clients/rotation_notice.txt", told)


# --- While both work ---------------------------------------------------------------------------------


@signed_in("POST")
def rotation_extend(request: HttpRequest, public_id: str) -> HttpResponse:
    rotation = get_rotation(request, public_id, permissions.can_extend_overlap)
    back = reverse("client-secrets", args=[rotation.app_client.public_id])
    form = ExtendForm(request.POST)
    if asked := step_up(request, back=back):
        return asked
    if not form.is_valid():
        messages.error(request, "Choose one of the times in the list. Nothing was changed.")
        return redirect(back)
    try:
        until = rotations.extend_overlap(rotation, hours=form.cleaned_data["hours"], actor=person(request))
    except InvalidInput as error:
        messages.error(request, f"{error.sentence} Nothing was changed.")
    except PortalError as error:
        return refused(request, error, back=back)
    else:
        messages.success(request, f"Both secrets work until {until:%-d %b %Y, %H:%M} UTC.")
    return redirect(back)


@signed_in("POST")
def rotation_acknowledge(request: HttpRequest, public_id: str) -> HttpResponse:
    rotation = get_rotation(request, public_id, permissions.can_acknowledge_secret)
    back = reverse("client-secrets", args=[rotation.app_client.public_id])
    try:
        evidence.acknowledge(rotation, actor=person(request))
    except PortalError as error:
        return refused(request, error, back=back)
    messages.success(request, "Thank you. The old secret can be removed now.")
    return redirect(back)


@signed_in("POST")
def rotation_dismiss(request: HttpRequest, public_id: str) -> HttpResponse:
    rotation = get_rotation(request, public_id, permissions.can_rotate_secret)
    back = reverse("client-secrets", args=[rotation.app_client.public_id])
    try:
        rotations.dismiss_request(rotation, actor=person(request), reason=request.POST.get("reason", "")[:500])
    except InvalidInput as error:
        messages.error(request, f"{error.sentence} Nothing was changed.")
    except PortalError as error:
        return refused(request, error, back=back)
    else:
        messages.success(request, "The rotation is dismissed. The secret stays as it is.")
    return redirect(back)


# --- Finish and cancel -------------------------------------------------------------------------------


@signed_in("GET", "POST")
def rotation_finish(request: HttpRequest, public_id: str) -> HttpResponse:
    rotation = get_rotation(request, public_id, permissions.can_finish_rotation)
    user = person(request)
    why = missing_in_words(rotation)
    if why and not user.tenant_id:
        need(user, permissions.can_override_evidence)
    posted = request.POST if request.method == "POST" else None
    form: Any = EndForm(posted, ending=rotation.old_secret.ending, why=why)
    if why and user.tenant_id:
        form = InUseForm(posted)
    return _end(request, rotation, form, "finish")


@signed_in("GET", "POST")
def rotation_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    rotation = get_rotation(request, public_id, permissions.can_cancel_rotation)
    why = "the customer uses it" if rotation.acknowledged_at else ""
    ending = rotation.new_secret.ending if rotation.new_secret else ""
    form = EndForm(request.POST if request.method == "POST" else None, ending=ending, why=why)
    return _end(request, rotation, form, "cancel")


DONE = {
    "finish": "The rotation is finished. Only the new secret is left.",
    "cancel": "The rotation is cancelled. The current secret works on.",
}
SERVICE = {"finish": rotations.finish_rotation, "cancel": rotations.cancel_rotation}


def _end(request: HttpRequest, rotation: Rotation, form: Any, act: str) -> HttpResponse:
    if request.method != "POST" or not form.is_valid():
        return _end_page(request, rotation, form, act)
    if asked := step_up(request, back=request.path):
        return asked
    actor = person(request)
    try:
        if isinstance(form, InUseForm):
            evidence.acknowledge(rotation, actor=actor)
        said = {key: form.cleaned_data[key] for key in ("operation_id", "typed", "reason") if key in form.cleaned_data}
        operation = SERVICE[act](rotation, actor=actor, **said)
    except InvalidInput as error:
        add_refusals(form, error)
        return _end_page(request, rotation, form, act)
    except PortalError as error:
        keep_typed(form, error)
        rotation.refresh_from_db()
        return _end_page(request, rotation, form, act, status=status_of(error))
    say_outcome(request, operation, DONE[act])
    return redirect("client-secrets", rotation.app_client.public_id)


def _end_page(
    request: HttpRequest, rotation: Rotation, form: Any, act: str, *, status: int | None = None
) -> HttpResponse:
    context = {
        "act": act, "form": form, "rotation": rotation, "signs": signs_of(rotation),
        "here": "Finish rotation" if act == "finish" else "Cancel rotation",
        "gone": rotation.old_secret if act == "finish" else rotation.new_secret,
        "kept": rotation.new_secret if act == "finish" else rotation.old_secret,
        "minutes": rotation.app_client.token_minutes, "is_open": rotation.is_open or act == "cancel",
        "is_shown": rotation.new_secret is not None and rotation.new_secret.delivered_at is not None,
    }  # fmt: skip
    status = status or (422 if form.is_bound else 200)
    return client_page(request, rotation.app_client, "rotation_end", context, status=status)
