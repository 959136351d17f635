"""Operations: what is wanted of AWS, by whom, and how far it is. The row is the queue."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from clients.errors import Overruled
from clients.models.ids import new_ulid


class OperationState(models.TextChoices):
    RUNNING = "running", "In progress"
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    GIVEN_UP = "given_up", "Given up"


EVERYTHING = "*"
LIVE = (OperationState.RUNNING, OperationState.WAITING)


class Priority(models.IntegerChoices):
    EMERGENCY = 0
    INTERACTIVE = 10
    BULK = 20


class OperationQuerySet(models.QuerySet["Operation"]):
    def live(self) -> "OperationQuerySet":
        return self.filter(state__in=LIVE)

    def unleased(self, longest: timedelta) -> "OperationQuerySet":
        """Nobody holds it. A lease that ends later than any can was given by a clock that went wrong, and is none."""
        now = timezone.now()
        return self.filter(Q(lease_until__lte=now) | Q(lease_until__gt=now + longest))

    def due(self, longest_lease: timedelta, longest_pause: timedelta) -> "OperationQuerySet":
        """What a worker may claim now: its time has come and nobody holds a lease; wrong clocks as above."""
        now = timezone.now()
        ready = self.live().unleased(longest_lease)
        ready = ready.filter(Q(next_try_at__lte=now) | Q(next_try_at__gt=now + longest_pause))
        return ready.order_by("priority", "next_try_at")

    def stuck(self) -> "OperationQuerySet":
        """Waiting, left alone, or ended without what was wanted."""
        left = Q(state=OperationState.RUNNING, lease_until__lte=timezone.now() - timedelta(minutes=5))
        return self.filter(Q(state=OperationState.WAITING) | left | _left_undone())

    def unfinished(self) -> "OperationQuerySet":
        """Still at work, or ended without what was wanted."""
        return self.filter(Q(state__in=LIVE) | _left_undone())

    def not_made_good(self) -> "OperationQuerySet":
        """What it wanted has not reached Cognito: not done, nor anything later about the same."""
        made_good = _later().filter(SAME, state=OperationState.DONE)
        return self.exclude(state=OperationState.DONE).exclude(Exists(made_good))


# For subqueries: about the same of a target, or about all of it. A new name does not make good that the scopes never
# arrived.
SAME = Q(aspect=OuterRef("aspect")) | Q(aspect=EVERYTHING)


def _later() -> OperationQuerySet:
    return Operation.objects.filter(target=OuterRef("target"), created_at__gt=OuterRef("created_at"))


def is_overtaken() -> Q:
    """By a later wish that this one must not undo; one about all of its target would undo any."""
    return Q(Exists(_later().filter(SAME))) | Q(Q(aspect=EVERYTHING) & Q(Exists(_later())))


def _left_undone() -> Q:
    """Ended without success and not overtaken by a later one about the same. What somebody did in Cognito overruled is
    told to whoever waits for the answer, and is decided anew; it counts where it ended later, behind their back."""
    ended = Q(state__in=[OperationState.REFUSED, OperationState.GIVEN_UP])
    told = Q(last_error_code=Overruled.code, attempts__lte=1)
    return ended & ~told & ~is_overtaken()


class Operation(models.Model):
    """One wanted change. `step_in_flight` true on a row nobody holds means: the step's outcome is unknown."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid)
    kind = models.CharField(max_length=40)
    target = models.CharField(max_length=60, help_text="One live operation per target.")
    aspect = models.CharField(
        max_length=20, default=EVERYTHING, help_text="What of its target it writes: a later one about the same counts."
    )
    pool = models.ForeignKey("clients.UserPool", on_delete=models.PROTECT, related_name="operations")
    app_client = models.ForeignKey("clients.AppClient", null=True, on_delete=models.PROTECT, related_name="operations")
    params = models.JSONField(default=dict)
    params_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=OperationState.choices, default=OperationState.RUNNING)
    step = models.CharField(max_length=40)
    step_in_flight = models.BooleanField(default=True)
    was_unknown = models.BooleanField(default=False, help_text="Some call of it had an outcome nobody knew at first.")
    step_started_at = models.DateTimeField(default=timezone.now)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.INTERACTIVE)
    lease_token = models.CharField(max_length=26, blank=True)
    lease_until = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="operations")
    via = models.CharField(max_length=100, default="web")
    reason = models.CharField(max_length=500, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_code = models.CharField(max_length=20, blank=True)
    technical = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target"], name="one_live_operation_per_target", condition=Q(state__in=LIVE)
            )
        ]
        indexes = [
            models.Index(fields=["state", "next_try_at"]),
            models.Index(fields=["target"], name="operation_target"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_overruled(self) -> bool:
        """Cognito held something else than the person was shown, and will: trying it again cannot succeed."""
        return self.state == OperationState.REFUSED and self.last_error_code == Overruled.code

    @property
    def told(self) -> str:
        """Why it is not done, for whoever waits for it."""
        if self.is_live:
            return "its change has not reached Cognito yet."
        return f"{self.last_error or 'It was given up.'} It is not tried again by itself; see Operations."
