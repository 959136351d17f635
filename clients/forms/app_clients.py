"""Forms about one client: create, settings, and what a change form always carries."""

from typing import Any

from django import forms

from clients.forms.attributes import PREFIX, attribute_lines
from clients.forms.editing import Controls, EditForm
from clients.forms.numbers import RangeField
from clients.forms.tenant_field import TenantField
from clients.models import AppClient, Scope, Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import claims
from clients.validators import LONGEST, NAME_MAX, SHORTEST

LIFETIMES = [("90", "90 days"), ("180", "180 days"), ("365", "365 days"), ("none", "No end")]


class ContactField(forms.ModelChoiceField):
    """Somebody of the staff, or whoever it is now: one who has left is offered where they still stand, so that saving
    something else does not take them away without a word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(User.objects.none(), **({"required": False} | options))

    def offer(self, present: int | None = None) -> None:
        """For a form's `__init__`."""
        of_staff = User.objects.filter(tenant__isnull=True, is_active=True)
        self.queryset = (of_staff | User.objects.filter(pk=present)).order_by("name", "email")

    def label_from_instance(self, person: Any) -> str:
        return str(person) if person.is_active else f"{person} (left)"


class ChangeForm(EditForm):
    """`operation_id` makes a double click one operation."""

    operation_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)


class ScopesForm(ChangeForm):
    """Names only: whether each exists and may be held is the service's to say."""

    scopes = forms.Field(required=False, widget=forms.MultipleHiddenInput)

    def clean_scopes(self) -> list[str]:
        return sorted(set(self.cleaned_data["scopes"] or ()))

    @classmethod
    def showing(cls, app_client: AppClient) -> "ScopesForm":
        return cls(initial={"generation": app_client.generation, "scopes": held_scopes(app_client)})


