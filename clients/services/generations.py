"""Compare-and-set on what a form about a tenant saw."""

from typing import Any

from django.db.models import F

from clients.errors import Conflict
from clients.models import Tenant, TenantStatus


def raise_tenant(tenant: Tenant, generation: int, **changes: Any) -> None:
    """Writes the changes too, inside the caller's transaction. Raises Conflict when somebody else saved in between, and
    for a tenant that was off-boarded: nobody would look at what is typed there, and a slug never comes back."""
    rows = Tenant.objects.filter(pk=tenant.pk)
    present = rows.exclude(status=TenantStatus.OFF_BOARDED)
    if present.filter(generation=generation).update(generation=F("generation") + 1, **changes):
        return
    if not present.exists():
        raise Conflict(f"{tenant} is off-boarded: it stays as it is.")
    raise Conflict("Somebody changed this tenant since you opened the page. Look at it as it is now first.")
