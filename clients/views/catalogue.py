"""Resource servers and their scopes: the list, adopting, creating, changing."""

from typing import Any

from django.contrib import messages
from django.db.models import Exists, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from clients import permissions
from clients.errors import Conflict, InvalidInput, PortalError
from clients.forms.catalogue import (
    DESCRIPTION,
    WAS,
    ApiChangeForm,
    ScopeRow,
    ServerChangeForm,
    ServerForm,
    mark_rows,
    scope_rows,
    scopes_typed,
)
from clients.forms.editing import NOTHING
from clients.forms.errors import add_refusals, keep_typed
from clients.models import (
    GOING_ON,
    AppClient,
    Operation,
    OperationState,
    ResourceServer,
    Retirement,
    RetirementState,
    Scope,
    Status,
    User,
    UserPool,
)
from clients.services import catalogue
from clients.templatetags.portal import MOST
from clients.views.conflicts import conflict_told, edit_conflict, last_change
from clients.views.errors import bad_request
from clients.views.fetching import Predicate, need, person, signed_in
from clients.views.outcome import refused, say_outcome, status_of
from clients.views.words import WORDS

SHOWN = 12
HERE = {
    "api": "How it is called", "change": "Change scopes", "change_review": "Review", "conflict": "Not saved",
    "retire": "Retire scopes",
}  # fmt: skip


def get_server(request: HttpRequest, server_id: int, can: Predicate) -> ResourceServer:
    """Members meet no catalogue: 404 to them."""
    rows = ResourceServer.objects.select_related("pool")
    server = get_object_or_404(rows if person(request).is_staff_member else rows.none(), pk=server_id)
    need(person(request), can)
    return server


