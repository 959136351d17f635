"""Starting, extending and ending a rotation; revoking a leaked secret."""

from typing import Any

from django import forms

from clients.forms.editing import EditForm
from clients.forms.numbers import RangeField
from clients.models import Rotation, Secret, Tenant
from clients.models.ids import new_ulid
from clients.services.tenants import LONGEST_OVERLAP, POLICIES

CUSTOM = "custom"
NAMES = {24: "24 hours", 168: "7 days", 720: "30 days"}


class OnceForm(forms.Form):
    """`operation_id` makes a double click one operation."""

    operation_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)


class RotateForm(OnceForm):
    overlap = forms.ChoiceField(widget=forms.RadioSelect, label="How long both secrets work")
    hours = forms.IntegerField(
        required=False, label="Hours", widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": "1"})
    )
    reason = forms.CharField(
        max_length=500, required=False, help_text="Recorded in the activity.", widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = tenant.overlap_hours_max
        lengths = sorted({hours for hours in NAMES if hours <= most} | {min(tenant.overlap_hours, most)})
        overlap: Any = self.fields["overlap"]
        overlap.choices = [(str(hours), NAMES.get(hours, f"{hours} hours")) for hours in lengths]
        overlap.choices += [(CUSTOM, "Another length")]
        overlap.initial = str(min(tenant.overlap_hours, most))
        hours: Any = self.fields["hours"]
        hours.help_text = f"Between 1 and {most}, as the policy of {tenant} allows."

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("overlap") == CUSTOM and not found.get("hours") and "hours" not in self.errors:
            self.add_error("hours", "Type how many hours.")
        return found

    @property
    def overlap_hours(self) -> int:
        chosen = self.cleaned_data["overlap"]
        return int(self.cleaned_data["hours"] if chosen == CUSTOM else chosen)


class EndForm(OnceForm):
    """Finishing or cancelling; an ending to type, and a reason, only where evidence is missing or speaks against it."""

    reason = forms.CharField(
        max_length=500, help_text="Recorded in the activity.", widget=forms.Textarea(attrs={"rows": 2})
    )
    typed = forms.CharField(max_length=8, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, ending: str, why: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = f"Type {ending} because {why}"
        if not why:
            del self.fields["typed"]
            self.fields["reason"].required = False


class InUseForm(OnceForm):
    """A member finishes: with it they say that their servers use the new one."""

    in_use = forms.BooleanField(
        label="Our servers use the new secret", error_messages={"required": "Change your servers over first."}
    )


class ExtendForm(forms.Form):
    hours = forms.TypedChoiceField(
        choices=[("24", "24 hours"), ("72", "3 days"), ("168", "7 days")], coerce=int, initial="24", label="Extend by"
    )


class DismissForm(forms.Form):
    reason = forms.CharField(max_length=500, label="Why it is not needed", widget=forms.Textarea(attrs={"rows": 2}))


class PoliciesForm(EditForm):
    """What rotations of a tenant may and do."""

    lifetime_days = forms.TypedChoiceField(
        choices=[("90", "90 days"), ("180", "180 days"), ("365", "365 days"), ("", "No end")], required=False,
        coerce=int, empty_value=None, label="Lifetime of a new secret", help_text="Suggested when a client is created.",
    )  # fmt: skip
    overlap_hours = RangeField(
        min_value=1, max_value=LONGEST_OVERLAP, label="Overlap of a rotation (hours)",
        help_text="How long both secrets work, unless somebody chooses otherwise.",
    )  # fmt: skip
    overlap_hours_max = RangeField(min_value=1, max_value=LONGEST_OVERLAP, label="Longest overlap (hours)")
    removes_automatically = forms.BooleanField(
        required=False, label="Remove the old secret when the overlap is over",
        help_text="Only if the new one was tested and the customer said that it is in use. Else the portal reminds.",
    )  # fmt: skip
    members_may_rotate = forms.BooleanField(
        required=False, label="Its managers may start a rotation", help_text="They may finish and extend one anyway."
    )

    @classmethod
    def showing(cls, tenant: Tenant) -> "PoliciesForm":
        facts = {name: getattr(tenant, name) for name in ("generation", *POLICIES)}
        return cls(initial=facts | {"lifetime_days": tenant.lifetime_days or ""})


class BulkRotateForm(forms.Form):
    run_id = forms.RegexField(r"^[0-9A-HJKMNP-TV-Z]{26}$", widget=forms.HiddenInput, initial=new_ulid)
    overlap_hours = forms.TypedChoiceField(
        choices=[(str(hours), name) for hours, name in NAMES.items()], coerce=int, initial="168",
        label="How long both secrets work", help_text="A client whose tenant’s policy allows less is left out.",
    )  # fmt: skip
    reason = forms.CharField(
        max_length=500, help_text="Recorded in the activity of each client.", widget=forms.Textarea(attrs={"rows": 2})
    )


class PostponeForm(forms.Form):
    until = forms.DateField(
        required=False, label="Remind again from", widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Without a day nobody is reminded of this end again.",
    )  # fmt: skip
    reason = forms.CharField(max_length=200, help_text="Recorded in the activity.")


class LeaveRestoreForm(forms.Form):
    reason = forms.CharField(
        max_length=500, label="What you found and did", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Recorded in the activity.",
    )  # fmt: skip


class RevokeForm(OnceForm):
    stop_now = forms.BooleanField(
        required=False, label="Stop now: no token by any path, until the client is resumed",
        help_text="Also with the replacement. Choose it when somebody is using the leaked secret.",
    )  # fmt: skip
    reason = forms.CharField(
        max_length=500, label="What happened", help_text="Recorded in the activity.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    typed = forms.CharField(max_length=8, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, secret: Secret, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = f"Type {secret.ending} to confirm"


def missing_in_words(rotation: Rotation) -> str:
    """Why an ending has to be typed to finish; "" when there is evidence."""
    if rotation.has_evidence:
        return ""
    return "nobody has said that the new secret is in use"
