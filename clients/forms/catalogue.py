"""Forms about resource servers: what they are, how their API is called, which scopes go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms

from clients.forms.app_clients import ChangeForm
from clients.forms.editing import NOTHING, Controls, EditForm
from clients.models import ApiKind, ResourceServer, Scope, UserPool
from clients.models.ids import new_ulid
from clients.services.catalogue import Api, Shown
from clients.validators import check_new_scopes

ROWS = 4
MOST_ROWS = 100
READING = "reading:"  # alone: the ticks were on the page; before a scope's name: its tick
DESCRIPTION, WAS = "description:", "was:"  # before a scope's name: as typed, and as the page showed it


@dataclass
class ScopeRow:
    """One line for a new scope, as typed."""

    number: int
    name: str = ""
    description: str = ""
    problems: list[str] = field(default_factory=list)


def scope_rows(data: Mapping[str, str] | None, *, more: bool = False) -> list[ScopeRow]:
    """The lines as typed, with empty ones to type into; `more`: a few beyond."""
    if data is None:
        return [ScopeRow(n) for n in range(ROWS)]
    typed = str(data.get("rows", ROWS))
    shown = min(int(typed), MOST_ROWS) if typed.isascii() and typed.isdecimal() and len(typed) < 4 else ROWS
    count = min(shown + (ROWS if more else 0), MOST_ROWS)
    return [
        ScopeRow(n, data.get(f"scope-{n}-name", "").strip(), data.get(f"scope-{n}-description", "").strip())
        for n in range(count)
    ]


def scopes_typed(rows: list[ScopeRow]) -> tuple[dict[str, str], list[str]]:
    """(name → description, sentences). A line counts as soon as either is filled."""
    filled = [row for row in rows if row.name or row.description]
    names = [row.name for row in filled]
    twice = sorted({name for name in names if names.count(name) > 1})
    return {row.name: row.description for row in filled}, [
        f"{name or 'A line without name'} stands twice." for name in twice
    ]


def mark_rows(rows: list[ScopeRow], identifier: str, sentences: list[str]) -> list[str]:
    """Puts each sentence beside the line it is about; returns the rest."""
    for row in rows:
        if row.name or row.description:
            own = [*check_new_scopes(identifier, {row.name: row.description}), f"{row.name} exists already."]
            row.problems = [sentence for sentence in own if sentence in sentences]
    told = {sentence for row in rows for sentence in row.problems}
    return [sentence for sentence in sentences if sentence not in told]


class ApiForm(forms.Form):
    """How the API is called: for snippets."""

    api_kind = forms.ChoiceField(choices=ApiKind.choices, label="Kind of API")
    api_url = forms.CharField(
        max_length=500, required=False, label="Address of the API", help_text="Such as https://api.example.com/graphql.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    api_method = forms.ChoiceField(choices=[(m, m) for m in ("POST", "GET", "PUT", "PATCH", "DELETE")], label="Method")
    example_call = forms.CharField(
        required=False, label="Example call", widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        max_length=4000, strip=False, help_text="AppSync: a GraphQL query. REST: a JSON body. It stands in every kit.",
    )  # fmt: skip

    def api(self) -> Api:
        names = ("api_kind", "api_url", "api_method", "example_call")
        return Api(*(self.cleaned_data[name] for name in names))


class ApiChangeForm(EditForm, ApiForm):
    def __init__(self, *args: Any, server: ResourceServer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server = server

    @classmethod
    def showing(cls, server: ResourceServer) -> "ApiChangeForm":
        names = ("api_kind", "api_url", "api_method", "example_call", "generation")
        return cls(server=server, initial={name: getattr(server, name) for name in names})

    def controls(self) -> Controls:
        ticks = {name: ["on"] if is_ticked else [] for _, name, is_ticked in self.scopes()}
        return super().controls() | ({READING: ["on"]} | ticks if ticks else {})

    @property
    def reading(self) -> set[str] | None:
        """Names ticked as scopes that only read; None where they were not asked for."""
        if READING not in self.data:
            return None
        return {name.removeprefix(READING) for name in self.data if name.startswith(READING) and name != READING}

    def scopes(self) -> list[tuple[Scope, str, bool]]:
        """(scope, name of its tick, is ticked), as typed or as it is."""
        typed = self.reading if self.is_bound else None
        rows = self.server.scopes.order_by("name")
        return [(row, READING + row.name, row.is_read_only if typed is None else row.name in typed) for row in rows]


class ServerForm(ApiForm):
    operation_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)
    pool = forms.ModelChoiceField(UserPool.objects.none(), empty_label=None, to_field_name="environment")
    identifier = forms.CharField(
        strip=False, max_length=256, help_text="It begins every scope, as in orders/read, and never changes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    name = forms.CharField(max_length=256, help_text="For people.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pool: Any = self.fields["pool"]
        pool.queryset = UserPool.objects.all()


class ServerChangeForm(ChangeForm):
    """`was` and what stands beside each description are what the page showed: only what a person changed is wanted,
    whatever others changed meanwhile."""

    name = forms.CharField(max_length=256)
    was = forms.CharField(max_length=256, required=False, strip=False, widget=forms.HiddenInput)

    def new_name(self, server: ResourceServer) -> str | None:
        """None: it stays."""
        name = self.cleaned_data["name"]
        return name if name != self.shown(server).name else None

    def descriptions(self, server: ResourceServer) -> dict[str, str]:
        """What was typed for each scope and differs from what was shown."""
        names = [key.removeprefix(DESCRIPTION) for key in self.data if key.startswith(DESCRIPTION)]
        typed = {name: str(self.data[DESCRIPTION + name]).strip() for name in names}
        shown = self.shown(server).descriptions
        return {name: text for name, text in typed.items() if text != shown.get(name, "")}

    def others(self, server: ResourceServer) -> list[tuple[str, str, str]]:
        """(what, as it was shown, as it is now) of what others changed and this person did not."""
        told = {key.removeprefix(WAS): str(text) for key, text in self.data.items() if key.startswith(WAS)}
        now = {s.name: "Gone in Cognito" if s.gone_at else s.description for s in server.scopes.all()}
        names = sorted(({*told} | {*now}) - {*self.descriptions(server)}) if told else []
        lines = [("Name", self.shown(server).name, server.name)] if self.new_name(server) is None else []
        lines += [(f"{server.identifier}/{name}", told.get(name, NOTHING), now.get(name, NOTHING)) for name in names]
        return [(what, was or NOTHING, there or NOTHING) for what, was, there in lines if was != there]

    def shown(self, server: ResourceServer) -> Shown:
        """As the page said it; what it did not say, as it stands here."""
        held = dict(server.scopes.values_list("name", "description"))
        told = {key.removeprefix(WAS): str(text) for key, text in self.data.items() if key.startswith(WAS)}
        return Shown(self.cleaned_data["was"] or server.name, held | told)


class RetireForm(forms.Form):
    reason = forms.CharField(
        max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Those who look after its clients will ask.",
    )  # fmt: skip


class ReleaseForm(forms.Form):
    """`wanted`: what has to be typed, empty where nobody holds the scopes any more."""

    typed = forms.CharField(
        max_length=2000, strip=False, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        typed = self.fields["typed"]
        typed.required, typed.label = bool(wanted), f"Type {wanted} to confirm"
        typed.error_messages["required"] = f"Type {wanted} to confirm: clients still hold it."
