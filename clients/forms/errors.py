"""Sentences of a service beside the field they are about."""

from typing import Any

from django import forms

from clients.errors import InvalidInput, PortalError
from clients.models.ids import new_ulid

SECONDS_FIELDS = {"access_token_seconds": "validity_minutes"}


def add_refusals(form: forms.Form, error: InvalidInput) -> dict[str, list[str]]:
    """Adds what belongs to a field of the form; returns the rest, for tables the page draws itself."""
    rest: dict[str, list[str]] = {}
    for name, sentences in error.fields.items():
        ours = SECONDS_FIELDS.get(name, name)
        if ours in form.fields:
            form.add_error(ours, sentences)
        elif name == "attributes":
            form.add_error(None, sentences)
        else:
            rest[name.removeprefix("attribute:")] = sentences
    return rest


def keep_typed(form: forms.Form, error: PortalError | str) -> None:
    """A refusal that is about no field, above all that was typed, which is sent again as another operation: the refused
    one stays what it is."""
    sent: Any = form.data
    typed = sent.copy()
    typed["operation_id"] = new_ulid()
    form.data = typed
    form.add_error(None, error.sentence if isinstance(error, PortalError) else error)
