"""The filters of the clients list; every one lives in the address."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from clients.models import AppClient, Scope, Status, Tenant, User, UserPool


def _any(model: Any, empty_label: str, key: str) -> forms.ModelChoiceField:
    """A choice of rows, given later; `key` is what stands in the address."""
    return forms.ModelChoiceField(model.objects.none(), required=False, empty_label=empty_label, to_field_name=key)


class ClientFilter(forms.Form):
    """Unknown values are ignored, not refused: an old link still shows a list."""

    q = forms.CharField(required=False, max_length=200, label="Search")
    status = forms.ChoiceField(required=False)
    tenant = _any(Tenant, "Any tenant", "slug")
    pool = _any(UserPool, "Any pool", "environment")
    scope = _any(Scope, "Any scope", "full_name")
    contact = _any(User, "Any contact", "pk")
    expiring = forms.BooleanField(required=False, label="Expires within 30 days")
    undelivered = forms.BooleanField(required=False, label="Not yet delivered")

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data, auto_id="filter-%s")
        present = [(value, label) for value, label in Status.choices if value != Status.DELETED]
        self._choices("status").choices = [("", "Any status"), *present]
        self._rows("scope", Scope.objects.all())
        self._rows("pool", UserPool.objects.all())
        if user.is_staff_member:
            self._rows("tenant", Tenant.objects.all())
            self._rows("contact", User.objects.filter(tenant__isnull=True, is_active=True).order_by("name"))
        else:
            del self.fields["tenant"], self.fields["contact"]

    def _choices(self, name: str) -> Any:
        return self.fields[name]

    def _rows(self, name: str, rows: QuerySet[Any]) -> None:
        self._choices(name).queryset = rows

    def apply(self, rows: Any) -> Any:
        self.is_valid()
        chosen = {name: value for name, value in self.cleaned_data.items() if value}
        rows = rows.search(chosen.pop("q", ""))
        if chosen.pop("expiring", False):
            rows = rows.filter(pk__in=AppClient.objects.expiring().values("pk"))
        if chosen.pop("undelivered", False):
            rows = rows.undelivered()
        if scope := chosen.pop("scope", None):
            rows = rows.filter(pk__in=AppClient.scopes.through.objects.filter(scope=scope).values("appclient_id"))
        return rows.filter(**chosen)

    @property
    def is_used(self) -> bool:
        return any(self.cleaned_data.values())
