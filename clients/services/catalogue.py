"""Resource servers and scopes: adopted from Cognito, created, changed there and here."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from clients.aws.cognito import Gateway, RemoteServer
from clients.errors import Conflict, InvalidInput, NotFound, Overruled, Refused, Throttled
from clients.models import Operation, Outcome, ResourceServer, Scope, Status, User, UserPool
from clients.models.operations import OperationQuerySet
from clients.services import audit
from clients.services.operations import Record, begin, find_repeated, run_once, step
from clients.validators import check_api_url, check_new_scopes, check_server

PRESENT = [status for status in Status if status != Status.DELETED]
READING = ("read", "get", "list", "track", "view")
CREATE, CHANGE, DELETE = "resource_server:create", "resource_server:change", "resource_server:delete"


@dataclass(frozen=True)
class Api:
    """How the API behind a resource server is called: for snippets, never for access."""

    kind: str = "none"
    url: str = ""
    method: str = "POST"
    example_call: str = ""

    def fields(self) -> dict[str, str]:
        return {
            "api_kind": self.kind, "api_url": self.url, "api_method": self.method, "example_call": self.example_call,
        }  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What a form showed of a server: its name, and descriptions by scope."""

    name: str
    descriptions: dict[str, str]


def _gateway(pool: UserPool) -> Gateway:
    return Gateway(pool.region, pool.user_pool_id)


def _target(pool: UserPool, identifier: str) -> str:
    """One live operation per resource server; an identifier may be longer than the column."""
    return f"server:{pool.pk}:{hashlib.sha256(identifier.encode()).hexdigest()[:32]}"


def operations_on(server: ResourceServer) -> OperationQuerySet:
    return Operation.objects.filter(target=_target(server.pool, server.identifier))


def _refuse(problems: dict[str, list[str]]) -> None:
    found = {field: sentences for field, sentences in problems.items() if sentences}
    if found:
        raise InvalidInput(found)


def _mirror(pool: UserPool, remote: RemoteServer, api: Api | None = None) -> ResourceServer:
    """Our rows become what Cognito holds; scopes that are gone there go here, or are marked where a client still holds
    them: its tokens come without them, silently (cognito_facts section 3)."""
    defaults = {"name": remote.name, "drift": {}} | (api.fields() if api else {})
    server, _ = ResourceServer.objects.update_or_create(pool=pool, identifier=remote.identifier, defaults=defaults)
    for name, description in remote.scopes.items():
        told = {"description": description, "full_name": f"{remote.identifier}/{name}", "gone_at": None}
        new = told | {"is_read_only": name in READING}
        Scope.objects.update_or_create(resource_server=server, name=name, defaults=told, create_defaults=new)
    gone = server.scopes.exclude(name__in=remote.scopes)
    gone.filter(app_clients__isnull=True).delete()
    gone.filter(gone_at__isnull=True).update(gone_at=timezone.now())
    return server


def _rows(pool: UserPool, identifier: str) -> list[tuple[Any, ...]]:
    """All that a form about the server shows."""
    server = ResourceServer.objects.filter(pool=pool, identifier=identifier)
    scopes = Scope.objects.filter(resource_server__in=server).order_by("name")
    return [*server.values_list("name", *Api().fields()), *scopes.values_list("name", "description", "gone_at")]


def adopt_resource_server(
    pool: UserPool,
    *,
    actor: User,
    identifier: str,
    api: Api | None = None,
    via: str = "web",
) -> ResourceServer:
    """Our rows mirror the server's scopes in Cognito. Calling again refreshes them; how its API is called changes only
    when `api` is given. Whoever has a form of it open is told when anything differed, as after any other change.
    Refused: a server Cognito does not have, an address that is none, a server changed here during the look."""
    if api:
        _refuse({"api_url": check_api_url(api.kind, api.url)})
    known = ResourceServer.objects.filter(pool=pool, identifier=identifier).first()
    remote = _gateway(pool).find_resource_server(identifier)
    if remote is None:
        raise InvalidInput({"identifier": [f"Cognito has no resource server {identifier} in this pool."]})
    with transaction.atomic():
        before = _rows(pool, identifier)
        server = _mirror(pool, remote, api)
        if known and _rows(pool, identifier) != before:
            _raise_generation(server, known.generation)
        detail = remote.facts() | {"identifier": identifier} | (api.fields() if api else {})
        audit.append("resource_server:adopt", Outcome.OK, actor=actor, via=via, pool=pool, detail=detail)
    return server


