"""Every form sent with the fields of every model added does what it does without them: nobody writes what the page does
not ask for, be it a role, a tenant, a state or somebody else's row."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import path, resolve, reverse
from django.utils import timezone

from clients.models import AppClient, AttributeDefinition, Role, Rotation, Secret, Tenant, User
from clients.models.ids import new_ulid
from clients.services import (
    attributes,
    client_changes,
    client_states,
    handovers,
    operations,
    people,
    retirements,
    revocations,
    rotations,
    secrets,
)
from portal.urls import urlpatterns as ours
from tests.conftest import ConfirmedClient
from tests.support import PASSWORD
from tests.views.forms import Form, forms_of
from tests.views.test_permissions import TABLE
from tests.views.typed import NO_FORM, TYPED

LEAK = "leaked"
WRITES = """CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient AddUserPoolClientSecret CreateResourceServer
    UpdateResourceServer DeleteResourceServer DeleteUserPoolClientSecret PutItem UpdateItem DeleteItem BatchWriteItem
    TransactWriteItems UpdateUserPool""".split()
# Made anew by each act: what counts is that it was made, and that it is nothing of what was sent.
RANDOM = {"ending", "fingerprint", "session_key", "token_hash", "password", "hash", "previous_hash", "lease_token"}
NO_MODELS = (Session, ContentType)


# --- What is added -----------------------------------------------------------------------------------


def told_as(column):
    """Something a form would take for this column, and nobody would choose by chance."""
    if column.choices:
        return str(column.choices[0][0])
    if isinstance(column, models.ManyToManyField | models.ForeignKey):
        return str(column.related_model._base_manager.values_list("pk", flat=True).last() or 1)
    kinds = {
        models.BooleanField: "on", models.IntegerField: "7", models.FloatField: "7.5", models.JSONField: f'["{LEAK}"]',
        models.DateTimeField: "2001-01-01 00:00", models.EmailField: f"{LEAK}@evil.example",
        models.URLField: f"https://{LEAK}.example/", models.GenericIPAddressField: "192.0.2.66",
    }  # fmt: skip
    return next((text for kind, text in kinds.items() if isinstance(column, kind)), f"{LEAK}-passphrase-1")


def every_field():
    """Each name of each model, as Django and as the database call it, and what other sites have beside."""
    added = dict.fromkeys(("is_staff", "is_superuser", "user_permissions", "groups", "permissions", "admin"), "1")
    for model in apps.get_models():
        for column in (*model._meta.concrete_fields, *model._meta.many_to_many):
            added |= dict.fromkeys((column.name, getattr(column, "attname", column.name)), told_as(column))
    acme = Tenant.objects.get(slug="acme-robotics").pk
    return added | {"role": Role.ADMINISTRATOR, "tenant": "acme-robotics", "tenant_id": acme, "status": "deleted"}


# --- What changed --------------------------------------------------------------------------------------


def rows():
    """Every row of every table, by its key."""
    kept = [model for model in apps.get_models(include_auto_created=True) if model not in NO_MODELS]
    return {model: {row[model._meta.pk.attname]: row for row in model._base_manager.values()} for model in kept}


def plain(column, value, before):
    """A value without what is new each time: keys, marks, moments. A moment counts by its distance from now."""
    if isinstance(column, models.ForeignKey | models.AutoField):
        known = before.get(column.related_model if column.is_relation else column.model, {})
        return value if value is None or value in known else "new"
    if isinstance(value, datetime):
        return f"now + {round((value - timezone.now()).total_seconds() / 300)} times 5 minutes"
    if isinstance(value, float):
        return f"now + {round((value - timezone.now().timestamp()) / 300)} times 5 minutes"
    if column.name in RANDOM and value and LEAK not in str(value):
        return "made anew"
    if isinstance(value, bytes | memoryview):
        return f"{len(bytes(value))} bytes"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    text = re.sub(r"[0-9A-HJKMNP-TV-Z]{26}", "ULID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+(\+00:00|Z)?", "MOMENT", text)
    return re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)


def changes(before, after):
    """What is new, gone or another; new rows in the order they were made."""
    found = []
    for model, now in after.items():
        columns, then = {c.attname: c for c in model._meta.concrete_fields}, before[model]
        found += [("gone", model.__name__, str(key)) for key in then.keys() - now.keys()]
        for key in sorted(now, key=lambda key: (len(str(key)), str(key))):  # numbers by size, ids by their letters
            old = then.get(key, {})
            differs = {n: plain(columns[n], v, before) for n, v in now[key].items() if n not in old or old[n] != v}
            if differs:
                found.append(("changed" if old else "new", model.__name__, str(key) if old else "", differs))
    return found


# --- Sending, and taking back --------------------------------------------------------------------------


@dataclass
class Desk:
    """A browser of each kind, and the state everything is sent from."""

    world: object
    cookies: dict = field(default_factory=dict)
    before: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)
    token: str = ""
    code: str = ""
    more: list = field(default_factory=list)
    of_member: list = field(default_factory=list)

    def browser(self, who):
        browser = ConfirmedClient(raise_request_exception=False)
        if who not in self.cookies:
            if who:
                browser.force_login(User.objects.get(email=who))
            self.cookies[who] = browser.cookies.output(header="", sep=";")
        browser.cookies.load(self.cookies[who])
        return browser

    def outcome(self, who, action, sent):
        """(the answer, its status and all that changed); afterwards nothing of it has happened."""
        self.world.sandbox._control("DELETE", "/_sandbox/calls")
        mail.outbox.clear()
        taken = transaction.savepoint()
        answer = self.browser(who).post(action, sent)
        found = changes(self.before, rows())
        transaction.savepoint_rollback(taken)
        mailed = [(sorted(each.to), each.subject) for each in mail.outbox]
        calls = [(call["operation"], call["app_client"]) for call in self.world.sandbox.calls()]
        return answer, {"status": answer.status_code, "rows": found, "mailed": mailed, "calls": calls}


def compared(desk, who, form, filled, button=(), asked_before=frozenset()):
    """(what the form changed as it stands, its answer, what came of the extra fields beside)."""
    sent = form.data(**filled) | dict([button] if button else [])
    answer, own = desk.outcome(who, form.action, sent)
    left_out = form.names | asked_before | set(sent) | {name for name, _ in form.buttons}
    desk.fields = desk.fields or every_field()
    added = {name: value for name, value in desk.fields.items() if name not in left_out}
    leaks = {}
    for kind, extra in {"filled": added, "emptied": dict.fromkeys(added, "")}.items():
        _, with_extra = desk.outcome(who, form.action, sent | extra)
        leaks |= {f"{kind} {part}": (own[part], with_extra[part]) for part in own if own[part] != with_extra[part]}
    return own, answer, leaks


# --- Every form of every page ------------------------------------------------------------------------------


def handed_over(world):
    """(the code of a link, the pages of a member something waits for); and a client nobody was handed over yet."""
    by = {"actor": world.people["operator"], "hours": 24}
    _, linked, offered = (world.create(name=name) for name in ("fresh", "linked", "offered"))
    handovers.offer_to_member(offered.secrets.get(), world.people["developer"], **by)
    code = handovers.offer_by_link(linked.secrets.get(), with_pin=False, **by).token
    own = [reverse(name, args=[offered.public_id]) for name in ("client-overview", "change-request")]
    return code, own


def in_rotation(world, said):
    """A client both of whose secrets work, and one for which a rotation is asked; the pages with their forms."""
    rotating = world.create(name="rotating")
    rotations.start_rotation(rotating, operation_id=new_ulid(), overlap_hours=24, **said)
    for each in rotating.secrets.all():
        secrets.reveal_secret(each, **said)
    leaking = world.create(name="leaking")
    rotations.request_rotation(leaking.secrets.get(), "“This wasn’t me”")
    going = Rotation.objects.get(app_client=rotating).public_id
    return [
        *(reverse("client-secrets", args=[each.public_id]) for each in (rotating, leaking)),
        reverse("rotation-finish", args=[going]), reverse("rotation-cancel", args=[going]),
    ]  # fmt: skip


def companions(world, app_client):
    """Something in every state that pages have a form for; returns addresses beside those of the routes."""
    admin, said = world.people["administrator"], {"actor": world.people["administrator"]}
    rotating = in_rotation(world, said)
    paused = world.create(name="paused")
    client_states.pause_client(paused, operation_id=new_ulid(), reason="Holidays", **said)
    shown = world.create(name="shown", tenant=world.tenants["acme-robotics"])
    Secret.objects.filter(app_client=shown).update(delivered_at=timezone.now(), delivered_to=admin)
    people.deactivate(world.people["auditor"], **said)
    token = people.invite("nora@portal.example", "support", **said)
    attributes.retire_definition(AttributeDefinition.objects.get(claim_name="rate_limit"), generation=1, **said)
    retired = attributes.define_attribute(claim_name="old", type="string", **said)
    attributes.restore_definition(AttributeDefinition.objects.get(claim_name="rate_limit"), generation=2, **said)
    attributes.retire_definition(retired, generation=1, **said)
    server = world.pool.resource_servers.get(identifier="shipments")
    going = retirements.start_retirement(server, scope_names=["track"], reason="Old", **said)
    found = [{"Name": "Loose", "Identifier": "loose", "Scopes": [{"ScopeName": "a", "ScopeDescription": "A"}]}]
    world.cognito.create_resource_server(UserPoolId=world.pool.user_pool_id, **found[0])
    for _ in range(2):  # sessions that the page of sessions can end
        Client().post(reverse("account_login"), {"login": admin.email, "password": PASSWORD})
    TOTP.activate(world.people["support"], "A" * 32)
    for operation in WRITES:  # from here on Cognito and DynamoDB stay as they are
        world.sandbox.fault(operation, "throttle", times=10_000)
    stuck = {"access_token_seconds": 7200, "name": "stuck", "generation": shown.generation, "notes": "",
             "contact": None}  # fmt: skip
    client_changes.change_settings(shown, operation_id=new_ulid(), **stuck, **said)
    create = reverse("client-create") + "?tenant=northwind&pool=prod"
    return token, [
        *rotating,
        create, reverse("client-resume", args=[paused.public_id]), reverse("client-secrets", args=[shown.public_id]),
        reverse("client-overview", args=[shown.public_id]), reverse("retirement-page", args=[going.public_id]),
        reverse("attribute-restore", args=[retired.pk]), reverse("tenant-change-start", args=["acme-robotics", "off-board"]), *(reverse("person-page", args=[p.pk]) for p in world.people.values()),
    ]  # fmt: skip


@pytest.fixture
def desk(world, app_client, monkeypatch):
    monkeypatch.setattr(operations, "URGENT", timedelta(0))  # nobody waits for an emergency that is put off
    monkeypatch.setattr(revocations, "PATIENCE", 0.0)
    desk = Desk(world)
    desk.code, desk.of_member = handed_over(world)
    desk.token, desk.more = companions(world, app_client)
    desk.of_member.append(reverse("client-secrets", args=[AppClient.objects.get(name="rotating").public_id]))
    desk.more.append(reverse("handover-create", args=[AppClient.objects.get(name="fresh").public_id]))
    return desk


def route_of(action):
    return resolve(action.split("?")[0]).url_name


def area(route):
    if route.startswith(
        (
            "client",
            "secret",
            "rotation",
            "bulk",
            "snippet",
            "contact",
            "operation",
            "home",
            "theme",
            "hand",
            "change-request",
        )
    ):
        return "clients"
    return "catalogue" if route.startswith(("tenant", "attribute", "server", "scope", "retirement")) else "people"


def pages(desk, address, part):
    """(who, where) of every page: all as administrator, those of an own account also as one with a second factor, those
    before the sign-in as nobody."""
    admin, support = "administrator@portal.example", "support@portal.example"
    asked = [row["route"] for row in TABLE if row["method"] == "GET" and area(row["route"]) == part]
    own = [address(route) for route in asked if route.startswith(("account_", "mfa_", "usersessions"))]
    outside = {"people": ["account_login", "invitation-accept"], "clients": ["handover-link"]}.get(part, [])
    member = [("developer@northwind.example", where) for where in desk.of_member if part == "clients"]
    more = [where for where in desk.more if area(route_of(where)) == part]
    everything = [(admin, where) for where in [*more, *map(address, asked)]]
    return everything + [(support, where) for where in own] + member + [("", reverse(name)) for name in outside]


def forms_on(desk, address, part):
    """Each form once: the same fields to the same route are the same form, whichever row it is about."""
    seen, found = set(), []
    for who, where in pages(desk, address, part):
        page = desk.browser(who).get(where)
        if page.status_code == 200 and not page.streaming:
            found += [(who, form) for form in forms_of(page) if form.method == "post" and is_new(who, form, seen)]
    return found


def is_new(who, form, seen):
    kind = (who == "", route_of(form.action), frozenset(form.names), tuple(form.buttons))
    if kind in seen:
        return False
    seen.add(kind)
    return True


def sent_with(desk, form):
    """What is typed into it, and by which of its buttons it is sent."""
    typed = dict(TYPED.get(route_of(form.action), {}))
    if route_of(form.action) == "contact-set":
        typed = {
            "chosen": [AppClient.objects.get(name="paused").public_id],
            "contact": str(User.objects.get(role="operator").pk),
        }
    if "{ending}" in typed.values():
        typed["typed"] = ending_of(form.action)
    if route_of(form.action) == "handover-link":
        typed["code"] = desk.code
    if route_of(form.action) == "invitation-accept":
        typed["token"] = desk.token
    names = dict(form.buttons)
    return typed, ([()] if not {"release", "cancel"} & names.keys() else []) + form.buttons


def ending_of(action):
    """Of the secret that goes, as its page asks for it."""
    ids = resolve(action).kwargs
    if "secret_id" in ids:
        return Secret.objects.get(public_id=ids["secret_id"]).ending
    return Rotation.objects.get(public_id=ids["public_id"]).old_secret.ending


def sweep(desk, found):
    """(what leaked, the routes that did something as their form stands). A review is a form as well; the fields of the
    one before it are its own, also where a box that is not ticked is not carried along."""
    leaked, doing, seen, waiting = {}, set(), set(), [(who, form, frozenset()) for who, form in found]
    desk.before = rows()
    while waiting:
        who, form, asked_before = waiting.pop()
        typed, buttons = sent_with(desk, form)
        for button in buttons:
            own, answer, leaks = compared(desk, who, form, typed, button, asked_before)
            if leaks:
                leaked[who, form.action, button] = leaks
            if own["rows"] or own["mailed"]:
                doing.add(route_of(form.action))
            is_page = answer.status_code == 200 and "html" in answer["Content-Type"]
            reviews = [each for each in forms_of(answer) if "save" in dict(each.buttons)] if is_page else []
            waiting += [(who, each, frozenset(form.names)) for each in reviews if is_new(who, each, seen)]
    return leaked, doing


@pytest.mark.asvs("2.2.2", "8.3.1")
@pytest.mark.parametrize("part", ["clients", "catalogue", "people"])
def test_extra_fields_of_any_model_change_nothing_beyond_the_forms_own(desk, address, part):
    found = forms_on(desk, address, part)

    leaked, doing = sweep(desk, found)

    assert leaked == {}
    assert {route for route in TYPED if area(route) == part} - doing == set(), "a form that is refused proves nothing"
    taking = {row["route"] for row in TABLE if row["method"] == "POST" and row["administrator"] != "405"}
    without = {route for route in taking if area(route) == part} - {route_of(form.action) for _, form in found}
    assert without - set(NO_FORM) == set(), "a route takes a form that none of the pages shows"


# --- Planted defects -----------------------------------------------------------------------------------------


def planted(request):
    """Takes whatever columns of a person it is sent, as a form of the whole model would."""
    person = User.objects.get(role=Role.DEVELOPER)
    person.name = request.POST["name"]
    for column in LEAKING:
        if column in request.POST:
            setattr(person, column, request.POST[column] or 0)
    with suppress(TypeError, ValueError, ValidationError, DatabaseError), transaction.atomic():
        person.save()
    return HttpResponse("answered")


urlpatterns = [*ours, path("planted/", planted)]
LEAKING: list[str] = []
BOTH = {"filled rows", "emptied rows"}


@pytest.mark.parametrize(("column", "found"), [
    ("", set()), ("email", BOTH), ("session_epoch", {"filled rows"}), ("is_active", BOTH),
    ("last_login", BOTH), ("password", BOTH),
])  # fmt: skip
def test_planted_view_that_saves_what_it_is_sent_is_found(world, settings, monkeypatch, column, found):
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr("tests.views.test_extra_fields.LEAKING", [column] if column else [])
    desk = Desk(world, before=rows())

    own, _, leaks = compared(desk, "", Form("/planted/", "post", [("name", "Own")], {"name"}), {})

    assert own["rows"][0][3] == {"name": "Own"} and set(leaks) == found
