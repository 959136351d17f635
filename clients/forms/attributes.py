"""The attribute table of a form: one line per claim, prefilled with what the tenant gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.models import AttributeDefinition, AttributeType, Tenant, TenantValue, UserPool

PREFIX = "attribute:"


@dataclass
class AttributeLine:
    """`text` is what the control shows; equal to `inherited`, or empty, it means: as the tenant."""

    definition: AttributeDefinition | None
    claim_name: str
    inherited: str
    source: str
    text: str
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return PREFIX + self.claim_name

    @property
    def is_fixed(self) -> bool:
        return self.definition is None or not self.definition.is_overridable

    @property
    def is_override(self) -> bool:
        return not self.is_fixed and self.text not in ("", self.inherited)

    @property
    def has_value(self) -> bool:
        """Something to carry; without it the claim is absent from the token."""
        return bool(self.text or self.inherited)

    @property
    def type(self) -> str:
        return self.definition.get_type_display() if self.definition else AttributeType.STRING.label

    @property
    def control(self) -> str:
        """What it says as sent: a list says nothing where the tenant's value holds."""
        return self.text if self.is_override or not self.options else ""

    @property
    def options(self) -> list[str]:
        if self.definition is None:
            return []
        return ["yes", "no"] if self.definition.type == AttributeType.BOOLEAN else list(self.definition.choices)


def as_text(value: Any) -> str:
    """A typed value the way people type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def attribute_lines(
    pool: UserPool, tenant: Tenant, *, overrides: Mapping[str, Any], typed: Mapping[str, str] | None = None
) -> list[AttributeLine]:
    """What is typed wins over what is stored, so that a refused form keeps its values."""
    values = dict(TenantValue.objects.filter(tenant=tenant).values_list("definition_id", "value"))
    lines = [AttributeLine(None, pool.tenant_claim, tenant.slug, "Tenant, fixed", tenant.slug)]
    for definition in AttributeDefinition.objects.filter(retired_at__isnull=True):
        value, source = values.get(definition.pk), "Tenant"
        if value is None:
            value, source = definition.default, "Default" if definition.default is not None else "Not set"
        inherited, name = as_text(value), definition.claim_name
        text = as_text(overrides.get(name)) or inherited
        if typed is not None:
            text = typed.get(PREFIX + name, text)
        lines.append(AttributeLine(definition, name, inherited, source, text))
    return lines


def overrides_typed(lines: list[AttributeLine]) -> dict[str, Any]:
    """Only what differs from the tenant."""
    return {line.claim_name: line.text for line in lines if line.is_override}


def mark_problems(lines: list[AttributeLine], problems: Mapping[str, list[str]]) -> None:
    for line in lines:
        line.problems = list(problems.get(line.claim_name, []))
