"""Whether the database was restored from a backup, and nobody has looked yet at what AWS knows better."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Restore(models.Model):
    """While one is open the portal only reports: it changes nothing in AWS."""

    noticed_at = models.DateTimeField(auto_now_add=True)
    reason = models.CharField(max_length=500)
    cleared_at = models.DateTimeField(null=True)
    cleared_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(models.Value(1), name="one_open_restore", condition=Q(cleared_at=None))]

    def __str__(self) -> str:
        return f"Restored, noticed {self.noticed_at:%Y-%m-%d %H:%M}"
