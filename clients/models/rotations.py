"""Rotations: a new secret beside the old one, until there is evidence that it is used; and emergencies."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from clients.models.ids import new_ulid
from clients.models.people import User


class RotationState(models.TextChoices):
    REQUESTED = "requested", "Waits for staff"
    STARTING = "starting", "New secret is being tested"
    OPEN = "open", "Both secrets work"
    FINISHING = "finishing", "Old secret is being removed"
    CANCELLING = "cancelling", "New secret is being removed"
    REVOKING = "revoking", "Leaked secret is being removed"
    FINISHED = "finished", "Finished"
    CANCELLED = "cancelled", "Cancelled"


UNDER_WAY = (
    RotationState.REQUESTED,
    RotationState.STARTING,
    RotationState.OPEN,
    RotationState.FINISHING,
    RotationState.CANCELLING,
    RotationState.REVOKING,
)


class RotationQuerySet(models.QuerySet["Rotation"]):
    def under_way(self) -> "RotationQuerySet":
        return self.filter(state__in=UNDER_WAY)

    def visible_to(self, user: User) -> "RotationQuerySet":
        """Staff see all, members their tenant's that have begun: what only waits for staff is staff's."""
        if not user.is_active:
            return self.none()
        return self if user.is_staff_member else self.filter(app_client__tenant_id=user.tenant_id).exclude(
            state=RotationState.REQUESTED
        )  # fmt: skip

    def overdue(self) -> "RotationQuerySet":
        return self.filter(state=RotationState.OPEN, ends_at__lte=timezone.now())


class Rotation(models.Model):
    """From the start to the removal of the old secret; operations are its short steps. An emergency is one whose old
    secret goes first. `ends_at`: until when both work, for a rotation nobody attends to too."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    app_client = models.ForeignKey("clients.AppClient", on_delete=models.PROTECT, related_name="rotations")
    old_secret = models.ForeignKey("clients.Secret", on_delete=models.PROTECT, related_name="+")
    new_secret = models.ForeignKey("clients.Secret", null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=RotationState.choices, default=RotationState.STARTING)
    is_emergency = models.BooleanField(default=False)
    stops_tokens = models.BooleanField(default=False, help_text="Emergency: no token by any path until it is resumed.")
    reason = models.CharField(max_length=500, blank=True)
    overlap_hours = models.PositiveIntegerField(default=168)
    started_at = models.DateTimeField(default=timezone.now)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(null=True, help_text="When Cognito had the new secret.")
    tested_at = models.DateTimeField(null=True, help_text="When the new secret was first accepted.")
    acknowledged_at = models.DateTimeField(null=True, help_text="When the customer said that the new one is in use.")
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    ends_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True, help_text="When the one that had to go was gone.")
    tokens_until = models.DateTimeField(null=True, help_text="When the last token issued with it has expired.")
    finished_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(default=timezone.now)
    remind_at = models.DateTimeField(null=True, help_text="When its end is looked at next, to remind of it.")
    last_error = models.CharField(max_length=500, blank=True)

    objects = RotationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["app_client"], name="one_rotation_per_client", condition=Q(state__in=UNDER_WAY)
            )
        ]
        indexes = [models.Index(fields=["state", "next_try_at"], name="rotation_due")]

    def __str__(self) -> str:
        return f"{self.app_client}: {self.get_state_display()}"

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_open(self) -> bool:
        return self.state == RotationState.OPEN

    @property
    def is_over_time(self) -> bool:
        return self.is_open and self.ends_at is not None and self.ends_at <= timezone.now()

    @property
    def has_evidence(self) -> bool:
        """The new secret was accepted, and the customer said that it is in use."""
        return self.tested_at is not None and self.acknowledged_at is not None
