"""What is done to several clients at once: the rows ticked on one page of the list."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict

from clients.forms.app_clients import ContactField
from clients.forms.filters import ClientFilter
from clients.models import AppClient, User

AT_ONCE = 50  # as many as a page has rows
ULID = RegexValidator(r"^[0-9A-HJKMNP-TV-Z]{26}\Z")
NOT_THERE = "One of the chosen clients is not there."


class Ids(forms.Field):
    """Public ids, each once; which of them exist is for `ChosenForm.rows` to say."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        ids = list(dict.fromkeys(value or []))
        if not ids:
            raise forms.ValidationError("Choose at least one client.")
        if len(ids) > AT_ONCE:
            raise forms.ValidationError(f"Choose at most {AT_ONCE} clients at once.")
        try:
            for public_id in ids:
                ULID(public_id)
        except forms.ValidationError:
            raise forms.ValidationError(NOT_THERE) from None
        return ids


class ChosenForm(forms.Form):
    chosen = Ids()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_chosen(self) -> list[AppClient]:
        """As the person may see them, also those deleted since the page was drawn; all of them or none."""
        rows = AppClient.objects.visible_to(self.user).filter(public_id__in=self.cleaned_data["chosen"])
        found = list(rows.select_related("tenant", "pool").order_by("name", "pk"))
        if len(found) != len(self.cleaned_data["chosen"]):
            raise forms.ValidationError(NOT_THERE)
        return found

    @property
    def problem(self) -> str:
        """The first sentence against it; "" when there is none."""
        return next((str(sentences[0]) for sentences in self.errors.values()), "")


class ContactForm(ChosenForm):
    contact = ContactField(
        required=True,
        empty_label="Choose a contact",
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose a contact among the staff."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_id="bulk-%s", **kwargs)
        self.fields["contact"].offer()  # type: ignore[attr-defined]


def address_of(query: str, *, user: User) -> str:
    """The list a page was sent from, made anew: of what is typed only filters and the place in the pages remain."""
    typed = QueryDict(query[:4000])
    filters = ClientFilter(typed, user=user)
    kept = QueryDict(filters.address, mutable=True)
    if after := typed.get("after", ""):
        kept["after"] = after
    return kept.urlencode()
