"""Attributes as people change them: definitions, a tenant's values, a client's own. `claims` makes the documents."""

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from clients.errors import Conflict, InvalidInput
from clients.models import (
    AppClient,
    AttributeDefinition,
    ClientOverride,
    Operation,
    Outcome,
    Status,
    Tenant,
    TenantValue,
    User,
    UserPool,
)
from clients.services import audit, claims
from clients.services.operations import Record, begin, drive, find_repeated, step
from clients.validators import check_claim_name, clean_value

CHANGE_ATTRIBUTES = "client:attributes"


# --- Definitions -------------------------------------------------------------------------------


def define_attribute(
    *,
    actor: User,
    claim_name: str,
    type: str,
    choices: list[str] | None = None,
    is_required: bool = False,
    default: Any = None,
    is_overridable: bool = False,
    description: str = "",
    via: str = "web",
) -> AttributeDefinition:
    """A new attribute definition; with a default, every present client's document is published anew.

    Refused: reserved or malformed claim names, a default of the wrong type.
    """
    problems = {"claim_name": check_claim_name(claim_name)}
    if UserPool.objects.filter(tenant_claim=claim_name).exists():
        problems["claim_name"].append("This claim carries the tenant itself; the portal fills it.")
    if default is not None:
        try:
            default = clean_value(type, default, choices or [])
        except ValueError as error:
            problems["default"] = [str(error)]
    _refuse(problems)
    fields = {"claim_name": claim_name, "type": type, "choices": choices or [], "default": default}
    flags = {"is_required": is_required, "is_overridable": is_overridable}
    with transaction.atomic():
        definition = AttributeDefinition.objects.create(**fields, **flags, description=description)
        touched = _publish_anew(AppClient.objects.all()) if default is not None else 0
        detail = fields | flags | {"clients": touched}
        audit.append("attribute:define", Outcome.OK, actor=actor, via=via, detail=detail)
    return definition


def _refuse(problems: dict[str, list[str]]) -> None:
    found = {name: sentences for name, sentences in problems.items() if sentences}
    if found:
        raise InvalidInput(found)


def _publish_anew(app_clients: QuerySet[AppClient]) -> int:
    """Their documents are newer from here on; the worker brings the table after. Inside the caller's transaction."""
    present = AppClient.objects.present().filter(pk__in=app_clients.values("pk"))
    return present.update(document_version=F("document_version") + 1, publish_after=None, publish_attempts=0)


# --- A tenant's values ---------------------------------------------------------------------------


def typed_values(raw: dict[str, Any]) -> dict[AttributeDefinition, Any]:
    """Values as people type them, by definition; None and empty text are left out. Raises InvalidInput by field."""
    known = {definition.claim_name: definition for definition in claims.present_definitions()}
    typed: dict[AttributeDefinition, Any] = {}
    problems: dict[str, list[str]] = {}
    for claim_name, value in raw.items():
        if value is None or value == "":
            continue
        definition = known.get(claim_name)
        if definition is None:
            problems[f"attribute:{claim_name}"] = [f"There is no attribute {claim_name}."]
            continue
        try:
            typed[definition] = clean_value(definition.type, value, definition.choices)
        except ValueError as error:
            problems[f"attribute:{claim_name}"] = [str(error)]
    _refuse(problems)
    return typed


def values_of(tenant: Tenant) -> dict[str, Any]:
    """Claim name → value, of definitions still in use."""
    present = TenantValue.objects.filter(tenant=tenant, definition__retired_at__isnull=True)
    return dict(present.values_list("definition__claim_name", "value"))


