"""Handing over: to whom, for how long; and what whoever holds a link sends."""

from typing import Any

from django import forms

from clients import permissions
from clients.models import AppClient, User

LINK, MAIL, MEMBER = "link", "mail", "member:"
HOURS = [("1", "1 hour"), ("24", "24 hours"), ("168", "7 days")]


class HandoverForm(forms.Form):
    """`to` is a member of the tenant, a link that is shown here, or one the portal mails to the recorded address:
    support has no link to show."""

    to = forms.ChoiceField(widget=forms.RadioSelect, label="To whom")
    hours = forms.TypedChoiceField(
        choices=HOURS, coerce=int, initial="24", label="For how long", help_text="Afterwards it opens nothing."
    )
    with_pin = forms.BooleanField(
        required=False, initial=True, label="PIN by another channel",
        help_text="Six digits you tell the customer yourself. Five wrong ones close the link.",
    )  # fmt: skip

    def __init__(self, *args: Any, app_client: AppClient, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_link = permissions.can_hand_over(user)
        members = User.objects.filter(tenant=app_client.tenant_id, is_active=True).order_by("name", "email")
        self.members = {f"{MEMBER}{member.pk}": member for member in members}
        choices = [(key, f"{m}, {m.get_role_display().lower()}, {m.email}") for key, m in self.members.items()]
        if self.has_link:
            choices.append((LINK, "Somebody without an account, by a one-time link"))
        else:
            del self.fields["with_pin"]
        if app_client.tenant.contact_email:
            choices.append((MAIL, f"A one-time link, mailed by the portal to {app_client.tenant.contact_email}"))
        to: Any = self.fields["to"]
        to.choices = choices
        to.initial = choices[0][0] if choices else None

    @property
    def has_choices(self) -> bool:
        to: Any = self.fields["to"]
        return bool(to.choices)

    @property
    def member(self) -> User | None:
        return self.members.get(self.cleaned_data["to"])

    @property
    def is_mailed(self) -> bool:
        return bool(self.cleaned_data["to"] == MAIL)


class LinkForm(forms.Form):
    """What a link's page sends: its code, out of the address, and the PIN."""

    code = forms.CharField(
        max_length=200, label="Code", help_text="What stands behind # in the link you were sent.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-from-fragment": ""}),
    )  # fmt: skip
    pin = forms.CharField(
        max_length=20, required=False, label="PIN",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )  # fmt: skip

    def clean_code(self) -> str:
        """Also the whole link, as it was copied."""
        return str(self.cleaned_data["code"]).rpartition("#")[2].strip()

    def clean_pin(self) -> str:
        return "".join(str(self.cleaned_data["pin"]).split())
