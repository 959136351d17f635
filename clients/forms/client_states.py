"""Forms that end something, or give it back: always with a reason, sometimes with a name typed."""

from typing import Any

from django import forms

from clients.models.ids import new_ulid


class ReasonForm(forms.Form):
    """`operation_id` makes a double click one operation."""

    operation_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)
    reason = forms.CharField(
        max_length=500, help_text="Recorded in the activity.", widget=forms.Textarea(attrs={"rows": 2})
    )


class TypedForm(ReasonForm):
    """The thing's name, typed as it is written: for what cannot be undone."""

    typed = forms.CharField(
        max_length=100, strip=False, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        self.fields["typed"].label = f"Type {wanted} to confirm"

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"].strip() != self.wanted:
            raise forms.ValidationError(f"This is not {self.wanted}.")
        return self.cleaned_data["typed"]
