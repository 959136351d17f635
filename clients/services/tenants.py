"""Tenants and the values their clients' tokens carry."""

from typing import Any

from django.db import transaction

from clients.errors import InvalidInput
from clients.models import AttributeDefinition, Outcome, Tenant, TenantValue, User
from clients.services import audit
from clients.validators import clean_value


def create_tenant(
    *,
    actor: User,
    slug: str,
    name: str,
    contact: User | None = None,
    contact_email: str = "",
    values: dict[str, Any],
    via: str = "web",
) -> Tenant:
    """A tenant with its attribute values. Refused (InvalidInput by field): a taken slug or name, wrong values."""
    problems: dict[str, list[str]] = {}
    if Tenant.objects.filter(slug=slug).exists():
        problems["slug"] = [f"{slug} is taken; the slug is the tenant's identity in tokens."]
    if Tenant.objects.filter(name=name).exists():
        problems["name"] = [f"There is a tenant named {name} already."]
    definitions = {d.claim_name: d for d in AttributeDefinition.objects.filter(retired_at__isnull=True)}
    typed: dict[str, Any] = {}
    for claim_name, raw in values.items():
        try:
            typed[claim_name] = clean_value(definitions[claim_name].type, raw, definitions[claim_name].choices)
        except KeyError:
            problems[f"attribute:{claim_name}"] = [f"There is no attribute {claim_name}."]
        except ValueError as error:
            problems[f"attribute:{claim_name}"] = [str(error)]
    if problems:
        raise InvalidInput(problems)
    with transaction.atomic():
        tenant = Tenant.objects.create(slug=slug, name=name, contact=contact, contact_email=contact_email)
        rows = [TenantValue(tenant=tenant, definition=definitions[key], value=value) for key, value in typed.items()]
        TenantValue.objects.bulk_create(rows)
        audit.append(
            "tenant:create", Outcome.OK, actor=actor, via=via, tenant=tenant, detail={"slug": slug, "values": typed}
        )
    return tenant
