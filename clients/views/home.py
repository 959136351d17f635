"""Home: what needs somebody first, then the figures, what happened last, and how to begin."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from clients import permissions
from clients.attention import Attention, Figures, Item, figures, room, what_needs_attention
from clients.forms.filters import SAVED, TICKS
from clients.models import Outcome, User, UserPool
from clients.views.activity import lines_of, shown_to
from clients.views.checklist import drift_in_words
from clients.views.customer import customer_home
from clients.views.fetching import person, signed_in
from clients.views.first_run import setup_steps
from clients.views.words import WORDS

RECENT = 8
ICONS = {
    "client": "key", "secret": "eye", "attributes": "attr", "attribute": "attr", "tenant": "tenant", "pool": "aws",
    "operation": "sync", "resource_server": "layers", "scope": "layers", "person": "user",
}  # fmt: skip


@signed_in("GET")
def home(request: HttpRequest) -> HttpResponse:
    user = person(request)
    if user.tenant:
        return customer_home(request, user.tenant)
    pools = list(UserPool.objects.all())
    attention, counted, steps = what_needs_attention(pools), figures(pools), setup_steps(user, pools)
    context = {
        "nav": "home", "attention": attention, "rows": [_in_words(item) for item in attention.items],
        "figures": counted, "views": _saved(attention, counted), "steps": steps, "lines": recent(user),
        "room": room(pools),
        "steps_done": sum(step.state == "done" for step in steps), "undelivered": attention.counted("undelivered"),
        "may_create": permissions.can_create_client(user), "may_retry": permissions.can_retry_operation(user),
        "may_deliver": permissions.can_send_handover(user),
    }  # fmt: skip
    return render(request, "clients/home.html", context)


def _in_words(item: Item) -> dict[str, Any]:
    """What other pages have words for already; the rest says the template."""
    kind = item.operation.kind if item.operation else ""
    params = item.operation.params if item.operation else {}
    server = params.get("server") or params.get("identifier") or ""  # an operation on a client has neither
    drift = drift_in_words(item.app_client) if item.kind == "out-of-sync" and item.app_client else ""
    return {"item": item, "what": f"{WORDS.get(kind, kind)} {server}".strip(), "drift": drift}


def _saved(attention: Attention, counted: Figures) -> list[tuple[str, str, str]]:
    """(address, label, how many) of the views that are links."""
    known = {name: attention.counted(name) for name in attention.counts}
    known |= {"never_used": f"{counted.never_used:,}", "idle": f"{counted.idle:,}"}
    return [(f"{reverse('client-list')}?{name}=on", TICKS[name][0], known[name]) for name in SAVED if name in known]


def recent(user: User) -> list[dict[str, Any]]:
    """What came of the last acts this person may know of; that one was begun is told by what came of it."""
    entries = shown_to(user).exclude(outcome=Outcome.STARTED).order_by("-sequence")
    lines = lines_of(list(entries[:RECENT]), user)
    return [line | {"icon": ICONS.get(line["entry"].action.split(":")[0], "list")} for line in lines]
