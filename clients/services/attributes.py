"""Attributes as people change them: definitions, a tenant's values, a client's own. `claims` makes the documents."""

from copy import copy
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from clients.errors import Conflict, refuse
from clients.models import (
    AppClient,
    AttributeDefinition,
    AttributeType,
    ClientOverride,
    Operation,
    Outcome,
    Status,
    Tenant,
    TenantValue,
    User,
)
from clients.services import audit, claims, effects
from clients.services.definition_checks import checked_plan, claim_name_problems, refuse_misfit
from clients.services.effects import Effect
from clients.services.generations import raise_tenant
from clients.services.operations import Record, begin, find_repeated, run_once, step
from clients.validators import clean_value

CHANGE_ATTRIBUTES = "client:attributes"
CHANGEABLE = ("description", "choices", "is_required", "default", "is_overridable")


# --- Definitions -------------------------------------------------------------------------------


def plan_definition(
    *,
    claim_name: str,
    type: str,
    choices: list[str] | None = None,
    is_required: bool = False,
    default: Any = None,
    is_overridable: bool = False,
    description: str = "",
) -> tuple[AttributeDefinition, Effect]:
    """A definition as it would be, unsaved, and whose tokens would change. Raises InvalidInput by field."""
    planned = AttributeDefinition(
        claim_name=claim_name, type=type, choices=choices or [], is_required=is_required, default=default,
        is_overridable=is_overridable, description=description,
    )  # fmt: skip
    problems = {"claim_name": claim_name_problems(claim_name)}
    if known := AttributeDefinition.objects.filter(claim_name=claim_name).first():
        state = "retired: take it back instead" if known.retired_at else "there"
        problems["claim_name"].append(f"The attribute {claim_name} is already {state}.")
    if type not in AttributeType.values:
        problems["type"] = ["Choose a type."]
    return checked_plan(None, planned, problems)


def define_attribute(*, actor: User, via: str = "web", reviewed: str = "", **facts: Any) -> AttributeDefinition:
    """A new attribute definition (facts: see `plan_definition`); with a default, every present client's document is
    published anew.

    Refused (InvalidInput by field): claim names reserved, malformed or taken, a default of the wrong type, required
    without a default while there are tenants, none of which can have a value yet. `reviewed`, here and below: the
    fingerprint of the effect somebody saw; another one is refused (ReviewOutdated).
    """
    with transaction.atomic():
        claims.hold_definitions()
        definition, effect = plan_definition(**facts)
        effect.refuse_other(reviewed)
        definition.save(force_insert=True)
        touched = _publish_anew(effect.rows)
        detail = {"claim_name": definition.claim_name, "type": definition.type} | _told(definition)
        audit.append("attribute:define", Outcome.OK, actor=actor, via=via, detail=detail | {"clients": touched})
    return definition


def plan_change(definition: AttributeDefinition, **facts: Any) -> tuple[AttributeDefinition, Effect]:
    """The definition as it would be, unsaved, and whose tokens would change. Raises InvalidInput by field."""
    planned = copy(definition)
    for name in CHANGEABLE:
        setattr(planned, name, facts.get(name, getattr(definition, name)))
    return checked_plan(definition, planned, {})


def change_definition(
    definition: AttributeDefinition, *, actor: User, generation: int, via: str = "web", reviewed: str = "", **facts: Any
) -> int:
    """The definition's description, choices, default, requirement and override rule become these; returns how many
    clients' documents are published anew. Claim name and type never change: callers rely on both.

    Saving what is there already is no act. Refused: removing a choice somebody uses, requiring what a tenant lacks,
    ending overrides clients have, documents that would become too large (InvalidInput by field); a form older than
    the definition (Conflict).
    """
    planned, _ = plan_change(definition, **facts)
    if _told(planned) == _told(definition):
        return 0
    return _save_definition(
        "attribute:change", definition, lambda: plan_change(definition, **facts), CHANGEABLE, generation, actor, via,
        reviewed,
    )  # fmt: skip


def plan_retirement(definition: AttributeDefinition, *, is_retired: bool) -> tuple[AttributeDefinition, Effect]:
    """The definition retired or taken back, unsaved, and whose tokens would change. Raises InvalidInput by field."""
    planned = copy(definition)
    planned.retired_at = timezone.now() if is_retired else None
    problems = {} if is_retired else {"claim_name": claim_name_problems(definition.claim_name)}
    return checked_plan(definition, planned, problems)


def retire_definition(
    definition: AttributeDefinition, *, actor: User, generation: int, via: str = "web", reviewed: str = ""
) -> int:
    """The claim leaves every token; values stay here for `restore_definition`. Returns how many clients' documents
    are published anew. Already retired is no act; a form older than the definition is refused (Conflict)."""
    if definition.retired_at:
        return 0
    return _save_definition(
        "attribute:retire", definition, lambda: plan_retirement(definition, is_retired=True), ("retired_at",),
        generation, actor, via, reviewed,
    )  # fmt: skip


def restore_definition(
    definition: AttributeDefinition, *, actor: User, generation: int, via: str = "web", reviewed: str = ""
) -> int:
    """The retired claim returns with the values it had; returns how many clients' documents are published anew.

    Not retired is no act. Refused: a tenant made since lacks a required value (InvalidInput); a form older than the
    definition (Conflict).
    """
    if not definition.retired_at:
        return 0
    return _save_definition(
        "attribute:restore", definition, lambda: plan_retirement(definition, is_retired=False), ("retired_at",),
        generation, actor, via, reviewed,
    )  # fmt: skip


