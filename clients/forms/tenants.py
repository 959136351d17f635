"""Forms about one tenant: its details, its attribute values, creating it with both."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from clients.forms.app_clients import ContactField
from clients.forms.attributes import PREFIX, as_text
from clients.forms.editing import EditForm
from clients.forms.numbers import RangeField
from clients.models import AttributeDefinition, AttributeType, Tenant
from clients.services import attributes, claims
from clients.services.tenants import LONGEST_KEEP
from clients.validators import SLUG_MAX, VALUE_MAX, clean_value

MANY = 50 * (VALUE_MAX + 2)  # characters a list of texts may need, commas included


def value_field(definition: AttributeDefinition, **options: Any) -> forms.Field:
    """The control for one value of this definition, as text people type."""
    choices = ["yes", "no"] if definition.type == AttributeType.BOOLEAN else list(definition.choices)
    if choices:
        return forms.ChoiceField(choices=[("", "Not set"), *((choice, choice) for choice in choices)], **options)
    longest = MANY if definition.type == AttributeType.STRINGS else VALUE_MAX
    widget = forms.TextInput(attrs={"autocomplete": "off", "maxlength": str(longest)})
    return forms.CharField(widget=widget, validators=[partial(_check_value, definition)], **options)


def _check_value(definition: AttributeDefinition, text: str) -> None:
    """Also the service's to say; asked here, so that all that is wrong with a form is said at once."""
    try:
        clean_value(definition.type, text, definition.choices)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _add_values(form: forms.Form, definitions: Iterable[AttributeDefinition], values: Mapping[str, Any]) -> None:
    for definition in definitions:
        hints = [definition.description] if definition.description else []
        if definition.default is not None:
            hints.append(f"Left empty: {as_text(definition.default)}, the default.")
        if definition.type == AttributeType.STRINGS:
            hints.append("Separate texts by commas.")
        name = PREFIX + definition.claim_name
        form.fields[name] = value_field(
            definition, required=definition.is_required and definition.default is None, label=definition.claim_name,
            help_text=" ".join(hint if hint.endswith(".") else f"{hint}." for hint in hints),
            initial=as_text(values.get(definition.claim_name)),
        )  # fmt: skip


def _typed(form: forms.Form) -> dict[str, str]:
    return {name.removeprefix(PREFIX): form.cleaned_data[name] for name in form.fields if name.startswith(PREFIX)}


class ValuesForm(EditForm):
    def __init__(self, *args: Any, tenant: Tenant, **options: Any) -> None:
        super().__init__(*args, **options)
        _add_values(self, claims.present_definitions(), attributes.values_of(tenant))

    @classmethod
    def showing(cls, tenant: Tenant) -> "ValuesForm":
        return cls(tenant=tenant, initial={"generation": tenant.generation})

    def values(self) -> dict[str, str]:
        return _typed(self)


class DetailsForm(forms.Form):
    """What of a tenant may change. The slug is not here: it is the tenant's identity in tokens."""

    name = forms.CharField(max_length=100)
    contact = ContactField(empty_label="Nobody", help_text="The staff member who looks after this tenant.")
    contact_email = forms.EmailField(
        max_length=254, required=False, label="Customer email", help_text="Whom to write to at the customer."
    )
    keep_days = RangeField(
        min_value=1, max_value=LONGEST_KEEP, initial=30, label="Keep period (days)",
        help_text="How long a secret nobody has received stays sealed here; then it is erased.",
    )  # fmt: skip

    def __init__(self, *args: Any, tenant: Tenant | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["contact"].offer(tenant.contact_id if tenant else None)  # type: ignore[attr-defined]


class TenantForm(EditForm, DetailsForm):
    @classmethod
    def showing(cls, tenant: Tenant) -> "TenantForm":
        return cls(tenant=tenant, initial={
            "generation": tenant.generation, "name": tenant.name, "contact": tenant.contact_id,
            "contact_email": tenant.contact_email, "keep_days": tenant.keep_days,
        })  # fmt: skip


class CreateTenantForm(DetailsForm):
    slug = forms.CharField(
        max_length=SLUG_MAX, required=False,
        help_text="The tenant’s identity in tokens, for life. Left empty, it is made from the name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-slug-from": "id_name"}),
    )  # fmt: skip

    def __init__(self, *args: Any, definitions: Iterable[AttributeDefinition], **options: Any) -> None:
        super().__init__(*args, **options)
        _add_values(self, definitions, {})

    def values(self) -> dict[str, str]:
        return _typed(self)

    def value_fields(self) -> list[forms.BoundField]:
        return [bound for bound in self if bound.name.startswith(PREFIX)]
