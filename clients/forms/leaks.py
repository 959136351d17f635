"""Asking whose a secret is."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator

MOST = 200_000  # characters
TOO_LONG = "This is longer than 200,000 characters. Paste the part around the secret."


class Unshown(forms.Textarea):
    """What was pasted never stands in an answer, not even beside its refusal."""

    def format_value(self, value: Any) -> str:
        return ""


class PasteField(forms.CharField):
    """Anything at all: a log may hold a NUL, and a browser sends two characters for each end of a line."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\0", " ")


class PasteForm(forms.Form):
    """No `maxlength` on the page: a browser would cut the text without a word, and what it cut would not be found."""

    text = PasteField(
        label="What you found", strip=False,
        help_text="Any string, log excerpt, URL or configuration, up to 200,000 characters. Read once, not kept.",
        widget=Unshown(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
        validators=[MaxLengthValidator(MOST, TOO_LONG)],
    )  # fmt: skip
