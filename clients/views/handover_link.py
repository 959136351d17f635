"""The page of a one-time link: for whoever holds it, without an account. Opening it spends nothing."""

from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from clients.errors import AlreadyShown, PortalError
from clients.forms.handovers import LinkForm
from clients.middleware import client_address
from clients.models import Handover
from clients.services import handovers
from clients.services.handovers import WrongPin
from clients.services.mail import send_handover_alarm, send_handover_asked
from clients.views.errors import method_not_allowed
from clients.views.secrets import reveal_panel

MISSES = {"handover": "20/m/ip,600/m/key"}  # codes that open nothing; a right one is answered in any case


@sensitive_variables()
@sensitive_post_parameters()
@never_cache
def handover_link(request: HttpRequest) -> HttpResponse:
    """GET and HEAD know nothing of any link: the code stands behind # and is never sent by itself. It comes by a form,
    which a script fills and sends, or a person."""
    if request.method not in ("GET", "HEAD", "POST"):
        return method_not_allowed(request, ("GET", "POST"))
    form = LinkForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, "code", {"form": form}, status=422 if form.is_bound else 200)
    handover = handovers.find_by_link(form.cleaned_data["code"])
    if handover is None:
        return _unknown(request, form)
    return _act(request, handover, form)


def _unknown(request: HttpRequest, form: LinkForm) -> HttpResponse:
    limited = ratelimit.consume_or_429(request, app="clients", action="handover", key="all", config=MISSES)
    if limited:
        return limited
    form.add_error("code", "This code opens nothing. Open the link once more, or ask its sender for a new one.")
    return _page(request, "code", {"form": form}, status=404)


@sensitive_variables()
def _act(request: HttpRequest, handover: Handover, form: LinkForm) -> HttpResponse:
    if "show" in request.POST and handover.is_open:
        return _show(request, handover, form)
    if "stored" in request.POST:
        handovers.mark_stored(handover, actor=None)
    elif "alarm" in request.POST and handovers.sound_alarm(handover):
        send_handover_alarm(handover)
    elif "ask" in request.POST and handovers.ask_again(handover) and not send_handover_asked(handover):
        handovers.take_back_ask(handover)
        form.add_error(None, "This could not be sent just now. Try again in a minute, or tell them yourself.")
    elif handover.is_open:
        handovers.note_opened(handover)
    handover.refresh_from_db()
    return _told(request, handover, form)


def _told(request: HttpRequest, handover: Handover, form: LinkForm, *, status: int = 200) -> HttpResponse:
    """What it is, or what became of it."""
    page = "open" if handover.is_open else "spent"
    return _page(
        request,
        page,
        {"form": form, "handover": handover, "acted": "" if form.errors else _acted(request)},
        status=status,
    )


def _acted(request: HttpRequest) -> str:
    return next((act for act in ("stored", "alarm", "ask") if act in request.POST), "")


@sensitive_variables()
def _show(request: HttpRequest, handover: Handover, form: LinkForm) -> HttpResponse:
    code = form.cleaned_data["code"]
    try:
        reveal_panel(request, handover.secret, "", "", code=code)  # what is wrong with it shows before it is spent
        value = handovers.reveal_by_link(handover, form.cleaned_data["pin"], address=client_address(request))
    except WrongPin as error:
        handover.refresh_from_db()
        form.add_error("pin", f"{error.sentence} {_left(error.left)}".strip())
        return _told(request, handover, form, status=422)
    except AlreadyShown:
        handover.refresh_from_db()
        return _told(request, handover, form, status=409)
    except PortalError as error:
        form.add_error(None, error.sentence)
        handover.refresh_from_db()
        return _told(request, handover, form, status=409)
    return reveal_panel(request, handover.secret, value.reveal(), "", code=code)


def _left(left: int) -> str:
    return "" if not left else f"{left} {'try is' if left == 1 else 'tries are'} left."


def _page(request: HttpRequest, name: str, context: dict[str, object], *, status: int) -> HttpResponse:
    context |= {"organisation": settings.ORGANISATION}
    return render(request, f"clients/handover_link_{name}.html", context, status=status)
