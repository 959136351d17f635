"""Rotations started for many clients at once, one after the other."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from clients.models.ids import new_ulid


class BulkRun(models.Model):
    """One list of clients, each of which gets a rotation of its own. It goes on until every item is done or refused."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    overlap_hours = models.PositiveIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    stopped_at = models.DateTimeField(null=True, help_text="Somebody stopped it: what had not begun stays as it was.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Rotations of {self.started_at:%Y-%m-%d %H:%M}"


class BulkItem(models.Model):
    """One client of a run. Its operation is known before it begins, so that a second worker begins the same one."""

    run = models.ForeignKey(BulkRun, on_delete=models.PROTECT, related_name="items")
    app_client = models.ForeignKey("clients.AppClient", on_delete=models.PROTECT, related_name="+")
    operation_id = models.CharField(max_length=26, unique=True, default=new_ulid)
    begun_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run", "app_client"], name="client_once_per_run")]
        indexes = [models.Index(fields=["run"], name="bulk_item_waiting", condition=Q(begun_at=None))]

    def __str__(self) -> str:
        return f"{self.app_client}"
