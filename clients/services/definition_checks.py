"""What a definition as planned would break, and whose document would not be whole: refused before anything is saved."""

from typing import Any

from django.db.models import QuerySet

from clients.errors import InvalidInput, refuse
from clients.models import AppClient, AttributeDefinition, AttributeType, Tenant, TenantStatus, TenantValue, UserPool
from clients.services import claims, effects
from clients.services.effects import Effect
from clients.validators import check_choices, check_claim_name, clean_value


def claim_name_problems(claim_name: str) -> list[str]:
    problems = check_claim_name(claim_name)
    if UserPool.objects.filter(tenant_claim=claim_name).exists():
        problems.append("This claim carries the tenant itself; the portal fills it.")
    return problems


def checked_plan(
    before: AttributeDefinition | None, planned: AttributeDefinition, problems: dict[str, list[str]]
) -> tuple[AttributeDefinition, Effect]:
    """Types the default, then refuses by field what the definition as planned would break."""
    is_choice = planned.type == AttributeType.CHOICE
    problems["choices"] = check_choices(planned.choices) if is_choice else []
    if planned.default in (None, ""):
        planned.default = None
    elif planned.type in AttributeType.values:
        try:
            planned.default = clean_value(planned.type, planned.default, planned.choices)
        except ValueError as error:
            problems["default"] = [str(error)]
    if before:
        problems["choices"] += _choices_in_use(before, planned)
        problems["is_overridable"] = _overrides_in_use(before, planned)
    problems["is_required"] = _lacking(planned)
    refuse(problems)
    effect = effects.of_definition(before, planned)
    if not planned.retired_at:  # a document that only loses a claim stays whole
        definitions = [*(d for d in claims.present_definitions() if d.pk != planned.pk), planned]
        refuse_misfit(effect.rows, definitions, claims.values_by_tenant(), field="default")
    return planned, effect


def _choices_in_use(before: AttributeDefinition, planned: AttributeDefinition) -> list[str]:
    problems = []
    for choice in before.choices:
        if choice not in planned.choices:
            tenants = _with_us().filter(values__definition=before, values__value=choice)
            overriding = AppClient.objects.present().filter(overrides__definition=before, overrides__value=choice)
            if users := _named([*tenants.values_list("name", flat=True), *overriding.values_list("name", flat=True)]):
                problems.append(f"{choice} is used by {users}. Give them another value first.")
    return problems


def _overrides_in_use(before: AttributeDefinition, planned: AttributeDefinition) -> list[str]:
    if planned.is_overridable or not before.is_overridable:
        return []
    overriding = AppClient.objects.present().filter(overrides__definition=before).order_by("name")
    if users := _named(list(overriding.values_list("name", flat=True))):
        return [f"These clients have a value of their own: {users}. Let them follow their tenant first."]
    return []


def _lacking(planned: AttributeDefinition) -> list[str]:
    """Every tenant has a value for what is required; else a client of it could not be whole."""
    if not planned.is_required or planned.default is not None or planned.retired_at:
        return []
    given = TenantValue.objects.filter(definition_id=planned.pk).values("tenant")
    if lacking := _named(list(_with_us().exclude(pk__in=given).values_list("name", flat=True))):
        todo = "Give a default, or leave Required off, set the values, then require it."
        return [f"No value is set for {lacking}. {todo}"]
    return []


def _with_us() -> QuerySet[Tenant]:
    """One that was off-boarded has no client whose token could carry a value, and nobody may change what it has."""
    return Tenant.objects.exclude(status=TenantStatus.OFF_BOARDED)


def _named(names: list[str], shown: int = 5) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest > 0 else "")


def refuse_misfit(
    app_clients: QuerySet[AppClient], definitions: list[AttributeDefinition], values: dict[int, dict[int, Any]],
    *, field: str = "",
) -> None:  # fmt: skip
    """Raises InvalidInput, at `field` or at the claim's own, when a client's document would not be whole."""
    misfit = claims.first_misfit(app_clients, definitions, values)
    if misfit is None:
        return
    app_client, problems = misfit
    fields: dict[str, list[str]] = {}
    for claim_name, sentences in problems.items():
        name = field or (f"attribute:{claim_name}" if claim_name else "attributes")
        fields.setdefault(name, []).extend(f"Client {app_client.name}: {sentence}" for sentence in sentences)
    raise InvalidInput(fields)
