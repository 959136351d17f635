"""Asking for a token by hand."""

from typing import Any

from django import forms

from clients.models import AppClient


class TokenForm(forms.Form):
    secret = forms.CharField(
        label="Client secret", strip=True, max_length=200, help_text="Used for one request and not kept.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(required=False)

    def __init__(self, *args: Any, app_client: AppClient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = list(app_client.scopes.order_by("full_name").values_list("full_name", flat=True))
        scopes: Any = self.fields["scopes"]
        scopes.choices = [(name, name) for name in held]
        self.held = held

    @property
    def ticked(self) -> list[str]:
        """All of them until somebody chose."""
        return list(self.data.getlist("scopes")) if self.is_bound and hasattr(self.data, "getlist") else self.held
