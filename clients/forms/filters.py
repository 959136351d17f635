"""The filters of the clients list; every one lives in the address."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q

from clients import sealing
from clients.models import AppClient, ResourceServer, Scope, Status, Tenant, User, UserPool

LONGEST_CHOICE = 100  # more than that nobody scrolls through: then it is typed

# Filters that are on or off, in the order of the page: label, and the rows' method that leaves them.
TICKS = {
    "attention": ("Needs attention", "needs_attention"),
    "expiring": ("Expires within 30 days", "expiring"),
    "undelivered": ("Not yet delivered", "undelivered"),
    "out_of_sync": ("Out of sync", "out_of_sync"),
    "never_used": ("Never used", "never_used"),
    "idle": ("Idle 90 days", "idle"),
    "two_secrets": ("Two secrets", "with_two_secrets"),
}
RARE = ("server", *TICKS)  # the views above the list are the usual ticks
SAVED = ("attention", "expiring", "never_used", "idle", "undelivered", "out_of_sync")


class ClientFilter(forms.Form):
    """Unknown values are ignored, not refused: an old link still shows a list."""

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
        self._offer("status", "Any status", present)
        self._offer("pool", "Any pool", _twice(UserPool.objects.values_list("environment")))
        self._offer("server", "Any server", _twice(ResourceServer.objects.values_list("identifier")))
        self._offer("scope", "Any scope", _twice(Scope.objects.values_list("full_name")))
        if user.is_staff_member:
            self._offer("tenant", "Any tenant", Tenant.objects.values_list("slug", "name"))
            staff = User.objects.filter(tenant__isnull=True, is_active=True).order_by("name", "email")
            self._offer("contact", "Any contact", [(str(person.pk), str(person)) for person in staff])
        else:
            del self.fields["tenant"], self.fields["contact"]
        for name, (label, _) in TICKS.items():
            self.fields[name] = forms.BooleanField(required=False, label=label)

    def _offer(self, name: str, anything: str, choices: Any) -> None:
        """A choice among what there is; a field to type in where that is too much."""
        offered = list(choices[: LONGEST_CHOICE + 1])
        if len(offered) <= LONGEST_CHOICE:
            label = self.fields[name].label
            self.fields[name] = forms.ChoiceField(required=False, choices=[("", anything), *offered], label=label)

    def clean_q(self) -> str:
        """Of a whole secret no more than the ending goes on from here, into pages, addresses and the audit trail."""
        text = str(self.cleaned_data["q"]).strip()
        return text[-4:] if sealing.is_well_formed(text) else text

    @property
    def ticks(self) -> list[forms.BoundField]:
        return [self[name] for name in TICKS]

    def apply(self, rows: Any) -> Any:
        chosen = self.chosen
        rows = rows.search(chosen.pop("q", ""))
        for name, (_, left) in TICKS.items():
            if chosen.pop(name, False):
                rows = getattr(rows, left)()
        for name, value in chosen.items():
            rows = rows.filter(_restriction(name, value))
        return rows

    @property
    def chosen(self) -> dict[str, Any]:
        self.is_valid()  # so that there is what was cleaned; of what is wrong nothing is left
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def address(self) -> str:
        """The query that says the same and nothing else."""
        return self._address_without("")

    def _address_without(self, left: str) -> str:
        return urlencode({n: "on" if value is True else value for n, value in self.chosen.items() if n != left})

    @property
    def is_used(self) -> bool:
        return bool(self.chosen)

    @property
    def is_rare_used(self) -> bool:
        return any(name in self.chosen for name in RARE)

    @property
    def count(self) -> int:
        """Of those in the bar: what is searched for stands in a box of its own."""
        return len(self.chosen.keys() - {"q"})

    @property
    def chips(self) -> list[tuple[str, str]]:
        """(what is set, the address without it)."""
        return [(self._in_words(name, value), self._address_without(name)) for name, value in self.chosen.items()]

    def _in_words(self, name: str, value: Any) -> str:
        label = str(self[name].label)
        if value is True:
            return label
        return f"{label}: {dict(getattr(self.fields[name], 'choices', ())).get(value, value)}"


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