def adoptable(pool: UserPool) -> tuple[list[RemoteServer], bool]:
    """Resource servers Cognito has and we do not, by identifier, and whether it has any at all. One look; raises when
    Cognito cannot be reached."""
    known = set(ResourceServer.objects.filter(pool=pool).values_list("identifier", flat=True))
    there = [RemoteServer.from_answer(item) for item in _gateway(pool).list_resource_servers()]
    new = [server for server in there if server.identifier not in known]
    return sorted(new, key=lambda server: server.identifier), bool(there)


def change_api(
    server: ResourceServer, *, actor: User, generation: int, api: Api, reading: set[str] | None = None, via: str = "web"
) -> None:
    """How the API is called, for snippets, and which scopes only read, for the *read only* template (None: as they
    are); here alone. Refused: an address that is none, a form older than the row. Saving the same again is no act."""
    _refuse({"api_url": check_api_url(api.kind, api.url)})
    held = set(server.scopes.filter(is_read_only=True).values_list("name", flat=True))
    called = Api(server.api_kind, server.api_url, server.api_method, server.example_call).fields()
    wanted = held if reading is None else set(server.scopes.filter(name__in=reading).values_list("name", flat=True))
    before, after = called | {"read_only": sorted(held)}, api.fields() | {"read_only": sorted(wanted)}
    if before == after:
        return
    with transaction.atomic():
        _raise_generation(server, generation)
        ResourceServer.objects.filter(pk=server.pk).update(**api.fields())
        server.scopes.filter(name__in=wanted).update(is_read_only=True)
        server.scopes.exclude(name__in=wanted).update(is_read_only=False)
        detail = {"identifier": server.identifier, "before": before, "after": after}
        audit.append("resource_server:change_api", Outcome.OK, actor=actor, via=via, pool=server.pool, detail=detail)


def _raise_generation(server: ResourceServer, generation: int) -> None:
    same = ResourceServer.objects.filter(pk=server.pk, generation=generation)
    if not same.update(generation=F("generation") + 1):
        raise Conflict("Somebody changed this resource server since you opened the page. Look at it first.")
    server.generation = generation + 1


# --- Create --------------------------------------------------------------------------------------


def create_resource_server(
    pool: UserPool,
    *,
    actor: User,
    operation_id: str,
    identifier: str,
    name: str,
    scopes: dict[str, str],
    api: Api | None = None,
    via: str = "web",
) -> Operation:
    """A resource server with its scopes (name → description) exists in Cognito and here.

    Refused before anything is written: malformed or taken identifiers and names, too many scopes, identifier plus
    scope over 256 characters (cognito_facts section 3). One made outside is not taken over silently: adopt it.
    """
    api = api or Api()
    params: dict[str, Any] = {"pool": pool.public_id, "identifier": identifier, "name": name, "scopes": scopes}
    params |= api.fields()
    if repeated := find_repeated(operation_id, CREATE, params, actor):
        return repeated
    problems = check_server(identifier, name) | {"scopes": check_new_scopes(identifier, scopes)}
    problems["api_url"] = check_api_url(api.kind, api.url)
    if not problems["identifier"] and ResourceServer.objects.filter(pool=pool, identifier=identifier).exists():
        problems["identifier"].append(f"This pool has a resource server {identifier} already.")
    _refuse(problems)
    target = _target(pool, identifier)

    def write() -> Operation:
        return begin(operation_id, CREATE, target=target, params=params, actor=actor, via=via, pool=pool)

    return run_once(operation_id, CREATE, params, actor, write)


@step(CREATE, "create", writes_to_pool=True)
def _create_in_cognito(operation: Operation, unknown: bool) -> Record:
    """The identifier is unique there, so after an unknown outcome an equal one is ours, a different one is not."""
    pool, params = operation.pool, operation.params
    wanted = RemoteServer(params["identifier"], params["name"], params["scopes"])
    found = _gateway(pool).find_resource_server(wanted.identifier) if unknown else None
    if found is None:
        try:
            _gateway(pool).create_resource_server(wanted)
        except Refused:
            found = _gateway(pool).find_resource_server(wanted.identifier)
            if found is None:
                raise
            if found != wanted or not (unknown or operation.was_unknown):
                raise Refused(_foreign(wanted.identifier)) from None
            # An earlier request of ours arrived after all, between the look and this one.
    elif found != wanted:
        raise Refused(_foreign(wanted.identifier))

    def record() -> dict[str, Any]:
        api = Api(params["api_kind"], params["api_url"], params["api_method"], params["example_call"])
        server = _mirror(pool, wanted, api)
        return {"identifier": server.identifier, "scopes": sorted(wanted.scopes), "adopted": found is not None}

    return record


