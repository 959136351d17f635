"""Changing what an app client may ask for, its name and how long its tokens live: an operation with one step."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from clients.aws.cognito import Described
from clients.errors import Conflict, InvalidInput, Throttled, refuse
from clients.models import AppClient, Operation, User
from clients.services import claims, contacts, lifetimes
from clients.services.app_clients import assignable, client_of, gateway_for, is_taken, mark_of, taken
from clients.services.operations import Record, begin, find_repeated, run_once, step
from clients.validators import check_client_name, check_validity

CHANGE = "client:change"


def check_scopes(app_client: AppClient, scopes: list[str], *, generation: int) -> None:
    """What `change_scopes` would refuse, for a review before it; changes nothing."""
    _must_be_changeable(app_client)
    if app_client.generation != generation:
        raise Conflict("Somebody changed this client since you opened the page. Look at it first.")
    held = frozenset(app_client.scopes.values_list("full_name", flat=True))
    refuse({"scopes": assignable(app_client.pool, sorted(set(scopes)), held=held)[1]})


def change_scopes(
    app_client: AppClient, *, actor: User, operation_id: str, generation: int, scopes: list[str], via: str = "web",
    told: dict[str, Any] | None = None,
) -> Operation:  # fmt: skip
    """The client holds exactly these scopes, in Cognito and here; everything else of it stays as it was.

    Refused: as for creating; a form older than the client, or another live operation (Conflict). Tokens already issued
    keep the old scopes until they expire. `told`: what the trail shall say beside it.
    """
    before = sorted(app_client.scopes.values_list("full_name", flat=True))
    params: dict[str, Any] = {"client": app_client.public_id, "generation": generation, "scopes": sorted(set(scopes))}
    if repeated := find_repeated(operation_id, CHANGE, params, actor):
        return repeated
    _must_be_changeable(app_client)
    rows, problems = assignable(app_client.pool, params["scopes"], held=frozenset(before))
    refuse({"scopes": problems})

    def write() -> Operation:
        claims.raise_generation(app_client, generation)
        app_client.scopes.set(rows)
        return _begin_change(app_client, params, actor, operation_id, via, told)

    return run_once(operation_id, CHANGE, params, actor, write)


def change_settings(
    app_client: AppClient, *, actor: User, operation_id: str, generation: int, name: str, access_token_seconds: int,
    contact: User | None, notes: str, lifetime: tuple[int | None, str] | None = None, via: str = "web",
) -> Operation:  # fmt: skip
    """Name and token validity (seconds) are changed in Cognito and here, contact, notes and the secret's lifetime (days
    or None, reason) here; another contact or lifetime is an act of its own in the trail, and stays when Cognito refuses
    the rest. Refusals as above, and those of `change_lifetime`."""
    params = {
        "client": app_client.public_id, "generation": generation, "name": name, "notes": mark_of(notes),
        "access_token_seconds": access_token_seconds, "contact": contact.pk if contact else None,
    } | ({"lifetime": list(lifetime)} if lifetime else {})  # fmt: skip
    if repeated := find_repeated(operation_id, CHANGE, params, actor):
        return repeated
    _must_be_changeable(app_client)
    new_life = lifetime if lifetime and lifetimes.differs(app_client, *lifetime) else None
    told: dict[str, Any] = {"notes_changed": notes != app_client.notes}
    if access_token_seconds < app_client.access_token_seconds:
        told["seconds_before"] = app_client.access_token_seconds
    refuse({
        "name": _name_problems(app_client, name), "access_token_seconds": check_validity(access_token_seconds),
        "contact": contacts.check_contact(contact) if contact != app_client.contact else [],
        "secret_lifetime": lifetimes.check_change(app_client, *new_life) if new_life else [],
    })  # fmt: skip
    changes = {"name": name, "access_token_seconds": access_token_seconds, "notes": notes}

    def write() -> Operation:
        claims.raise_generation(app_client, generation)
        _write_settings(app_client, changes)
        _keep_older(app_client, told.get("seconds_before"))
        contacts.write_contact(app_client, contact, actor=actor, via=via)
        if new_life:
            lifetimes.write_lifetime(app_client, *new_life, actor=actor, via=via)
        return _begin_change(app_client, params, actor, operation_id, via, told)

    return run_once(operation_id, CHANGE, params, actor, write)


def _name_problems(app_client: AppClient, name: str) -> list[str]:
    renamed = AppClient(pk=app_client.pk, pool=app_client.pool, tenant=app_client.tenant, name=name)
    problems = check_client_name(name)
    return problems if problems or not is_taken(renamed) else [taken(app_client.tenant, name)]


def _write_settings(app_client: AppClient, changes: dict[str, Any]) -> None:
    try:
        with transaction.atomic():
            AppClient.objects.filter(pk=app_client.pk).update(**changes)
    except IntegrityError:  # somebody took the name since we looked
        raise InvalidInput({"name": [taken(app_client.tenant, changes["name"])]}) from None


def _keep_older(app_client: AppClient, seconds: int | None) -> None:
    """Tokens issued up to now live as long as they were issued for, whatever new ones get."""
    if seconds:
        until = timezone.now() + timedelta(seconds=seconds)
        longest = Greatest(Coalesce("older_tokens_until", until), until)
        AppClient.objects.filter(pk=app_client.pk).update(older_tokens_until=longest)


def _must_be_changeable(app_client: AppClient) -> None:
    if not app_client.is_changeable:
        raise Conflict(f"A client that is {app_client.get_status_display().lower()} cannot be changed.")


def _begin_change(
    app_client: AppClient, params: dict[str, Any], actor: User, operation_id: str, via: str,
    told: dict[str, Any] | None = None,
) -> Operation:  # fmt: skip
    return begin(
        operation_id, CHANGE, target=f"client:{app_client.public_id}", params=params, told=told, actor=actor, via=via,
        pool=app_client.pool, app_client=app_client, aspect="scopes" if "scopes" in params else "settings",
    )  # fmt: skip


@step(CHANGE, "update", writes_to_pool=True)
def _update_in_cognito(operation: Operation, unknown: bool) -> Record:
    """Sends our fields over what Cognito holds; repeating it writes the same again, so there is nothing to look for."""
    app_client = client_of(operation)
    app_client.refresh_from_db()  # the service changed the row, perhaps in another process
    wanted = _changes_for_cognito(app_client, operation.params)
    changed = gateway_for(app_client.pool).change_client(str(app_client.client_id), wanted)
    if {"ClientName", "AllowedOAuthScopes", "AccessTokenValidity", "TokenValidityUnits"} & changed.differs.keys():
        raise Throttled(
            "Somebody changed this client in Cognito at the same moment. The portal writes its own part again.",
            technical=f"found after the update: {changed.differs}",
        )

    def record() -> dict[str, Any]:
        _keep_older(app_client, operation.params.get("seconds_before"))  # counted from when Cognito knows
        facts = {"before": _facts(changed.before), "after": _facts(changed.after)}
        return facts | ({"differs_afterwards": changed.differs} if changed.differs else {}) | _told(operation)

    return record


def _changes_for_cognito(app_client: AppClient, params: dict[str, Any]) -> Callable[[Described], Described]:
    """A change of scopes owns the scopes, one of settings name and validity: what stands beside is not its business."""
    if "scopes" in params:
        scopes = sorted(app_client.scopes.values_list("full_name", flat=True))
        return lambda observed: {"AllowedOAuthScopes": scopes}
    owned = {"ClientName": app_client.cognito_name, "AccessTokenValidity": app_client.access_token_seconds}
    units = {"AccessToken": "seconds"}
    return lambda observed: owned | {"TokenValidityUnits": observed.get("TokenValidityUnits", {}) | units}


def _told(operation: Operation) -> dict[str, Any]:
    """What changed here alone, for the trail: that the notes did, never their text."""
    return {key: operation.params[key] for key in ("notes_changed",) if key in operation.params}


def _facts(described: Described) -> dict[str, Any]:
    return {
        key: described.get(key)
        for key in ("ClientName", "AllowedOAuthScopes", "AccessTokenValidity", "TokenValidityUnits")
    }
