"""Forms about people: inviting, roles, leaving."""

from typing import Any

from django import forms

from clients.forms.tenant_field import TenantField
from clients.models import TENANT_ROLES, Role, Tenant, User
from clients.services.people import roles_given_by

# What each may do, in a line; product's table is the truth.
MAY = {
    Role.ADMINISTRATOR: "everything, people and attributes too",
    Role.OPERATOR: "tenants, clients and scopes, hand-overs",
    Role.SUPPORT: "rotates, pauses, hands over again",
    Role.AUDITOR: "reads everything, changes nothing",
    Role.MANAGER: "credentials, and who else of the organisation comes in",
    Role.DEVELOPER: "credentials",
}


class InviteForm(forms.Form):
    """What the inviter may give; a manager invites to their own organisation, which is not asked for."""

    email = forms.EmailField(max_length=254, label="Email", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField()
    tenant = TenantField(
        required=False, empty_label="None: staff", help_text="For managers and developers: the tenant they belong to."
    )

    def __init__(self, *args: Any, inviter: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.inviter = inviter
        role: Any = self.fields["role"]
        given = roles_given_by(inviter)
        role.choices = [("", "Choose a role"), *((role.value, role.label) for role in given)]
        role.help_text = " ".join(f"{role.label}: {MAY[role]}." for role in given)
        if inviter.role == Role.MANAGER:
            del self.fields["tenant"]
        else:
            self.fields["tenant"].offer()  # type: ignore[attr-defined]

    @property
    def whose(self) -> Tenant | None:
        return self.inviter.tenant if self.inviter.role == Role.MANAGER else self.cleaned_data["tenant"]


class RoleForm(forms.Form):
    role = forms.ChoiceField()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role: Any = self.fields["role"]
        role.initial = user.role
        is_member = user.role in TENANT_ROLES
        role.choices = [(r.value, r.label) for r in Role if (r in TENANT_ROLES) == is_member]


class LeaveForm(forms.Form):
    heir = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Nobody", label="Their clients and tenants go to"
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        heir: Any = self.fields["heir"]
        staff = User.objects.filter(tenant__isnull=True, is_active=True).exclude(pk=user.pk)
        heir.queryset = staff.order_by("name", "email")


class FactorForm(forms.Form):
    reason = forms.CharField(
        max_length=500, help_text="How you know that it is they who ask. Recorded in the activity."
    )
