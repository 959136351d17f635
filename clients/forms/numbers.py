"""Numbers as people type them."""

from typing import Any

from django import forms


class RangeField(forms.IntegerField):
    """A whole number between two others; what does not fit is told both of them."""

    def __init__(self, *, min_value: int, max_value: int, **options: Any) -> None:
        said = f"Choose a whole number from {min_value:,} to {max_value:,}."
        messages = dict.fromkeys(("invalid", "min_value", "max_value"), said)
        super().__init__(min_value=min_value, max_value=max_value, error_messages=messages, **options)
