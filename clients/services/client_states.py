"""Pausing, resuming and deleting an app client: operations that end or give back its tokens."""

from contextlib import suppress
from typing import Any

from django.db.models import F
from django.utils import timezone

from clients.aws.cognito import CLIENT_TOKEN_AUTH, MACHINE_AUTH_FLOWS, Described
from clients.errors import Conflict, InvalidInput, NotFound, Throttled
from clients.models import (
    EVERYTHING,
    AppClient,
    Handover,
    Operation,
    Priority,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
    TenantStatus,
    User,
)
from clients.services import claims, secrets
from clients.services.app_clients import client_of, gateway_for
from clients.services.operations import Record, begin, find_repeated, run_once, step

PAUSE, RESUME, DELETE = "client:pause", "client:resume", "client:delete"
FLOW_FIELDS = ("AllowedOAuthFlowsUserPoolClient", "AllowedOAuthFlows")
MAY = {
    PAUSE: (Status.ACTIVE, Status.ROTATING),
    RESUME: (Status.PAUSED,),
    DELETE: (Status.CREATING, Status.ACTIVE, Status.ROTATING, Status.PAUSED),  # creating: one that was given up
}


def _begin(
    app_client: AppClient, kind: str, status: Status | None, *, actor: User, operation_id: str, reason: str, via: str
) -> Operation:
    """The intent: refused without a reason, in a state it cannot start from (Conflict) or beside a live operation."""
    params: dict[str, Any] = {"client": app_client.public_id}
    if repeated := find_repeated(operation_id, kind, params, actor):
        return repeated
    if not reason.strip():
        raise InvalidInput({"reason": ["Give a reason: it stands in the trail, and the tenant will ask."]})

    def write() -> Operation:
        fresh = AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk)
        if why := why_not(fresh, kind):
            raise Conflict(why)
        if status is not None:
            set_status(fresh, status)
        if kind == DELETE:  # at once, whenever Cognito hears of it
            secrets.withdraw_offers(Handover.objects.filter(app_client=fresh), actor=actor, via=via)
        return begin(
            operation_id, kind, target=f"client:{fresh.public_id}", params=params, told={"status_before": fresh.status},
            actor=actor, via=via, pool=fresh.pool, app_client=fresh, reason=reason.strip()[:500],
            aspect=EVERYTHING if kind == DELETE else "flow",
        )  # fmt: skip

    return run_once(operation_id, kind, params, actor, write)


def why_not(app_client: AppClient, kind: str) -> str:
    """Why PAUSE, RESUME or DELETE cannot start from where the client is; empty when it can."""
    if app_client.status not in MAY[kind] or (kind != DELETE and not app_client.client_id):
        return f"The client is {app_client.get_status_display().lower()}: this cannot be done now."
    tenant = app_client.tenant
    if kind == RESUME and tenant.status != TenantStatus.ACTIVE:
        return f"{tenant} is {tenant.get_status_display().lower()}: resume the tenant first."
    return ""


def set_status(app_client: AppClient, status: Status, **more: Any) -> None:
    """The document follows the status, so its version rises with it. Inside the caller's transaction."""
    AppClient.objects.filter(pk=app_client.pk).update(
        status=status, generation=F("generation") + 1, document_version=F("document_version") + 1, publish_after=None,
        **more,
    )  # fmt: skip


def publish(operation: Operation) -> Record:
    """Brings the client's document to the table, whatever it says by now."""
    app_client = client_of(operation)
    if app_client.client_id is None:  # a creation that came to nothing: the trigger never heard of it
        return lambda: {"published_version": None}
    version = claims.put_current_document(app_client)

    def record() -> dict[str, Any]:
        claims.record_published(app_client, version)
        return {"published_version": version}

    return record


# --- Pause ---------------------------------------------------------------------------------------


def pause_client(app_client: AppClient, *, actor: User, operation_id: str, reason: str, via: str = "web") -> Operation:
    """No token comes any more, by any path: a denial is published first, then the flow is taken away, everything else
    stays and the flows are kept for resuming. Tokens already issued live until they expire (cognito_facts section 1).
    """
    return _begin(app_client, PAUSE, Status.PAUSED, actor=actor, operation_id=operation_id, reason=reason, via=via)


@step(PAUSE, "deny")
def _publish_denial(operation: Operation, unknown: bool) -> Record:
    return publish(operation)


@step(PAUSE, "look")
def _look(operation: Operation, unknown: bool) -> Record:
    return keep_flows(operation)


def keep_flows(operation: Operation) -> Record:
    """Kept before anything is taken away: a lost answer to the update must not leave "off" as what there was."""
    app_client = client_of(operation)
    observed = gateway_for(app_client.pool).describe_client(str(app_client.client_id))
    kept = {name: observed.get(name) for name in FLOW_FIELDS}
    if CLIENT_TOKEN_AUTH in observed.get("ExplicitAuthFlows", []):
        kept["ExplicitAuthFlows"] = observed["ExplicitAuthFlows"]

    def record() -> dict[str, Any]:
        AppClient.objects.filter(pk=app_client.pk).update(before_pause=kept)
        return {"before": kept}

    return record


