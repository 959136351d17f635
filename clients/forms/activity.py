"""The filters of the activity; every one lives in the address."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone

from clients.forms.url_filter import UrlFilter
from clients.models import AppClient, AuditQuerySet, Outcome, Tenant, User
from clients.models.app_clients import client_id_begins
from clients.models.audit import COMMAND_LINE, LINK

PERIODS = {"1": "Last 24 hours", "7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days"}
PORTAL = "portal"  # who did it, when it was nobody
SOURCES = {
    "web": "Pages", "command": "Command line", PORTAL: "The portal by itself"
}  # fmt: skip
DATE = forms.DateInput(attrs={"type": "date"})


class ActivityFilter(UrlFilter):
    q = forms.CharField(required=False, max_length=200, label="Search")
    period = forms.ChoiceField(required=False, choices=[("", "Any time"), *PERIODS.items()])
    who = forms.CharField(required=False, max_length=254)
    what = forms.CharField(required=False, max_length=60)
    tenant = forms.CharField(required=False, max_length=100)
    source = forms.ChoiceField(required=False, choices=[("", "Any source"), *SOURCES.items()])
    outcome = forms.ChoiceField(required=False, choices=[("", "Any outcome"), *Outcome.choices])
    since = forms.DateField(required=False, widget=DATE, label="From (UTC)")
    until = forms.DateField(required=False, widget=DATE, label="To (UTC)")
    client = forms.CharField(required=False, max_length=26)

    def __init__(self, data: Any, *, user: User, actions: dict[str, str]) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.user = user
        people = User.objects.order_by("name", "email")
        if not user.is_staff_member:
            del self.fields["tenant"], self.fields["source"]
            people = people.filter(tenant=user.tenant_id)
        else:
            self.offer("tenant", "Any tenant", Tenant.objects.values_list("slug", "name"))
        shown = [(str(person.pk), str(person)) for person in people[:101]]
        self.offer("who", "Anybody", [(PORTAL, "Portal"), *shown])
        known = sorted(actions.items(), key=lambda pair: pair[1])
        self.fields["what"] = forms.ChoiceField(required=False, choices=[("", "Anything"), *known])

    @property
    def is_rare_used(self) -> bool:
        return any(name in self.chosen for name in ("tenant", "source", "since", "until"))

    def _in_words(self, name: str, value: Any) -> str:
        named = AppClient.objects.visible_to(self.user).filter(public_id=value).first() if name == "client" else None
        return f"Client: {named}" if named else super()._in_words(name, value)

    def apply(self, entries: AuditQuerySet) -> AuditQuerySet:
        if self.unknown:
            return entries.none()
        for name, value in self.chosen.items():
            entries = entries.filter(self._restriction(name, value))
        return entries

    def _restriction(self, name: str, value: Any) -> Q:
        return {
            "q": self._clues, "period": _lately, "who": _by, "what": lambda action: Q(action=action),
            "tenant": _of_tenant,
            "source": _through, "outcome": lambda outcome: Q(outcome=outcome),
            "since": lambda day: Q(at__gte=datetime.combine(day, time(), UTC)),
            "until": lambda day: Q(at__lt=datetime.combine(day, time(), UTC) + timedelta(days=1)),
            "client": lambda public_id: Q(app_client__in=AppClient.objects.filter(public_id=public_id).values("pk")),
        }[name](value)  # fmt: skip

    def _clues(self, text: str) -> Q:
        """Client, person, tenant, reason, operation, number of the entry. E-mail addresses of staff are no clue to
        members."""
        named = Q(name__icontains=text)
        clients = AppClient.objects.filter(named | client_id_begins(text) | Q(public_id=text))
        people = User.objects.filter(named | Q(email__icontains=text) if self.user.is_staff_member else named)
        found = Q(app_client__in=clients.values("pk")) | Q(actor__in=people.values("pk"))
        found |= Q(tenant__in=Tenant.objects.filter(named | Q(slug__icontains=text)).values("pk"))
        found |= Q(reason__icontains=text) | Q(operation_id=text)
        return found | Q(sequence=int(text)) if text.isascii() and text.isdecimal() and len(text) < 19 else found


def _lately(days: str) -> Q:
    return Q(at__gte=timezone.now() - timedelta(days=int(days)))


def _of_tenant(tenant: str) -> Q:
    """Asked for beforehand: of one tenant the entries are read in their order, of what a query says they are sorted."""
    found = list(Tenant.objects.filter(Q(slug=tenant) | Q(name__iexact=tenant)).values_list("pk", flat=True))
    return Q(tenant=found[0]) if len(found) == 1 else Q(tenant__in=found)


def _by(who: str) -> Q:
    if who == PORTAL:
        return Q(actor__isnull=True) & ~Q(via=LINK) & ~Q(via__startswith=COMMAND_LINE)
    if who.isascii() and who.isdecimal() and len(who) < 19:
        return Q(actor=int(who))
    return Q(actor__in=User.objects.filter(Q(email__iexact=who) | Q(name__iexact=who)).values("pk"))


def _through(source: str) -> Q:
    return Q(via__startswith=source)