def set_tenant_values(tenant: Tenant, *, actor: User, generation: int, values: dict[str, Any], via: str = "web") -> int:
    """The tenant's values become exactly these; returns how many clients' documents are published anew for it.

    Saving what is there already is no act. Refused: unknown attributes, wrong types, documents that would become too
    large (InvalidInput by field), a form older than the tenant (Conflict). The worker publishes; each client says
    until then that its attributes are not published.
    """
    typed = typed_values(values)
    before, after = values_of(tenant), {d.claim_name: value for d, value in typed.items()}
    if before == after:
        return 0
    with transaction.atomic():
        same = Tenant.objects.filter(pk=tenant.pk, generation=generation)
        if not same.update(generation=F("generation") + 1):
            raise Conflict("Somebody changed this tenant since you opened the page. Look at the new values first.")
        TenantValue.objects.filter(tenant=tenant, definition__retired_at__isnull=True).delete()
        TenantValue.objects.bulk_create(TenantValue(tenant=tenant, definition=d, value=v) for d, v in typed.items())
        _refuse_unfitting(tenant)
        touched = _publish_anew(tenant.app_clients.all())
        detail = {"before": before, "after": after, "clients": touched}
        audit.append("tenant:set_values", Outcome.OK, actor=actor, via=via, tenant=tenant, detail=detail)
    tenant.generation = generation + 1
    return touched


def _refuse_unfitting(tenant: Tenant) -> None:
    """Raises InvalidInput, which undoes the transaction, when a client's document would not be whole any more."""
    own: dict[int, dict[str, Any]] = {}
    overrides = ClientOverride.objects.filter(app_client__tenant=tenant)
    for pk, claim_name, value in overrides.values_list("app_client", "definition__claim_name", "value"):
        own.setdefault(pk, {})[claim_name] = value
    seen: list[Any] = []
    for app_client in tenant.app_clients.present().select_related("pool"):
        kind = (app_client.pool_id, own.get(app_client.pk, {}))
        if kind in seen:  # most clients have no values of their own, so one look does for them all
            continue
        seen.append(kind)
        for claim_name, sentences in claims.preview(app_client.pool, tenant, kind[1]).problems.items():
            field = f"attribute:{claim_name}" if claim_name else "attributes"
            raise InvalidInput({field: [f"Client {app_client.name}: {sentence}" for sentence in sentences]})


# --- A client's own values -----------------------------------------------------------------------


def change_attributes(
    app_client: AppClient,
    *,
    actor: User,
    operation_id: str,
    generation: int,
    values: dict[str, Any],
    via: str = "web",
) -> Operation:
    """The client's own values become exactly these; tokens follow once published, which is tried at once.

    Refused: unknown or fixed attributes, wrong types, too large a document (InvalidInput by claim name); a form older
    than the client, or another live operation (Conflict). A failure to publish leaves the model right and the
    operation for the worker. Calling again with the same `operation_id` changes nothing more.
    """
    params: dict[str, Any] = {"client": app_client.public_id, "generation": generation, "values": values}
    if repeated := find_repeated(operation_id, CHANGE_ATTRIBUTES, params, actor):
        return repeated
    if app_client.client_id is None or app_client.status == Status.DELETED:
        raise Conflict(
            f"The attributes of a client that is {app_client.get_status_display().lower()} stay as they are."
        )
    checked = claims.preview(app_client.pool, app_client.tenant, values)
    _refuse(checked.problems)
    with transaction.atomic():
        claims.raise_generation(app_client, generation)
        told = {"before": claims.overrides_of(app_client), "after": checked.overrides}
        claims.write_overrides(app_client, checked.overrides)
        _publish_anew(AppClient.objects.filter(pk=app_client.pk))
        operation = begin(
            operation_id, CHANGE_ATTRIBUTES, target=f"client:{app_client.public_id}", params=params, told=told,
            actor=actor, via=via, pool=app_client.pool, app_client=app_client,
        )  # fmt: skip
    return drive(operation)


@step(CHANGE_ATTRIBUTES, "publish")
def _publish(operation: Operation, unknown: bool) -> Record:
    """A conditional put by version: repeating it, or coming late, changes nothing."""
    app_client = operation.app_client
    if app_client is None:
        raise ValueError(f"Operation {operation.pk} has no client.")
    version = claims.put_current_document(app_client)

    def record() -> dict[str, Any]:
        claims.record_published(app_client, version)
        told = {key: operation.params[key] for key in ("before", "after")}
        return told | {"published_version": version}

    return record
