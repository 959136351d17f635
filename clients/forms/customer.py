"""What members type."""

from django import forms


class ChangeRequestForm(forms.Form):
    text = forms.CharField(
        label="What should change", max_length=500, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Scopes, attributes or a name. Never a secret: it would stand in the activity.",
    )  # fmt: skip
