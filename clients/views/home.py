"""Home: what needs somebody first, then the figures, what happened last, and how to begin."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from clients import permissions
from clients.attention import Attention, Figures, Item, figures, room, setup_done, what_needs_attention
from clients.forms.filters import SAVED, TICKS
from clients.models import AuditEntry, Outcome, User
from clients.views.checklist import drift_in_words
from clients.views.customer import customer_home
from clients.views.fetching import person, signed_in
from clients.views.words import WORDS

RECENT = 8
ICONS = {
    "client": "key", "secret": "eye", "attributes": "attr", "attribute": "attr", "tenant": "tenant", "pool": "aws",
    "operation": "sync", "resource_server": "layers", "scope": "layers", "person": "user",
}  # fmt: skip
# Step of the first set-up: title, why, command; the page that does the same, its button, who may.
SETUP = {
    "pool": ("Connect a user pool", "The portal looks after the app clients of a pool that exists in Cognito.",
             "manage.py connect_pool", "", "", None),
    "server": ("Adopt a resource server", "It names your API; its scopes are what a client may ask for.",
               "manage.py adopt_resource_server", "server-adopt", "Adopt resource server",
               permissions.can_change_catalogue),
    "attribute": ("Define an attribute", "What tokens say of a tenant: its plan, its region.",
                  "manage.py define_attribute", "attribute-define", "Define attribute",
                  permissions.can_define_attribute),
    "tenant": ("Create a tenant", "The customer organisation a client belongs to.",
               "manage.py create_tenant", "tenant-create", "Create tenant", permissions.can_change_tenants),
    "client": ("Create a client", "One for each of the customer’s servers.",
               "manage.py create_client", "client-create", "Create client", permissions.can_create_client),
    "delivered": ("Deliver its secret", "It is shown once, with a curl kit that is ready to run.",
                  "", "client-list", "Find the client", permissions.can_view_clients),
    "token": ("See the first token", "As soon as the customer’s server asked for one it stands here, within a minute.",
              "", "", "", None),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    title: str
    why: str
    command: str
    path: str
    act: str
    state: str  # done, now, then


@signed_in("GET")
def home(request: HttpRequest) -> HttpResponse:
    user = person(request)
    if user.tenant:
        return customer_home(request, user.tenant)
    attention, counted, steps = what_needs_attention(), figures(), setup_steps(user)
    context = {
        "nav": "home", "attention": attention, "rows": [_in_words(item) for item in attention.items],
        "figures": counted, "views": _saved(attention, counted), "steps": steps, "lines": recent(user), "room": room(),
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


def setup_steps(user: User) -> list[Step]:
    """Nothing once all are done. The first one open is the next."""
    done = setup_done(user)
    following = next((name for name in SETUP if not done[name]), "")
    steps = []
    for name, (title, why, command, page, act, can) in SETUP.items():
        is_open = name == following and page and can is not None and can(user)
        state = "done" if done[name] else "now" if name == following else "then"
        steps.append(Step(title, why, command, reverse(page) if is_open else "", act, state))
    return steps if following else []


def recent(user: User) -> list[dict[str, Any]]:
    """What came of the last acts this person may know of; that one was begun is told by what came of it."""
    entries = AuditEntry.objects.visible_to(user).exclude(outcome=Outcome.STARTED)
    entries = entries.select_related("actor", "app_client", "tenant", "pool").order_by("-sequence")
    return [
        {
            "entry": entry,
            "what": WORDS.get(entry.action, entry.action),
            "icon": ICONS.get(entry.action.split(":")[0], "list"),
        }
        for entry in entries[:RECENT]
    ]