class AttributesForm(ChangeForm):
    """Its controls are the lines of a table. One that nobody touched follows what stands there now: a tenant's value
    that changed meanwhile does not become the client's own."""

    nothing = "as its tenant"

    def __init__(self, *args: Any, app_client: AppClient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        was, data = self.opened_with() or {}, self.data
        typed = {name: data[name] for name in data if name.startswith(PREFIX) and was.get(name) != [data[name]]}
        stored = claims.overrides_of(app_client)
        self.lines = attribute_lines(app_client.pool, app_client.tenant, overrides=stored, typed=typed)

    @classmethod
    def showing(cls, app_client: AppClient) -> "AttributesForm":
        return cls(app_client=app_client, initial={"generation": app_client.generation})

    def controls(self) -> Controls:
        return {line.name: [self.data.get(line.name, line.control)] for line in self.lines if not line.is_fixed}


class ValidityField(RangeField):
    """How long an access token is valid, as people say it: in minutes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            min_value=SHORTEST // 60, max_value=LONGEST // 60, label="Access token valid for (minutes)", **options
        )


class SettingsForm(ChangeForm):
    name = forms.CharField(max_length=NAME_MAX, strip=False)
    validity_minutes = ValidityField(help_text="5 minutes to 24 hours. Takes effect with the next token.")
    secret_lifetime = forms.ChoiceField(
        choices=LIFETIMES, label="The secret ends", help_text="Counted from when it was made."
    )
    no_expiry_reason = forms.CharField(
        max_length=200, required=False, label="Reason for no end", help_text="Only for a secret without an end."
    )
    contact = ContactField(empty_label="Nobody", help_text="The staff member who looks after this client.")
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text="Seen by staff only.")

    def __init__(self, *args: Any, app_client: AppClient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contact"].offer(app_client.contact_id)  # type: ignore[attr-defined]

    @classmethod
    def showing(cls, app_client: AppClient) -> "SettingsForm":
        return cls(app_client=app_client, initial={
            "generation": app_client.generation, "name": app_client.name, "contact": app_client.contact_id,
            "validity_minutes": app_client.access_token_seconds // 60, "notes": app_client.notes,
            "secret_lifetime": str(app_client.secret_lifetime_days or "none"),
            "no_expiry_reason": app_client.no_expiry_reason,
        })  # fmt: skip

    @property
    def lifetime(self) -> tuple[int | None, str]:
        """(days, or None without an end; the reason for that)."""
        chosen = self.cleaned_data["secret_lifetime"]
        return None if chosen == "none" else int(chosen), self.cleaned_data["no_expiry_reason"]

    def settings(self) -> dict[str, Any]:
        """As the service takes them."""
        values = {name: self.cleaned_data[name] for name in ("operation_id", "generation", "name", "contact", "notes")}
        return values | {"access_token_seconds": 60 * self.cleaned_data["validity_minutes"], "lifetime": self.lifetime}


class TenantChoice(forms.Form):
    """Chosen first, by GET, so that the attributes stand filled in. One that gets no new clients is refused here; once
    the client `is_under_way` the service says so, and what was typed is kept."""

    tenant = TenantField(empty_label="Choose a tenant")
    pool = forms.ModelChoiceField(UserPool.objects.all(), to_field_name="environment", empty_label=None, required=False)

    def __init__(self, *args: Any, is_under_way: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_under_way = is_under_way
        self.fields["tenant"].offer()  # type: ignore[attr-defined]

    def clean_tenant(self) -> Tenant:
        tenant: Tenant = self.cleaned_data["tenant"]
        if not self.is_under_way and tenant.why_no_clients:
            raise forms.ValidationError(tenant.why_no_clients)
        return tenant


class CreateForm(forms.Form):
    operation_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)
    name = forms.CharField(
        max_length=NAME_MAX,
        strip=False,
        help_text="For people: tenant, purpose, environment. Cognito makes the client ID.",
    )
    secret_lifetime = forms.ChoiceField(choices=LIFETIMES, initial="180", widget=forms.RadioSelect)
    no_expiry_reason = forms.CharField(
        required=False, max_length=200, label="Why without an end", help_text="Needed for “No end” only."
    )
    contact = ContactField(empty_label="Nobody yet")
    validity_minutes = ValidityField(initial=60, help_text="5 minutes to 24 hours. Can be changed later.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contact"].offer()  # type: ignore[attr-defined]

    @property
    def access_token_seconds(self) -> int:
        """As typed; while nothing valid is typed, as the form began."""
        self.is_valid()  # so that a bound form has its cleaned data
        valid = getattr(self, "cleaned_data", {})
        return 60 * valid.get("validity_minutes", self.fields["validity_minutes"].initial)

    @property
    def lifetime_days(self) -> int | None:
        chosen = self.cleaned_data["secret_lifetime"]
        return None if chosen == "none" else int(chosen)


def suggest_name(tenant: Tenant, pool: UserPool) -> str:
    """`tenant-purpose-environment`, with a number when the plain one is taken."""
    stem = f"{tenant.slug}-api-{pool.environment}"
    present = AppClient.objects.present().filter(tenant=tenant, pool=pool)
    taken = {name.lower() for name in present.filter(name__istartswith=stem).values_list("name", flat=True)}
    return next(name for name in [stem, *(f"{stem}-{n}" for n in range(2, 1000))] if name not in taken)


def held_scopes(app_client: AppClient) -> list[str]:
    return list(app_client.scopes.values_list("full_name", flat=True))


def scope_groups(pool: UserPool, chosen: list[str], held: list[str] | tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Scopes by resource server, as the page draws them; one being retired or gone only where it is held."""
    groups: dict[str, dict[str, Any]] = {}
    for scope in Scope.objects.filter(resource_server__pool=pool).select_related("resource_server"):
        if not scope.is_offered and scope.full_name not in held:
            continue
        server = scope.resource_server
        group = groups.setdefault(server.identifier, {"server": server, "scopes": [], "chosen": 0})
        is_chosen = scope.full_name in chosen
        group["scopes"].append({"row": scope, "is_chosen": is_chosen})
        group["chosen"] += is_chosen
    return list(groups.values())


def template_scopes(pool: UserPool, template: str) -> list[str]:
    """What the templates "Read only" and "Full" tick."""
    rows = Scope.objects.filter(resource_server__pool=pool, retiring_at__isnull=True, gone_at__isnull=True)
    if template == "read":
        rows = rows.filter(is_read_only=True)
    return list(rows.values_list("full_name", flat=True)) if template in ("read", "full") else []