@step(PAUSE, "take-flow", writes_to_pool=True)
def _take(operation: Operation, unknown: bool) -> Record:
    return take_flow(operation)


def take_flow(operation: Operation) -> Record:
    """Everything else of the client stays as it is; repeating it is harmless."""
    app_client = client_of(operation)
    changed = gateway_for(app_client.pool).change_client(str(app_client.client_id), _without_flow)
    after = {name: changed.after.get(name) for name in FLOW_FIELDS}
    return lambda: {"after": after}


def _without_flow(observed: Described) -> Described:
    off: Described = {"AllowedOAuthFlowsUserPoolClient": False}
    if CLIENT_TOKEN_AUTH in observed.get("ExplicitAuthFlows", []):  # the flag alone does not stop GetClientToken
        off["ExplicitAuthFlows"] = MACHINE_AUTH_FLOWS
    return off


# --- Resume --------------------------------------------------------------------------------------


def resume_client(app_client: AppClient, *, actor: User, operation_id: str, reason: str, via: str = "web") -> Operation:
    """Tokens come again: the flows kept at the pause are put back, then the attributes are published."""
    return _begin(app_client, RESUME, None, actor=actor, operation_id=operation_id, reason=reason, via=via)


@step(RESUME, "give-flow", writes_to_pool=True)
def _give_flow(operation: Operation, unknown: bool) -> Record:
    app_client = client_of(operation)
    app_client.refresh_from_db()
    if Operation.objects.live().filter(app_client=app_client, priority=Priority.EMERGENCY).exists():
        raise Throttled("A leaked secret is being revoked just now. The client is resumed once that is done.")
    on: Described = {"AllowedOAuthFlowsUserPoolClient": True, "AllowedOAuthFlows": ["client_credentials"]}
    kept = {name: value for name, value in (app_client.before_pause or on).items() if value is not None}
    changed = gateway_for(app_client.pool).change_client(str(app_client.client_id), lambda observed: kept)

    def record() -> dict[str, Any]:
        # Not over an emergency that stopped it meanwhile: what was asked for before that is not wished any more.
        stopped = Rotation.objects.filter(app_client=app_client, stops_tokens=True, started_at__gt=operation.created_at)
        if not stopped.exists():
            set_status(app_client, _status_of_one_that_works(app_client), before_pause=None)
        return {"after": {name: changed.after.get(name) for name in FLOW_FIELDS}}

    return record


def _status_of_one_that_works(app_client: AppClient) -> Status:
    both = (RotationState.OPEN, RotationState.FINISHING, RotationState.CANCELLING)
    rotating = Rotation.objects.filter(app_client=app_client, state__in=both, tested_at__isnull=False)
    return Status.ROTATING if rotating.exists() else Status.ACTIVE


@step(RESUME, "publish")
def _publish_attributes(operation: Operation, unknown: bool) -> Record:
    return publish(operation)


# --- Delete --------------------------------------------------------------------------------------


def delete_client(app_client: AppClient, *, actor: User, operation_id: str, reason: str, via: str = "web") -> Operation:
    """The client is gone from Cognito for good, its sealed secrets are erased, and its document is a tombstone.

    A denial is published before the deletion, so that nothing slips through between; until it is gone the client
    stands as Paused with the operation open. Tokens already issued live until they expire. A creation that was refused
    or given up is discarded the same way, with whatever of it is found in Cognito by its tag.
    """
    return _begin(app_client, DELETE, Status.PAUSED, actor=actor, operation_id=operation_id, reason=reason, via=via)


@step(DELETE, "deny")
def _deny_before_deleting(operation: Operation, unknown: bool) -> Record:
    return publish(operation)


@step(DELETE, "delete", writes_to_pool=True)
def _delete_in_cognito(operation: Operation, unknown: bool) -> Record:
    """Gone already is gone: what we wanted (failure_model section 3)."""
    app_client = client_of(operation)
    gateway = gateway_for(app_client.pool)
    ids = [app_client.client_id] if app_client.client_id else gateway.find_clients_by_tag(app_client.op_tag)
    for client_id in ids:
        with suppress(NotFound):
            gateway.delete_client(client_id)

    def record() -> dict[str, Any]:
        set_status(app_client, Status.DELETED, before_pause=None, drift=[])
        app_client.scopes.clear()
        erased = Secret.objects.filter(app_client=app_client).exclude(state=SecretState.RETIRED)
        count = erased.update(state=SecretState.RETIRED, sealed_value=None, sealing_key_id="")
        left = Rotation.objects.under_way().filter(app_client=app_client)
        left.update(state=RotationState.CANCELLED, finished_at=timezone.now(), last_error="The client was deleted.")
        return {"client_ids": ids, "secrets_erased": count, "deleted_at": timezone.now().isoformat()}

    return record


@step(DELETE, "tombstone")
def _publish_tombstone(operation: Operation, unknown: bool) -> Record:
    return publish(operation)