def _save_definition(
    action: str, definition: AttributeDefinition, plan: Any, fields: tuple[str, ...], generation: int, actor: User,
    via: str, reviewed: str,
) -> int:  # fmt: skip
    """One transaction: planned again under the lock, written if nobody was faster, its clients' documents newer."""
    with transaction.atomic():
        claims.hold_definitions()
        same = AttributeDefinition.objects.filter(pk=definition.pk, generation=generation)
        if not same.update(generation=F("generation") + 1):
            raise Conflict("Somebody changed this attribute since you opened the page. Look at it as it is now first.")
        planned, effect = plan()
        effect.refuse_other(reviewed)
        planned.generation = generation + 1
        planned.save(update_fields=fields)
        touched = _publish_anew(effect.rows)
        if definition.retired_at and not planned.retired_at:
            _outdate_forms(planned)
        detail: dict[str, Any] = {"claim_name": definition.claim_name, "clients": touched}
        if fields == CHANGEABLE:
            detail |= {"before": _told(definition), "after": _told(planned)}
        audit.append(action, Outcome.OK, actor=actor, via=via, detail=detail)
    for name in (*fields, "generation"):
        setattr(definition, name, getattr(planned, name))
    return touched


def _outdate_forms(definition: AttributeDefinition) -> None:
    """A form opened while it was retired had no field for it, and saving that would delete the value that came back."""
    raised = {"generation": F("generation") + 1}
    Tenant.objects.filter(pk__in=TenantValue.objects.filter(definition=definition).values("tenant")).update(**raised)
    own = ClientOverride.objects.filter(definition=definition).values("app_client")
    AppClient.objects.filter(pk__in=own).update(**raised)


def _told(definition: AttributeDefinition) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in CHANGEABLE}


def _publish_anew(app_clients: QuerySet[AppClient]) -> int:
    """Their documents are newer from here on; the worker brings the table after. Inside the caller's transaction.
    Returns how many of them Cognito has: one still being created publishes its own at its end."""
    present = AppClient.objects.present().filter(pk__in=app_clients.values("pk"))
    touched = present.filter(client_id__isnull=False).count()
    present.update(document_version=F("document_version") + 1, publish_after=None, publish_attempts=0)
    return touched


# --- A tenant's values ---------------------------------------------------------------------------


def typed_values(raw: dict[str, Any]) -> dict[AttributeDefinition, Any]:
    """Values as people type them, by definition; None and empty text are left out. Raises InvalidInput by field:
    unknown attributes, wrong types, a required one without a value and without a default."""
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
    for claim_name, definition in known.items():
        if definition.is_required and definition.default is None and definition not in typed:
            problems.setdefault(f"attribute:{claim_name}", [f"{claim_name} is required: every token carries it."])
    refuse(problems)
    return typed


def values_of(tenant: Tenant) -> dict[str, Any]:
    """Claim name → value, of definitions still in use."""
    present = TenantValue.objects.filter(tenant=tenant, definition__retired_at__isnull=True)
    return dict(present.values_list("definition__claim_name", "value"))


def plan_tenant_values(tenant: Tenant, values: dict[str, Any]) -> tuple[dict[AttributeDefinition, Any], Effect]:
    """The values typed, and whose tokens would change. Raises InvalidInput by field, also when a client's document
    would not be whole any more."""
    typed = typed_values(values)
    effect = effects.of_tenant_values(tenant, typed)
    planned = {tenant.pk: {definition.pk: value for definition, value in typed.items()}}
    refuse_misfit(effect.rows, claims.present_definitions(), planned)
    return typed, effect


def set_tenant_values(
    tenant: Tenant, *, actor: User, generation: int, values: dict[str, Any], via: str = "web", reviewed: str = ""
) -> int:
    """The tenant's values become exactly these; returns how many clients' documents are published anew for it.

    Saving what is there already is no act. Refused: unknown attributes, wrong types, a required one left empty,
    documents that would become too large (InvalidInput by field), a form older than the tenant, a tenant that left,
    another effect than the one that was `reviewed` (Conflict). The worker publishes; each client says until then that
    its attributes are not published.
    """
    before, after = values_of(tenant), {d.claim_name: value for d, value in typed_values(values).items()}
    if before == after:
        return 0
    with transaction.atomic():
        raise_tenant(tenant, generation)
        claims.hold_definitions()
        typed, effect = plan_tenant_values(tenant, values)
        effect.refuse_other(reviewed)
        touched = _publish_anew(effect.rows)
        TenantValue.objects.filter(tenant=tenant, definition__retired_at__isnull=True).delete()
        TenantValue.objects.bulk_create(TenantValue(tenant=tenant, definition=d, value=v) for d, v in typed.items())
        detail = {"before": before, "after": after, "clients": touched}
        audit.append("tenant:set_values", Outcome.OK, actor=actor, via=via, tenant=tenant, detail=detail)
    tenant.generation = generation + 1
    return touched


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
    refuse(checked.problems)

    def write() -> Operation:
        claims.hold_definitions()
        claims.raise_generation(app_client, generation)
        told = {"before": claims.overrides_of(app_client), "after": checked.overrides}
        claims.write_overrides(app_client, checked.overrides)
        _publish_anew(AppClient.objects.filter(pk=app_client.pk))
        return begin(
            operation_id, CHANGE_ATTRIBUTES, target=f"client:{app_client.public_id}", params=params, told=told,
            actor=actor, via=via, pool=app_client.pool, app_client=app_client, aspect="attributes",
        )  # fmt: skip

    return run_once(operation_id, CHANGE_ATTRIBUTES, params, actor, write)


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
