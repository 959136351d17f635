"""Filters that live in the address: what is set, in words, and the address without it."""

from typing import Any
from urllib.parse import urlencode

from django import forms

from clients.forms.pasted import without_secret

LONGEST_CHOICE = 100  # more than that nobody scrolls through: then it is typed


class UrlFilter(forms.Form):
    """A value that is not there (any more) fits nothing, and is told: an old link must not come to mean everything,
    for an export or a rotation of many least of all."""

    def offer(self, name: str, anything: str, choices: Any) -> None:
        """A choice among what there is; a field to type in where that is too much."""
        offered = list(choices[: LONGEST_CHOICE + 1])
        if len(offered) <= LONGEST_CHOICE:
            label = self.fields[name].label
            self.fields[name] = forms.ChoiceField(required=False, choices=[("", anything), *offered], label=label)

    @property
    def chosen(self) -> dict[str, Any]:
        self.is_valid()  # so that there is what was cleaned
        cleaned = self.cleaned_data.items()
        told = {name: without_secret(value) if isinstance(value, str) else value for name, value in cleaned if value}
        return told | self.unknown

    @property
    def unknown(self) -> dict[str, str]:
        """What is set to something there is not. A NUL is shown as what cannot be shown: no database takes it, and
        without it the text might mean something else, or nothing at all."""
        given = {name: str(self.data.get(name, "")).replace("\0", "\ufffd") for name in self.errors}
        return {name: without_secret(text)[:LONGEST_CHOICE] for name, text in given.items() if text}

    @property
    def address(self) -> str:
        """The query that says the same and nothing else."""
        return self._address_without("")

    def _address_without(self, left: str) -> str:
        return urlencode({n: "on" if value is True else value for n, value in self.chosen.items() if n != left})

    @property
    def is_used(self) -> bool:
        return bool(self.chosen)

    @property
    def count(self) -> int:
        """Of those in the bar: what is searched for stands in a box of its own."""
        return len(self.chosen.keys() - {"q"})

    @property
    def chips(self) -> list[tuple[str, str]]:
        """(what is set, the address without it)."""
        return [(self._in_words(name, value), self._address_without(name)) for name, value in self.chosen.items()]

    def _in_words(self, name: str, value: Any) -> str:
        label = str(self[name].label)
        if value is True:
            return label
        if name in self.unknown:
            return f"{label}: {value} (not there)"
        return f"{label}: {dict(getattr(self.fields[name], 'choices', ())).get(value, value)}"
