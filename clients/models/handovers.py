"""Hand-overs: how a secret that nobody has seen reaches its customer, once."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from clients.models.app_clients import Status
from clients.models.ids import new_ulid
from clients.models.people import User
from clients.models.secrets import SecretState

PIN_TRIES = 5


class HandoverState(models.TextChoices):
    """Told from the row and its secret, stored nowhere."""

    WAITING = "waiting", "Waiting"
    OPENED = "opened", "Opened"
    SHOWN = "shown", "Shown"
    STORED = "stored", "Stored"
    EXPIRED = "expired", "Ended unused"
    CLOSED = "closed", "Closed after wrong PINs"
    REVOKED = "revoked", "Revoked"


class HandoverQuerySet(models.QuerySet["Handover"]):
    def open(self) -> "HandoverQuerySet":
        """Whoever it is for can still be shown the secret."""
        return self.filter(
            ended_at=None, expires_at__gt=timezone.now(), secret__delivered_at=None, secret__sealed_value__isnull=False,
            secret__state__in=[SecretState.CURRENT, SecretState.NEW],
        ).exclude(app_client__status__in=[Status.CREATING, Status.DELETED])  # fmt: skip

    def visible_to(self, user: User) -> "HandoverQuerySet":
        """Staff see all; members those that are for them by name."""
        if not user.is_active:
            return self.none()
        return self if user.is_staff_member else self.filter(member=user)


class Handover(models.Model):
    """One offer of one secret: to a member of the tenant by name, or to whoever holds a one-time link. Of the link and
    its PIN only hashes are kept."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    app_client = models.ForeignKey("clients.AppClient", on_delete=models.PROTECT, related_name="handovers")
    secret = models.ForeignKey("clients.Secret", on_delete=models.PROTECT, related_name="handovers")
    member = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="handovers")
    token_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001  (unique, so null)
    pin_hash = models.CharField(max_length=64, blank=True)
    pin_tries = models.PositiveSmallIntegerField(default=0)
    email = models.EmailField(max_length=254, blank=True, help_text="Where the portal mails it, recorded before.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    shown_at = models.DateTimeField(null=True)
    shown_from = models.CharField(max_length=50, blank=True, help_text="The network, coarse.")
    stored_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True, help_text="The first real one seen after it was shown.")
    closed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(
        null=True, help_text="Shown, revoked, closed, or followed by another one; null also when its time is over."
    )
    alarm_at = models.DateTimeField(null=True, help_text="Who held the link said that it was not they.")
    asked_again_at = models.DateTimeField(null=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["secret"], name="one_handover_per_secret", condition=Q(ended_at=None)),
            models.CheckConstraint(name="handover_to_member_or_link", condition=Q(member=None) ^ Q(token_hash=None)),
        ]

    def __str__(self) -> str:
        return f"{self.app_client}: {self.receiver}"

    @property
    def is_link(self) -> bool:
        return self.member_id is None

    @property
    def receiver(self) -> str:
        return str(self.member) if self.member else self.email or "whoever holds the link"

    @property
    def state(self) -> HandoverState:
        for moment, state in (
            (self.stored_at, HandoverState.STORED), (self.shown_at, HandoverState.SHOWN),
            (self.revoked_at, HandoverState.REVOKED), (self.closed_at, HandoverState.CLOSED),
        ):  # fmt: skip
            if moment:
                return state
        if self.ended_at or self.expires_at <= timezone.now() or not self.secret.can_be_shown:
            return HandoverState.EXPIRED
        return HandoverState.OPENED if self.opened_at else HandoverState.WAITING

    @property
    def is_open(self) -> bool:
        return self.state in (HandoverState.WAITING, HandoverState.OPENED)

    @property
    def pin_tries_left(self) -> int:
        return max(PIN_TRIES - self.pin_tries, 0)

    @property
    def is_lapsed(self) -> bool:
        """It ended, and the secret is still there to be handed over anew."""
        return not self.is_open and self.secret.can_be_shown
