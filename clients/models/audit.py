"""The audit trail: append-only by database triggers, chained by hashes."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from clients.models.people import Role


class Outcome(models.TextChoices):
    STARTED = "started", "Started"
    OK = "ok", "Done"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    RESOLVED = "resolved", "Resolved"


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user) -> "AuditQuerySet":
        """Administrators and auditors: all. Operators: their own acts and the pools'. Support: the clients'. Members:
        what concerns their organisation."""
        if user.role in (Role.ADMINISTRATOR, Role.AUDITOR):
            return self
        if user.role == Role.OPERATOR:
            return self.filter(Q(actor=user) | Q(pool__isnull=False))
        if user.role == Role.SUPPORT:
            return self.filter(app_client__isnull=False)
        return self.filter(tenant_id=user.tenant_id)


LINK = "link"  # an entry of somebody who had a hand-over link and no account
COMMAND_LINE = "command"  # begins the way of whatever a command did


class AuditEntry(models.Model):
    """Who did what to what, when, why, and what came of it. Persons by id: names resolve at display."""

    sequence = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=100)
    action = models.CharField(max_length=60)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    operation_id = models.CharField(max_length=26, blank=True, db_index=True)
    app_client = models.ForeignKey(
        "clients.AppClient", null=True, on_delete=models.PROTECT, related_name="audit_entries"
    )
    tenant = models.ForeignKey("clients.Tenant", null=True, on_delete=models.PROTECT, related_name="+")
    pool = models.ForeignKey("clients.UserPool", null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        indexes = [models.Index(fields=["app_client", "-sequence"]), models.Index(fields=["tenant", "-sequence"])]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.outcome}"

    @property
    def who(self) -> str:
        """In a word, also where it was no account."""
        if self.actor:
            return str(self.actor)
        if self.via == LINK:
            return "Holder of the link"
        return "Command line" if self.via.startswith(COMMAND_LINE) else "Portal"


class AuditOrigin(models.Model):
    """Where an act came from; apart from the chain, because addresses have a retention period."""

    entry = models.OneToOneField(AuditEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="origin")
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)
