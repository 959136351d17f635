"""The form that makes an account out of an invitation."""

from django import forms


class InvitationForm(forms.Form):
    token = forms.CharField(
        max_length=200, label="Invitation code", help_text="It stands in the link you were sent, after the #.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-from-fragment": True, "spellcheck": "false"}),
    )  # fmt: skip
    name = forms.CharField(max_length=100, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        strip=False, help_text="At least 12 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
