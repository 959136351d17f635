"""Tenants: their name, contact and keep period; `attributes` sets their values."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from clients.errors import InvalidInput, refuse
from clients.models import Outcome, Tenant, TenantValue, User
from clients.services import audit, claims
from clients.services.attributes import typed_values
from clients.services.generations import raise_tenant
from clients.validators import SLUG_MAX, check_slug, is_plain_line

LONGEST_OVERLAP = 24 * 90  # hours
POLICIES = ("lifetime_days", "overlap_hours", "overlap_hours_max", "removes_automatically", "members_may_rotate")
LONGEST_KEEP = 365  # days
T = TypeVar("T")


def create_tenant(
    *,
    actor: User,
    slug: str,
    name: str,
    contact: User | None = None,
    contact_email: str = "",
    keep_days: int = 30,
    values: dict[str, Any],
    via: str = "web",
) -> Tenant:
    """A tenant with its attribute values. Refused (InvalidInput by field): a malformed or taken slug, a taken name,
    wrong values, a required value left empty."""
    problems = _problems(name, contact, contact_email, keep_days) | {"slug": check_slug(slug)}
    problems["slug"] += _slug_taken(slug)
    problems["name"] += _name_taken(name)
    with transaction.atomic():
        claims.hold_definitions()
        try:
            typed = typed_values(values)
        except InvalidInput as error:
            problems |= error.fields
        refuse(problems)
        facts: dict[str, Any] = {"name": name, "contact": contact, "contact_email": contact_email}
        tenant = _unique(name, lambda: Tenant.objects.create(slug=slug, keep_days=keep_days, **facts), slug=slug)
        TenantValue.objects.bulk_create(TenantValue(tenant=tenant, definition=d, value=v) for d, v in typed.items())
        told = {"slug": slug, "values": {d.claim_name: value for d, value in typed.items()}}
        audit.append("tenant:create", Outcome.OK, actor=actor, via=via, tenant=tenant, detail=told)
    return tenant


def change_tenant(
    tenant: Tenant,
    *,
    actor: User,
    generation: int,
    name: str,
    contact: User | None,
    contact_email: str,
    keep_days: int,
    via: str = "web",
) -> bool:
    """Name, contact and keep period become these; True when anything differed. The slug stays for life.

    Saving what is there already is no act. Refused: a taken name, wrong values (InvalidInput by field); a form older
    than the tenant, a tenant that left (Conflict). An e-mail address is not written into the trail, which nobody can
    erase.
    """
    facts: dict[str, Any] = {
        "name": name, "contact": contact, "contact_email": contact_email, "keep_days": keep_days
    }  # fmt: skip
    before = Tenant.objects.select_related("contact").get(pk=tenant.pk)
    if all(getattr(before, field) == value for field, value in facts.items()):
        return False
    problems = _problems(name, contact if contact != before.contact else None, contact_email, keep_days)
    problems["name"] += _name_taken(name, but=tenant.pk)
    refuse(problems)
    with transaction.atomic():
        _unique(name, lambda: raise_tenant(tenant, generation, **facts), but=tenant.pk)
        after = Tenant.objects.get(pk=tenant.pk)
        detail = {"before": _told(before), "after": _told(after)}
        if before.contact_email != contact_email:
            detail["contact_email"] = {"changed": True}
        audit.append("tenant:change", Outcome.OK, actor=actor, via=via, tenant=tenant, detail=detail)
    return True


def set_policies(tenant: Tenant, *, actor: User, generation: int, via: str = "web", **policies: Any) -> bool:
    """What rotations of this tenant may and do, by `POLICIES`; True when anything differed. Refused: hours or days
    outside what they can be (InvalidInput by field); a form older than the tenant, a tenant that left (Conflict)."""
    before = Tenant.objects.get(pk=tenant.pk)
    if all(getattr(before, name) == policies[name] for name in POLICIES):
        return False
    refuse(_policy_problems(**policies))
    with transaction.atomic():
        raise_tenant(tenant, generation, **{name: policies[name] for name in POLICIES})
        detail = {"before": {name: getattr(before, name) for name in POLICIES}, "after": policies}
        audit.append("tenant:change_policies", Outcome.OK, actor=actor, via=via, tenant=tenant, detail=detail)
    return True


def _policy_problems(*, overlap_hours: int, overlap_hours_max: int, **rest: Any) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {"overlap_hours": [], "overlap_hours_max": []}
    if not 1 <= overlap_hours_max <= LONGEST_OVERLAP:
        problems["overlap_hours_max"].append(f"1 to {LONGEST_OVERLAP} hours.")
    if not 1 <= overlap_hours <= max(overlap_hours_max, 1):
        problems["overlap_hours"].append("At least an hour, and no longer than the longest.")
    return problems


def suggest_slug(name: str) -> str:
    """Made from the name, with a number when the plain one is taken; empty when the name has nothing to make it of."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: SLUG_MAX - 4].strip("-")
    if not stem:
        return ""
    taken = set(Tenant.objects.filter(slug__startswith=stem).values_list("slug", flat=True)) | {"new"}
    return next(slug for slug in [stem, *(f"{stem}-{n}" for n in range(2, 1000))] if slug not in taken)


def _told(tenant: Tenant) -> dict[str, Any]:
    """A person stands in the trail by id, so that the name resolves at display."""
    return {"name": tenant.name, "contact": tenant.contact_id, "keep_days": tenant.keep_days}


def _unique(name: str, write: Callable[[], T], *, slug: str = "", but: int = 0) -> T:
    """Somebody else may have taken name or slug since they were looked up."""
    try:
        with transaction.atomic():
            return write()
    except IntegrityError:
        refuse({"slug": _slug_taken(slug), "name": _name_taken(name, but=but)})
        raise InvalidInput({"name": [_taken(name)]}) from None


def _slug_taken(slug: str) -> list[str]:
    is_taken = Tenant.objects.filter(slug=slug).exists()
    return [f"{slug} is taken; the slug is the tenant's identity in tokens."] if is_taken else []


def _name_taken(name: str, *, but: int = 0) -> list[str]:
    """In small or capital letters: nobody tells Northwind from NORTHWIND in a list."""
    same = Tenant.objects.filter(name__iexact=name).exclude(pk=but).first()
    return [_taken(same.name)] if same else []


def _taken(name: str) -> str:
    return f"There is a tenant named {name} already."


def _problems(name: str, contact: User | None, contact_email: str, keep_days: int) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {"name": [], "contact_email": [], "keep_days": [], "contact": []}
    if not name.strip() or name != name.strip():
        problems["name"].append("Give the tenant a name, without spaces at its ends.")
    elif len(name) > 100 or not is_plain_line(name):
        problems["name"].append("At most 100 characters on one line, without invisible ones.")
    if contact and not (contact.is_staff_member and contact.is_active):
        problems["contact"].append("The contact is one of the staff.")
    if not 1 <= keep_days <= LONGEST_KEEP:
        problems["keep_days"].append(f"1 to {LONGEST_KEEP} days.")
    if contact_email:
        try:
            validate_email(contact_email)
        except ValidationError:
            problems["contact_email"].append("This is not an e-mail address.")
    return problems
