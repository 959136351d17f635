"""Choosing one tenant among few or among thousands."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from clients.forms.url_filter import LONGEST_CHOICE
from clients.models import Tenant

NAMED = 3  # in a sentence


class TenantField(forms.ModelChoiceField):
    """A choice among up to a hundred; of more, one is typed by its name or slug. Either is understood in both."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Tenant.objects.none(), to_field_name="slug", **kwargs)

    def offer(self) -> None:
        """For a form's `__init__`: reads at most one more than it may list."""
        self.queryset = Tenant.objects.all()
        rows = list(Tenant.objects.values_list("slug", "name")[: LONGEST_CHOICE + 1])
        if len(rows) > LONGEST_CHOICE:
            self.widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
            self.help_text = f"Its name or slug. {self.help_text}".strip()
        else:
            self.widget.choices = [("", self.empty_label), *rows]

    def to_python(self, value: Any) -> Tenant | None:
        text = str(value or "").strip().replace("\0", "")
        if not text:
            return None
        if found := Tenant.objects.filter(Q(slug=text) | Q(name__iexact=text)).first():
            return found
        similar = [str(tenant) for tenant in Tenant.objects.filter(name__icontains=text)[:NAMED]]
        hint = f" Did you mean {' or '.join(similar)}?" if similar else " Look for it on the Tenants page."
        raise ValidationError(f"No tenant has this name or slug.{hint}", code="invalid_choice")
