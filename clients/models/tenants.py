"""Customer organisations, the attributes their tokens carry, and the values."""

import json
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Cast, Lower, Upper
from django.utils import timezone

from clients.models.ids import new_ulid


class TenantStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    OFF_BOARDED = "off_boarded", "Off-boarded"


class Tenant(models.Model):
    """A customer organisation. `slug` is its identity in tokens: set once, never changed."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100, unique=True)
    contact = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    contact_email = models.EmailField(max_length=254, blank=True)
    status = models.CharField(max_length=12, choices=TenantStatus.choices, default=TenantStatus.ACTIVE)
    generation = models.PositiveIntegerField(default=1, help_text="Raised by every change; a form carries it.")
    keep_days = models.PositiveSmallIntegerField(default=30, help_text="How long an undelivered secret stays sealed.")
    lifetime_days = models.PositiveSmallIntegerField(null=True, default=180, help_text="Of a new secret; null: no end.")
    overlap_hours = models.PositiveIntegerField(default=168, help_text="For which both secrets of a rotation work.")
    overlap_hours_max = models.PositiveIntegerField(default=720)
    removes_automatically = models.BooleanField(
        default=False,
        help_text="The end of an overlap removes the old secret, if the new one is known to be used.",
    )
    members_may_rotate = models.BooleanField(default=False, help_text="Its managers may start a rotation.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="tenant_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def why_no_clients(self) -> str:
        """Why it gets no new ones; "" where it may."""
        if self.status == TenantStatus.ACTIVE:
            return ""
        return f"{self.name} is {self.get_status_display().lower()}: it gets no new clients."

    @property
    def has_left(self) -> bool:
        return self.status == TenantStatus.OFF_BOARDED


class TenantChangeKind(models.TextChoices):
    PAUSE = "pause", "Pause"
    RESUME = "resume", "Resume"
    OFF_BOARD = "off_board", "Off-board"


class TenantChange(models.Model):
    """Pausing, resuming or off-boarding a tenant: it lasts until each of its clients has followed, by operations of
    their own. One at a time per tenant."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=10, choices=TenantChangeKind.choices)
    reason = models.CharField(max_length=500)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], name="one_change_per_tenant", condition=models.Q(finished_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.tenant}"


class AttributeType(models.TextChoices):
    STRING = "string", "Text"
    INTEGER = "integer", "Whole number"
    BOOLEAN = "boolean", "Yes or no"
    STRINGS = "strings", "List of texts"
    CHOICE = "choice", "One of a list"


class DefinitionQuerySet(models.QuerySet[Any]):
    def with_default(self, text: str) -> list["AttributeDefinition"]:
        """Those in use whose default is this, or a list with it, in small or capital letters."""
        wanted = text.casefold()
        return [
            definition for definition in self.filter(retired_at__isnull=True, default__isnull=False)
            if wanted in _said(definition.default)
        ]  # fmt: skip


WORDS = {"yes": "true", "no": "false"}  # pages say the one, JSON the other


def _said(value: Any) -> set[str]:
    """A value as people type it; of a list each, and all as a page shows them."""
    values = [*value, ", ".join(value)] if isinstance(value, list) else [value]
    said = {(each if isinstance(each, str) else json.dumps(each)).casefold() for each in values}
    return said | {word for word, written in WORDS.items() if value is (written == "true")}


class AttributeDefinition(models.Model):
    """One claim that tokens may carry: its name, type, default, and whether a client may override the tenant."""

    claim_name = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=10, choices=AttributeType.choices)
    choices = models.JSONField(default=list, blank=True)
    is_required = models.BooleanField(default=False)
    default = models.JSONField(null=True, blank=True)
    is_overridable = models.BooleanField(default=False, help_text="A client may carry another value than its tenant.")
    retired_at = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=1, help_text="Raised by every change; a form carries it.")

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        ordering = ["claim_name"]

    def __str__(self) -> str:
        return self.claim_name


AS_WRITTEN = Upper(Cast("value", models.TextField()))


class ValueQuerySet(models.QuerySet[Any]):
    """For a tenant's and a client's own values alike."""

    def holding(self, text: str) -> "ValueQuerySet":
        """Rows whose value is this, or a list with it, in small or capital letters, of attributes in use. Whole
        values, so that an index answers; only lists, which few definitions are, are read through."""
        quoted, whole_list = _as_json(text), _as_json(text.split(", ")) if ", " in text else set()
        rows = self.annotate(written=AS_WRITTEN).filter(definition__in=_in_use())
        asked = {text, WORDS.get(text.casefold(), text), *quoted, *whole_list}
        whole = rows.filter(written__in=[Upper(Value(each)) for each in sorted(asked)])
        lists = rows.filter(definition__type=AttributeType.STRINGS)
        lists = lists.filter(reduce(or_, (Q(written__contains=Upper(Value(each))) for each in quoted)))
        return self.filter(Q(pk__in=whole.values("pk")) | Q(pk__in=lists.values("pk")))


def _in_use() -> models.QuerySet[AttributeDefinition]:
    return AttributeDefinition.objects.filter(retired_at__isnull=True).order_by()


def _as_json(value: Any) -> set[str]:
    """As the databases keep it: SQLite what json.dumps escapes, PostgreSQL the letters themselves."""
    return {json.dumps(value), json.dumps(value, ensure_ascii=False)}


class TenantValue(models.Model):
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="values")
    definition = models.ForeignKey(AttributeDefinition, on_delete=models.PROTECT, related_name="tenant_values")
    value = models.JSONField()

    objects = ValueQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "definition"], name="one_value_per_tenant")]
        indexes = [models.Index(AS_WRITTEN, name="tenant_value_written")]


class ClientOverride(models.Model):
    app_client = models.ForeignKey("clients.AppClient", on_delete=models.CASCADE, related_name="overrides")
    definition = models.ForeignKey(AttributeDefinition, on_delete=models.PROTECT, related_name="overrides")
    value = models.JSONField()

    objects = ValueQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app_client", "definition"], name="one_override_per_client")]
        indexes = [models.Index(AS_WRITTEN, name="override_written")]
