"""Forms about what others may change meanwhile: what one was opened with travels with it, so that whoever comes second
is told what they changed themselves, and it goes on top of what stands there now."""

import json
from typing import Any

from django import forms

from clients.errors import Conflict

# What each control says, as a browser sends it; a box without a tick says nothing.
Controls = dict[str, list[str]]
Line = tuple[str, str, str, str]
BESIDE = ("operation_id", "generation", "opened")  # carried with a form, and nobody types them
NOTHING = "—"
_HELD = ("held", NOTHING)


class EditForm(forms.Form):
    """`generation` is the state the person saw, `opened` what the controls said then. That is compared with and serves
    for nothing else, so it need not be trusted; without it, whatever differs counts as typed by this person.

    A child has `showing(row)`: the form as it opens now.
    """

    generation = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    opened = forms.Field(required=False, widget=forms.HiddenInput)
    nothing = NOTHING

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["opened"].initial = self._opening

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        found.pop("opened", None)
        return found

    def controls(self) -> Controls:
        """As typed, or as the form opens."""
        return {bound.html_name: _said(bound) for bound in self if bound.name not in BESIDE}

    def _opening(self) -> str:
        return json.dumps(self.controls(), separators=(",", ":"), ensure_ascii=False)

    def opened_with(self) -> Controls | None:
        """None where nothing readable came with it."""
        try:
            told = json.loads(self.data.get("opened", ""))
        except (ValueError, TypeError, RecursionError):
            return None
        is_told = isinstance(told, dict) and all(isinstance(texts, list) for texts in told.values())
        return {name: [str(text) for text in texts] for name, texts in told.items()} if is_told else None

    def touched(self, fresh: "EditForm") -> Controls:
        """What this person changed, as typed, also in controls that `fresh`, the form as it opens now, has no more. One
        that was not there when they opened it they cannot have changed."""
        was, typed, now = self.opened_with(), self.controls(), fresh.controls()
        if was is None:
            was = now
        data: Any = self.data
        sent = {name: data.getlist(name) for name in was if name not in typed and name in data}
        return {name: texts for name, texts in (typed | sent).items() if name in was and _differ(texts, was[name])}

    def refuse_retired(self, fresh: "EditForm") -> None:
        """Raises Conflict where this person changed what the form, as it opens now, has no control for any more: saving
        the rest would drop it without a word."""
        if gone := sorted(_plain_name(name) for name in self.touched(fresh).keys() - fresh.controls().keys()):
            was = "was" if len(gone) == 1 else "were"
            raise Conflict(f"{' and '.join(gone)} {was} retired since you opened the page. Look at what is left first.")

    def merged(self, fresh: "EditForm") -> list[tuple[str, str]]:
        """What a form opened anew is sent with: what this person changed, on top of what stands there now."""
        touched, now, was = self.touched(fresh), fresh.controls(), self.opened_with()
        together = now | {name: texts for name, texts in touched.items() if name in now}
        for name in together.keys() & touched.keys():
            if was is not None and self._is_set(name):
                added, removed = set(touched[name]) - set(was[name]), set(was[name]) - set(touched[name])
                together[name] = sorted(set(now[name]) - removed | added)
        return [(name, text) for name, texts in together.items() for text in texts] + [("opened", fresh._opening())]

    def differences(self, fresh: "EditForm") -> list[Line]:
        """(what, as it was opened, as it is now, as typed) of what this person changed and stands otherwise now."""
        was, now, lines = self.opened_with() or {}, fresh.controls(), []
        for name, texts in self.touched(fresh).items():
            if self._is_set(name):
                lines += _of_set(was.get(name), now[name], texts)
            elif name not in now:
                lines.append((_plain_name(name), self._words(name, was[name]), "retired", self._words(name, texts)))
            elif _differ(texts, now[name]):
                first = self._words(name, was[name]) if name in was else self.nothing
                lines.append((self._label(name), first, fresh._words(name, now[name]), self._words(name, texts)))
        return lines

    def meanwhile(self, fresh: "EditForm") -> list[tuple[str, str, str]]:
        """(what, as it was opened, as it is now) of what others changed and this person did not."""
        was, now, typed, lines = self.opened_with() or {}, fresh.controls(), self.controls(), []
        for name in was.keys() & now.keys() & typed.keys():
            if self._is_set(name):
                theirs = ({*was[name]} ^ {*now[name]}) - ({*was[name]} ^ {*typed[name]})
                lines += [(each, _HELD[each not in was[name]], _HELD[each not in now[name]]) for each in theirs]
            elif not _differ(was[name], typed[name]) and _differ(was[name], now[name]):
                lines.append((self._label(name), self._words(name, was[name]), fresh._words(name, now[name])))
        return sorted(lines)

    def _is_set(self, name: str) -> bool:
        return name in self.fields and isinstance(self.fields[name].widget, forms.MultipleHiddenInput)

    def _label(self, name: str) -> str:
        return str(self[name].label) if name in self.fields else _plain_name(name)

    def _words(self, name: str, texts: list[str]) -> str:
        field: Any = self.fields.get(name)
        if isinstance(field, forms.BooleanField) or texts in ([], ["on"]):
            return "yes" if texts else "no"
        text = texts[0]
        if isinstance(field, forms.ChoiceField):
            choices: Any = field.choices
            return {str(value): str(label) for value, label in choices}.get(text, "not offered any more")
        return text or self.nothing


def _said(bound: forms.BoundField) -> list[str]:
    value = bound.value()
    if isinstance(bound.field, forms.BooleanField):
        return ["on"] if value else []
    if isinstance(value, list | tuple):
        return sorted({str(each) for each in value})
    return ["" if value is None else str(value)]


def _differ(some: list[str], others: list[str]) -> bool:
    """Browsers send a line's end as two characters, and leave out an empty first line."""
    some, others = (["\n".join(text.splitlines()).strip() for text in texts] for texts in (some, others))
    return some != others


def _of_set(was: list[str] | None, now: list[str], typed: list[str]) -> list[Line]:
    before = now if was is None else was
    touched = [each for each in sorted({*before} ^ {*typed}) if (each in now) != (each in typed)]
    return [(each, _HELD[each not in before], _HELD[each not in now], _HELD[each not in typed]) for each in touched]


def _plain_name(name: str) -> str:
    """Without what stands before it in the names of controls."""
    return name.partition(":")[2] or name
