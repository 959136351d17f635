"""What every page shows around itself; asked of the database only where a template uses it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from clients import permissions
from clients.models import AppClient, AttributeDefinition, Operation, Scope, Tenant, UserPool
from clients.services import restores
from clients.views.fetching import Acting, acting
from clients.views.shortcut import has_shortcut
from clients.views.theme import NEXT, current_theme

COUNT_CAP = 1000


@dataclass
class Shell:
    user: Any
    theme: str
    acting: Acting | None = None
    has_shortcut: bool = True
    route: str = ""

    @property
    def is_at_sign_in(self) -> bool:
        """The library's pages do not say where they stand in the navigation."""
        return self.route.startswith(("mfa_", "usersessions_"))

    @property
    def organisation(self) -> str:
        return str(settings.ORGANISATION)

    @property
    def next_theme(self) -> str:
        return NEXT[self.theme]

    @cached_property
    def pools(self) -> list[UserPool]:
        return list(UserPool.objects.all())

    @property
    def is_current(self) -> bool:
        """Cognito was reached lately, for every pool."""
        return not any(pool.is_missing or pool.is_stale for pool in self.pools)

    @property
    def seen_at(self) -> datetime | None:
        """When Cognito was last seen, of the pool seen longest ago; nothing where it is away: then the page says so."""
        seen = [pool.checked_at for pool in self.pools if pool.checked_at]
        return min(seen) if self.is_current and seen else None

    @cached_property
    def client_count(self) -> str:
        """Capped, so that the navigation costs the same with any number of clients; in no order, so that an index is
        all that is read."""
        found = AppClient.objects.visible_to(self.user).present().order_by()[: COUNT_CAP + 1].count()
        return f"{COUNT_CAP:,}+" if found > COUNT_CAP else str(found)

    @cached_property
    def is_restored(self) -> bool:
        return restores.is_on()

    @property
    def may_see_tenants(self) -> bool:
        return permissions.can_view_tenants(self.user)

    @cached_property
    def tenant_count(self) -> str:
        found = Tenant.objects.order_by()[: COUNT_CAP + 1].count()
        return f"{COUNT_CAP:,}+" if found > COUNT_CAP else str(found)

    @cached_property
    def scope_count(self) -> int:
        return Scope.objects.count()

    @cached_property
    def attribute_count(self) -> int:
        return AttributeDefinition.objects.filter(retired_at__isnull=True).count()

    @property
    def may_manage_people(self) -> bool:
        return permissions.can_manage_people(self.user)

    @property
    def may_find_secret(self) -> bool:
        return permissions.can_find_secret(self.user)

    @property
    def may_see_operations(self) -> bool:
        return permissions.can_see_operations(self.user)

    @cached_property
    def stuck(self) -> int:
        """As many as the operations page shows at first."""
        return Operation.objects.stuck()[:100].count()


def shell(request: HttpRequest) -> dict[str, Shell]:
    match = request.resolver_match
    around = Shell(
        getattr(request, "user", None), current_theme(request), acting(request), has_shortcut(request),
        (match.url_name or "") if match else "",
    )  # fmt: skip
    return {"shell": around}
