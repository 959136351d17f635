"""Secrets: sealed value until delivered, then only what identifies them."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from clients.models.ids import new_ulid


class SecretState(models.TextChoices):
    PENDING = "pending", "Being created"
    CURRENT = "current", "Current secret"
    NEW = "new", "New secret"
    RETIRING = "retiring", "Retiring secret"
    RETIRED = "retired", "Removed"


class SecretQuerySet(models.QuerySet["Secret"]):
    def undelivered(self) -> "SecretQuerySet":
        return self.filter(delivered_at__isnull=True, state__in=[SecretState.CURRENT, SecretState.NEW])

    def alive(self) -> "SecretQuerySet":
        return self.exclude(state=SecretState.RETIRED)


class Secret(models.Model):
    """One of at most two. `sealed_value` is erased in the transaction that reveals it."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    app_client = models.ForeignKey("clients.AppClient", on_delete=models.PROTECT, related_name="secrets")
    sealed_value = models.BinaryField(null=True)
    sealing_key_id = models.CharField(max_length=32, blank=True)
    ending = models.CharField(max_length=4, db_index=True)
    fingerprint = models.CharField(max_length=64, db_index=True)
    fingerprint_key_id = models.CharField(max_length=32)
    state = models.CharField(max_length=10, choices=SecretState.choices, default=SecretState.PENDING)
    cognito_secret_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    delivered_to = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    stored_at = models.DateTimeField(null=True)

    objects = SecretQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            # No value in their conditions: SQLite takes such an index only where the query names no parameter for it.
            models.Index(fields=["app_client"], name="secret_undelivered", condition=models.Q(delivered_at=None)),
            models.Index(fields=["created_at"], name="secret_waiting", condition=models.Q(delivered_at=None)),
        ]

    def __str__(self) -> str:
        return f"…{self.ending}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def can_be_shown(self) -> bool:
        return (
            self.delivered_at is None
            and self.sealed_value is not None
            and self.state in (SecretState.CURRENT, SecretState.NEW)
        )
