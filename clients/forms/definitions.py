"""Forms about attribute definitions: defining one, and what of it may change."""

from typing import Any

from django import forms

from clients.forms.attributes import as_text
from clients.forms.editing import EditForm
from clients.models import AttributeDefinition, AttributeType
from clients.validators import VALUE_MAX

CHOICES_HINT = "One on each line."


class DefinitionFields(forms.Form):
    description = forms.CharField(
        max_length=200, required=False, help_text="What it says about a tenant; seen wherever a value is set."
    )
    choices = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text=CHOICES_HINT)
    default = forms.CharField(
        required=False, max_length=50 * (VALUE_MAX + 2), widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What a token carries where nothing is set. Left empty: the claim is not in it then.",
    )  # fmt: skip
    is_required = forms.BooleanField(
        required=False, label="Required", help_text="Every tenant has a value, unless the default stands in."
    )
    is_overridable = forms.BooleanField(
        required=False, label="Clients may differ", help_text="A client may carry another value than its tenant."
    )

    def facts(self) -> dict[str, Any]:
        """As the services take them."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "generation"}
        lines = [line.strip() for line in values.get("choices", "").splitlines()]
        choices = list(dict.fromkeys(line for line in lines if line))  # one that stands twice is one
        return values | {"choices": choices, "default": values["default"] or None}


class DefineForm(DefinitionFields):
    claim_name = forms.CharField(
        max_length=64, help_text="As the API reads it, such as rate_limit. It never changes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    type = forms.ChoiceField(choices=AttributeType.choices, help_text="It never changes.")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["choices"].help_text = f"For “One of a list” only. {CHOICES_HINT}"

    def facts(self) -> dict[str, Any]:
        facts = super().facts()
        return facts if facts["type"] == AttributeType.CHOICE else facts | {"choices": []}


class ChangeDefinitionForm(EditForm, DefinitionFields):
    def __init__(self, data: Any = None, *, definition: AttributeDefinition) -> None:
        initial = {
            "generation": definition.generation, "description": definition.description,
            "choices": "\n".join(definition.choices), "default": as_text(definition.default),
            "is_required": definition.is_required, "is_overridable": definition.is_overridable,
        }  # fmt: skip
        super().__init__(data, initial=initial)
        if definition.type != AttributeType.CHOICE:
            del self.fields["choices"]
        if definition.type == AttributeType.BOOLEAN:
            words = [("", "None"), ("yes", "yes"), ("no", "no")]
            hint = self.fields["default"].help_text
            self.fields["default"] = forms.ChoiceField(choices=words, required=False, help_text=hint)

    @classmethod
    def showing(cls, definition: AttributeDefinition) -> "ChangeDefinitionForm":
        return cls(definition=definition)