def _foreign(identifier: str) -> str:
    return f"Cognito has another resource server {identifier}, made outside the portal. Adopt it instead."


# --- Change --------------------------------------------------------------------------------------


def change_resource_server(
    server: ResourceServer,
    *,
    actor: User,
    operation_id: str,
    generation: int,
    name: str | None,
    descriptions: dict[str, str],
    added: dict[str, str],
    shown: Shown | None = None,
    via: str = "web",
) -> Operation:
    """Name, descriptions of scopes and new scopes, in Cognito and here; what somebody else changed there stays, and so
    does a name that is None.

    `shown`: what the person saw of it; None: what stands here. Cognito holding anything else there by now ends the
    operation as refused. Refused at once: malformed values, scopes that exist or are retiring, a form older than the
    row, another live operation.
    """
    params: dict[str, Any] = {
        "server": server.identifier, "pool": server.pool.public_id, "generation": generation, "name": name,
        "descriptions": descriptions, "added": added, "removed": [],
    }  # fmt: skip
    if repeated := find_repeated(operation_id, CHANGE, params, actor):
        return repeated
    _refuse(_check_change(server, name, descriptions, added))

    def write() -> Operation:
        _raise_generation(server, generation)
        seen = shown or Shown(server.name, dict(server.scopes.values_list("name", "description")))
        known = {scope: seen.descriptions[scope] for scope in descriptions if scope in seen.descriptions}
        told = {"known": known, "known_name": seen.name}
        return begin_change(server, params, actor=actor, operation_id=operation_id, via=via, told=told)

    return run_once(operation_id, CHANGE, params, actor, write)


def _check_change(
    server: ResourceServer, name: str | None, descriptions: dict[str, str], added: dict[str, str]
) -> dict[str, list[str]]:
    rows = {scope.name: scope for scope in server.scopes.all()}
    held = {scope for scope, row in rows.items() if row.retiring_at or not row.gone_at}  # the gone may come back
    gone = [scope for scope in descriptions if scope in rows and rows[scope].gone_at]
    problems = {"name": [] if name is None else check_server(server.identifier, name)["name"]}
    everything = dict.fromkeys(held, "x") | added
    problems["added"] = [f"{scope} exists already." for scope in added if scope in held]
    problems["added"] += check_new_scopes(server.identifier, everything)
    problems["descriptions"] = [f"There is no scope {scope}." for scope in descriptions if scope not in rows]
    problems["descriptions"] += [f"{scope} is gone in Cognito, so it cannot be described." for scope in gone]
    problems["descriptions"] += check_new_scopes(server.identifier, descriptions) if descriptions else []
    return problems


def check_change(
    server: ResourceServer, name: str | None, descriptions: dict[str, str], added: dict[str, str], *, generation: int
) -> None:
    """What `change_resource_server` would refuse, for a review before it; changes nothing."""
    if server.generation != generation:
        raise Conflict("Somebody changed this resource server since you opened the page. Look at it first.")
    _refuse(_check_change(server, name, descriptions, added))


def begin_change(
    server: ResourceServer, params: dict[str, Any], *, actor: User, operation_id: str, via: str, reason: str = "",
    told: dict[str, Any] | None = None,
) -> Operation:  # fmt: skip
    """The intent alone, inside the caller's transaction."""
    return begin(
        operation_id, CHANGE, target=_target(server.pool, server.identifier), params=params, told=told, actor=actor,
        via=via, pool=server.pool, reason=reason,
    )  # fmt: skip