class Capped(Subquery):
    """How many rows there are, counted as far as `capped` says it: a page is as fast with a million of them."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def counted_scopes() -> QuerySet[Scope]:
    """With how many clients hold each, counted on the table between the two alone: it is narrow."""
    held: Any = AppClient.scopes.through.objects.filter(scope=OuterRef("pk"))
    held = held.exclude(appclient__in=AppClient.objects.filter(status=Status.DELETED).order_by().values("pk"))
    return Scope.objects.annotate(holders=Capped(held.order_by().values("pk")[: MOST + 1])).order_by("full_name")


def unfinished(server: ResourceServer | None = None) -> list[tuple[str, str, Operation]]:
    """(word, identifier, operation) of what has not reached Cognito; a refused creation is over once the server is here
    all the same."""
    rows = catalogue.operations_on(server) if server else Operation.objects.filter(kind__startswith="resource_server:")
    rows = rows.filter(Q(state=OperationState.RUNNING) | Q(pk__in=Operation.objects.stuck().values("pk")))
    found = [(WORDS[row.kind], row.params.get("server") or row.params["identifier"], row) for row in rows[:SHOWN]]
    here = set(ResourceServer.objects.values_list("pool_id", "identifier"))
    return [
        line for line in found
        if line[2].is_live or line[2].kind != catalogue.CREATE or (line[2].pool_id, line[1]) not in here
    ]  # fmt: skip


@signed_in("GET")
def scope_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_view_tenants)
    servers = ResourceServer.objects.select_related("pool").order_by("pool__environment", "identifier")
    going = Retirement.objects.filter(state__in=GOING_ON)
    rows = servers.prefetch_related(
        Prefetch("scopes", counted_scopes(), "counted"), Prefetch("retirements", going, "going")
    )
    context = {
        "nav": "scopes", "servers": rows, "removed": Retirement.objects.filter(state=RetirementState.DONE)[:SHOWN],
        "may_change": permissions.can_change_catalogue(user),
        "has_pool": UserPool.objects.exists(), "scope_count": Scope.objects.count(), "unfinished": unfinished(),
    }  # fmt: skip
    return render(request, "clients/scope_list.html", context)


# --- Adopt -----------------------------------------------------------------------------------------


@signed_in("GET", "POST")
def server_adopt(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_change_catalogue)
    if request.method == "POST":
        return _adopt(request, user)
    offers, failed = [], []
    for pool in UserPool.objects.all():
        try:
            bare = pool.resource_servers.filter(scopes__isnull=True)
            offers.append((pool, *catalogue.adoptable(pool), bare))
        except PortalError as error:
            failed.append((pool, error))
    return render(request, "clients/server_adopt.html", {"nav": "scopes", "offers": offers, "failed": failed})


def _adopt(request: HttpRequest, user: User) -> HttpResponse:
    pool = get_object_or_404(UserPool, environment=request.POST.get("pool", "").replace("\x00", ""))
    identifier = request.POST.get("identifier", "").replace("\x00", "")
    is_known = ResourceServer.objects.filter(pool=pool, identifier=identifier).exists()
    try:
        server = catalogue.adopt_resource_server(pool, actor=user, identifier=identifier)
    except PortalError as error:
        return refused(request, error, back=reverse("server-adopt"))
    said = f"{identifier} is adopted with its scopes. Say next how its API is called."
    if not server.scopes.exists():
        said = f"{identifier} is adopted. It has no scopes yet, and without one no client can be given any."
    if gone := server.scopes.filter(gone_at__isnull=False).values_list("full_name", flat=True):
        sentence = f"Gone in Cognito though clients hold it: {', '.join(gone)}. Their tokens come without it."
        messages.warning(request, f"{identifier} was read. {sentence}")
    else:
        messages.success(request, f"{identifier} stands here as in Cognito." if is_known else said)
    return redirect("server-page", server.pk)


# --- Create ----------------------------------------------------------------------------------------


@signed_in("GET", "POST")
def server_create(request: HttpRequest) -> HttpResponse:
    need(person(request), permissions.can_change_catalogue)
    if not UserPool.objects.exists():
        return redirect("scope-list")
    posted = request.POST if request.method == "POST" else None
    form, rows = ServerForm(posted), scope_rows(posted, more=posted is not None and "more" in posted)
    if posted is None or "more" in posted:
        return _create_page(request, ServerForm(initial=posted.dict() if posted else None), rows, [])
    scopes, problems = scopes_typed(rows)
    if not form.is_valid() or problems:
        if form.errors.keys() == {"operation_id"}:  # of no field a person sees
            return bad_request(request)
        return _create_page(request, form, rows, problems, status=422)
    return _create(request, form, rows, scopes)


def _create_page(
    request: HttpRequest, form: ServerForm, rows: list[ScopeRow], problems: list[str], *, status: int = 200
) -> HttpResponse:
    context = {"nav": "scopes", "form": form, "rows": rows, "scope_problems": problems}
    return render(request, "clients/server_create.html", context, status=status)


def _again(typed: QueryDict, reason: str) -> ServerForm:
    """As typed, to be sent as another operation: the refused one stays what it is."""
    form = ServerForm(typed)
    keep_typed(form, reason)
    return form


def _create(request: HttpRequest, form: ServerForm, rows: list[ScopeRow], scopes: dict[str, str]) -> HttpResponse:
    values = form.cleaned_data
    said = {name: values[name] for name in ("operation_id", "identifier", "name")}
    try:
        operation = catalogue.create_resource_server(
            values["pool"], actor=person(request), scopes=scopes, api=form.api(), **said
        )
    except InvalidInput as error:
        left = mark_rows(rows, values["identifier"], add_refusals(form, error).get("scopes", []))
        return _create_page(request, form, rows, left, status=422)
    except PortalError as error:
        return _create_page(request, _again(request.POST, error.sentence), rows, [], status=status_of(error))
    if operation.state == OperationState.REFUSED:  # over for good, and all of it is still here to be put right
        again = _again(request.POST, f"Cognito refused to create it. {operation.last_error}")
        return _create_page(request, again, rows, [], status=422)
    say_outcome(request, operation, f"The resource server {values['identifier']} is created.")
    made = ResourceServer.objects.filter(pool=values["pool"], identifier=values["identifier"]).first()
    return redirect("server-page", made.pk) if made else redirect("operation-list")


# --- One resource server ---------------------------------------------------------------------------


def server_frame(
    request: HttpRequest, server: ResourceServer, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    frame = {
        "nav": "scopes", "server": server, "may_change": permissions.can_change_catalogue(person(request)),
        "going": server.retirements.filter(state__in=GOING_ON).first(), "here": HERE.get(template, ""),
    }  # fmt: skip
    return render(request, f"clients/server_{template}.html", frame | context, status=status)


@signed_in("GET")
def server_page(request: HttpRequest, server_id: int) -> HttpResponse:
    server = get_server(request, server_id, permissions.can_view_tenants)
    scopes = list(counted_scopes().filter(resource_server=server))
    # Asked of each in the order of names, so that the walk ends with the last one that is shown.
    held = AppClient.scopes.through.objects.filter(scope__in=[scope.pk for scope in scopes], appclient=OuterRef("pk"))
    holders = AppClient.objects.present().filter(Exists(held)).select_related("tenant").order_by("name")
    ours = Prefetch("scopes", Scope.objects.filter(resource_server=server), "held")
    context = {
        "scopes": scopes, "holders": holders.prefetch_related(ours)[:SHOWN],
        "holder_count": holders.order_by()[: MOST + 1].count(), "unfinished": unfinished(server),
    }  # fmt: skip
    return server_frame(request, server, "page", context)


@signed_in("GET", "POST")
def server_api(request: HttpRequest, server_id: int) -> HttpResponse:
    server = get_server(request, server_id, permissions.can_change_catalogue)
    if request.method != "POST":
        return _api_page(request, server, ApiChangeForm.showing(server))
    form = ApiChangeForm(request.POST, server=server)
    if not form.is_valid() or "edit" in request.POST:
        return _api_page(request, server, form)
    facts = {"generation": form.cleaned_data["generation"], "api": form.api(), "reading": form.reading}
    try:
        catalogue.change_api(server, actor=person(request), **facts)
    except InvalidInput as error:
        add_refusals(form, error)
        return _api_page(request, server, form)
    except Conflict as error:
        server.refresh_from_db()
        leave = reverse("server-page", args=[server.pk])
        told = edit_conflict(error, form, form.showing(server), server, again=request.path, leave=leave)
        return server_frame(request, server, "conflict", told, status=409)
    messages.success(request, "Saved. Kits downloaded from now on call the API this way.")
    return redirect("server-page", server.pk)


def _api_page(request: HttpRequest, server: ResourceServer, form: ApiChangeForm) -> HttpResponse:
    return server_frame(request, server, "api", {"form": form}, status=422 if form.errors else 200)


@signed_in("GET", "POST")
def server_change(request: HttpRequest, server_id: int) -> HttpResponse:
    server = get_server(request, server_id, permissions.can_change_catalogue)
    if request.method != "POST":
        form = ServerChangeForm(initial={"generation": server.generation, "name": server.name, "was": server.name})
        return _change_page(request, server, form, scope_rows(None), {})
    form = ServerChangeForm(request.POST)
    rows = scope_rows(request.POST, more="more" in request.POST)
    if "operation_id" in form.errors or "generation" in form.errors:
        return bad_request(request)
    added, problems = scopes_typed(rows)
    if "more" in request.POST or "edit" in request.POST or problems or not form.is_valid():
        refusals = {"added": problems} if problems else {}
        return _change_page(request, server, form, rows, refusals, status=422 if problems or form.errors else 200)
    return _change(request, server, form, rows, added)


def _change_page(
    request: HttpRequest, server: ResourceServer, form: ServerChangeForm, rows: list[ScopeRow],
    problems: dict[str, list[str]], *, status: int = 200,
) -> HttpResponse:  # fmt: skip
    lines = [
        {"scope": scope, "name": DESCRIPTION + scope.name, "was_name": WAS + scope.name,
         "text": form.data.get(DESCRIPTION + scope.name, scope.description),
         "was": form.data.get(WAS + scope.name, scope.description)}
        for scope in server.scopes.order_by("name")
    ]  # fmt: skip
    if "added" in problems:
        problems = problems | {"added": mark_rows(rows, server.identifier, problems["added"])}
    context = {"form": form, "rows": rows, "lines": lines, "problems": problems}
    return server_frame(request, server, "change", context, status=status)


def _change(
    request: HttpRequest, server: ResourceServer, form: ServerChangeForm, rows: list[ScopeRow], added: dict[str, str]
) -> HttpResponse:
    descriptions, name, generation = form.descriptions(server), form.new_name(server), form.cleaned_data["generation"]
    if not added and not descriptions and name is None:
        messages.info(request, "Nothing differs from what is there.")
        return redirect("server-page", server.pk)
    try:
        if "save" not in request.POST:
            catalogue.check_change(server, name, descriptions, added, generation=generation)
            told = {"form": form, "rows": rows, "added": added, "lines": _differences(server, form, name, descriptions)}
            return server_frame(request, server, "change_review", told)
        operation = catalogue.change_resource_server(
            server, actor=person(request), operation_id=form.cleaned_data["operation_id"], generation=generation,
            name=name, descriptions=descriptions, added=added, shown=form.shown(server),
        )  # fmt: skip
    except InvalidInput as error:
        return _change_page(request, server, form, rows, add_refusals(form, error), status=422)
    except Conflict as error:
        return _change_stale(request, server, error, form, added)
    if operation.is_overruled:
        return _overruled(request, server, operation, form, rows, added)
    say_outcome(request, operation, "The resource server is saved.")
    return redirect("server-page", server.pk)


def _overruled(
    request: HttpRequest, server: ResourceServer, operation: Operation, form: ServerChangeForm, rows: list[ScopeRow],
    added: dict[str, str],
) -> HttpResponse:  # fmt: skip
    """Somebody changed it in Cognito: it is read again, so that both sides are shown as they are."""
    try:
        server = catalogue.adopt_resource_server(server.pool, actor=person(request), identifier=server.identifier)
    except PortalError:
        messages.error(request, f"This was not saved. {operation.last_error}")
        return _change_page(request, server, form, rows, {}, status=409)
    return _change_stale(request, server, Conflict(operation.last_error), form, added, is_ours=False)


def _change_stale(
    request: HttpRequest, server: ResourceServer, error: Conflict, form: ServerChangeForm, added: dict[str, str], *,
    is_ours: bool = True,
) -> HttpResponse:  # fmt: skip
    """What this person did not touch is left to whoever did. Not `is_ours`: it was done in Cognito, by nobody here."""
    seen = form.cleaned_data["generation"]
    is_under_way = Operation.objects.live().filter(pk__in=catalogue.operations_on(server).values("pk")).exists()
    server.refresh_from_db()
    descriptions, name, shown = form.descriptions(server), form.new_name(server), form.data
    now = {scope.name: "Gone in Cognito" if scope.gone_at else scope.description for scope in server.scopes.all()}
    lines = [("Name", shown.get("was") or NOTHING, server.name, name)] if name not in (None, server.name) else []
    lines += [(f"{server.identifier}/{scope}", shown.get(WAS + scope, NOTHING), now.get(scope, NOTHING), text)
              for scope, text in (descriptions | added).items()]  # fmt: skip
    typed = {DESCRIPTION + scope: text for scope, text in descriptions.items()}
    typed |= {key: str(text) for key, text in request.POST.items() if key == "rows" or key.startswith("scope-")}
    typed |= {"name": name or server.name, "was": server.name}
    told = conflict_told(
        error, differing=[line for line in lines if line[2] != line[3]], carried=list(typed.items()),
        generation=server.generation, again=reverse("server-change", args=[server.pk]),
        leave=reverse("server-page", args=[server.pk]), is_under_way=is_under_way,
        is_stale=seen != server.generation or not is_under_way, changed=last_change(server) if is_ours else None,
        meanwhile=form.others(server),
    )  # fmt: skip
    return server_frame(request, server, "conflict", told, status=409)


def _differences(
    server: ResourceServer, form: ServerChangeForm, name: str | None, descriptions: dict[str, str]
) -> list[tuple[str, str, str, str]]:
    """(scope, or nothing for the name; before, after, what the form had shown) of what changes."""
    held = dict(server.scopes.values_list("name", "description"))
    lines = [] if name is None else [("", server.name, name, "")]
    shown = form.data
    return lines + [(s, held[s], text, shown.get(WAS + s, held[s])) for s, text in descriptions.items()]
