"""The filters of the clients list; every one lives in the address."""

from typing import Any

from django import forms
from django.db.models import Q

from clients.forms.url_filter import LONGEST_CHOICE, UrlFilter
from clients.models import AppClient, ResourceServer, Scope, Status, Tenant, User, UserPool

# Filters that are on or off, in the order of the page: label, and the rows' method that leaves them.
TICKS = {
    "attention": ("Needs attention", "needs_attention"),
    "expiring": ("Expired or expiring", "expiring"),
    "undelivered": ("Not yet delivered", "undelivered"),
    "out_of_sync": ("Out of sync", "out_of_sync"),
    "never_used": ("Never used", "never_used"),
    "idle": ("Idle 90 days", "idle"),
    "two_secrets": ("Two secrets", "with_two_secrets"),
}
RARE = ("server", *TICKS)  # the views above the list are the usual ticks
SAVED = ("attention", "expiring", "never_used", "idle", "undelivered", "out_of_sync")


class ClientFilter(UrlFilter):
    q = forms.CharField(required=False, max_length=200, label="Search")
    status = forms.ChoiceField(required=False)
    tenant = forms.CharField(required=False, max_length=100)
    pool = forms.CharField(required=False, max_length=100)
    server = forms.CharField(required=False, max_length=256, label="Resource server")
    scope = forms.CharField(required=False, max_length=513)
    contact = forms.CharField(required=False, max_length=254)

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data, auto_id="filter-%s")
        present = [(value, label) for value, label in Status.choices if value != Status.DELETED]
        self.offer("status", "Any status", present)
        self.offer("pool", "Any pool", _twice(UserPool.objects.values_list("environment")))
        self.offer("server", "Any server", _twice(ResourceServer.objects.values_list("identifier")))
        self.offer("scope", "Any scope", _twice(Scope.objects.values_list("full_name")))
        if user.is_staff_member:
            self.offer("tenant", "Any tenant", Tenant.objects.values_list("slug", "name"))
            staff = User.objects.filter(tenant__isnull=True, is_active=True).order_by("name", "email")
            self.offer("contact", "Any contact", [(str(person.pk), str(person)) for person in staff])
        else:
            del self.fields["tenant"], self.fields["contact"]
        for name, (label, _) in TICKS.items():
            self.fields[name] = forms.BooleanField(required=False, label=label)

    @property
    def ticks(self) -> list[forms.BoundField]:
        return [self[name] for name in TICKS]

    def apply(self, rows: Any) -> Any:
        chosen = self.chosen
        if self.unknown:
            return rows.none()
        rows = rows.search(chosen.pop("q", ""))
        for name, (_, left) in TICKS.items():
            if chosen.pop(name, False):
                rows = getattr(rows, left)()
        for name, value in chosen.items():
            rows = rows.filter(_restriction(name, value))
        return rows

    @property
    def is_rare_used(self) -> bool:
        return any(name in self.chosen for name in RARE)


def _twice(rows: Any) -> Any:
    """What is value and label in one; several pools may have it."""
    return [(value, value) for (value,) in rows.order_by().distinct()[: LONGEST_CHOICE + 1]]


def _restriction(name: str, value: str) -> Q:
    held = AppClient.scopes.through.objects
    if name == "scope":
        return Q(pk__in=held.filter(scope__full_name=value).values("appclient"))
    if name == "server":
        return Q(pk__in=held.filter(scope__resource_server__identifier=value).values("appclient"))
    if name == "tenant":
        return Q(tenant__in=Tenant.objects.filter(Q(slug=value) | Q(name__iexact=value)).values("pk"))
    if name == "pool":
        return Q(pool__in=UserPool.objects.filter(environment=value).values("pk"))
    if name == "contact":
        person = Q(pk=value) if value.isdecimal() else Q(email__iexact=value) | Q(name__iexact=value)
        return Q(contact__in=User.objects.filter(person).values("pk"))
    return Q(status=value)


def saved_views(user: User) -> list[tuple[str, str]]:
    """(what stands in the address, label): views of the list that are links."""
    mine = [(f"contact={user.pk}", "Mine")] if user.is_staff_member else []
    return [("", "All"), *[(f"{name}=on", TICKS[name][0]) for name in SAVED], *mine]