@step(CHANGE, "update", writes_to_pool=True)
def _update_in_cognito(operation: Operation, unknown: bool) -> Record:
    """UpdateResourceServer replaces the whole list without noticing anybody (cognito_facts section 3): so the
    differences we were asked for go onto what is there now. Repeating it changes nothing more."""
    params, pool = operation.params, operation.pool
    _refuse_held(pool, params["server"], params["removed"])

    def merged(observed: RemoteServer) -> RemoteServer:
        _refuse_unseen(observed, params)
        scopes = {name: text for name, text in observed.scopes.items() if name not in params["removed"]}
        scopes |= params["descriptions"] | params["added"]
        return RemoteServer(observed.identifier, params["name"] or observed.name, scopes)

    changed = _gateway(pool).change_resource_server(params["server"], merged)
    if changed.after != changed.sent:
        raise Throttled(
            "Somebody changed this resource server in Cognito at the same moment. The portal writes its part again.",
            technical=f"sent {changed.sent}, found {changed.after}",
        )

    def record() -> dict[str, Any]:
        server = _mirror(pool, changed.after)
        # Raised again: whoever opened the form while this one waited saw what was there before it.
        ResourceServer.objects.filter(pk=server.pk).update(generation=F("generation") + 1)
        return {"identifier": params["server"], "before": changed.before.facts(), "after": changed.after.facts()}

    return record


def _refuse_unseen(observed: RemoteServer, params: dict[str, Any]) -> None:
    """What somebody wrote or removed in the console where we were asked to write: neither what the person saw nor what
    they want. They look at it first; overwriting it would lose it without a word."""
    if gone := params["descriptions"].keys() - observed.scopes.keys():
        raise Overruled(f"Cognito has no scope {min(gone)} any more.")
    wanted = params["descriptions"] | params["added"]
    shown = params.get("known", {})
    texts = {name: observed.scopes[name] for name in wanted if name in observed.scopes}
    strange = [name for name, text in texts.items() if text not in (wanted[name], shown.get(name))]
    if strange:
        name = min(strange)
        raise Overruled(f"In Cognito {name} is described as “{texts[name]}” by now. Look at it, then decide.")
    if params["name"] and observed.name not in (params["name"], params.get("known_name", observed.name)):
        raise Overruled(f"In Cognito it is named “{observed.name}” by now. Look at it, then decide.")


def _refuse_held(pool: UserPool, identifier: str, names: list[str] | None) -> None:
    """Looked at right before the removal: a retirement may have been cancelled, and the scope given out again."""
    scopes = Scope.objects.filter(resource_server__pool=pool, resource_server__identifier=identifier)
    scopes = scopes if names is None else scopes.filter(name__in=names)
    held = scopes.exclude(app_clients=None).filter(app_clients__status__in=PRESENT).values_list("full_name", flat=True)
    if held:
        raise Refused(f"{held[0]} is held by a client again, so it was not removed.")


def _refuse_strange_scopes(pool: UserPool, identifier: str) -> None:
    """A scope made outside that nobody here knows would go with the server, unseen, from whoever holds it there."""
    remote = _gateway(pool).find_resource_server(identifier)
    known = Scope.objects.filter(resource_server__pool=pool, resource_server__identifier=identifier)
    strange = sorted((remote.scopes if remote else {}).keys() - set(known.values_list("name", flat=True)))
    if strange:
        names = ", ".join(strange[:5])
        raise Refused(f"In Cognito it has scopes nobody knows here: {names}. Cancel this and read the server again.")


# --- Delete --------------------------------------------------------------------------------------


def begin_delete(server: ResourceServer, *, actor: User, operation_id: str, via: str, reason: str) -> Operation:
    """The intent alone, inside the caller's transaction; only for a server no client holds a scope of."""
    params = {"server": server.identifier, "pool": server.pool.public_id}
    return begin(
        operation_id, DELETE, target=_target(server.pool, server.identifier), params=params, actor=actor, via=via,
        pool=server.pool, reason=reason,
    )  # fmt: skip


@step(DELETE, "delete", writes_to_pool=True)
def _delete_in_cognito(operation: Operation, unknown: bool) -> Record:
    """Gone already is gone: what we wanted."""
    identifier = operation.params["server"]
    _refuse_held(operation.pool, identifier, None)
    try:
        _refuse_strange_scopes(operation.pool, identifier)
        _gateway(operation.pool).delete_resource_server(identifier)
    except NotFound:
        pass

    def record() -> dict[str, Any]:
        rows = ResourceServer.objects.filter(pool=operation.pool, identifier=identifier)
        Scope.objects.filter(resource_server__in=rows, app_clients__isnull=True).delete()
        rows.filter(scopes__isnull=True).delete()
        return {"identifier": identifier}

    return record
