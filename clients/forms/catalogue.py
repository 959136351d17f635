"""Forms about resource servers: what they are, how their API is called, which scopes go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from clients.forms.app_clients import ChangeForm
from clients.models import ApiKind, ResourceServer, UserPool
from clients.models.ids import new_ulid
from clients.services.catalogue import Api

ROWS = 4
MOST_ROWS = 100
DESCRIPTION = "description:"


@dataclass
class ScopeRow:
    """One line for a new scope, as typed."""

    number: int
    name: str = ""
    description: str = ""


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

    @staticmethod
    def of(server: ResourceServer) -> dict[str, Any]:
        return {name: getattr(server, name) for name in ("api_kind", "api_url", "api_method", "example_call")}


class ApiChangeForm(ApiForm):
    generation = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


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
    name = forms.CharField(max_length=256)

    def descriptions(self, server: ResourceServer) -> dict[str, str]:
        """What was typed for each scope that is there and differs."""
        held = dict(server.scopes.values_list("name", "description"))
        typed = {name: str(self.data.get(DESCRIPTION + name, text)).strip() for name, text in held.items()}
        return {name: text for name, text in typed.items() if text != held[name]}


class RetireForm(forms.Form):
    reason = forms.CharField(
        max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Those who look after its clients will ask.",
    )  # fmt: skip


class ReleaseForm(forms.Form):
    typed = forms.CharField(
        max_length=2000, required=False, strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
