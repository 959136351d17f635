"""App clients: what we wanted, what Cognito had when we last looked, and how far publishing is."""

from datetime import datetime, timedelta
from functools import reduce
from itertools import product
from math import ceil
from operator import or_
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone

from clients.models.ids import new_ulid
from clients.models.operations import Operation
from clients.models.pools import Scope
from clients.models.secrets import Secret, SecretState
from clients.models.tenants import AttributeDefinition, ClientOverride, Tenant, TenantValue


class Status(models.TextChoices):
    CREATING = "creating", "Creating"
    ACTIVE = "active", "Active"
    ROTATING = "rotating", "Rotating"
    PAUSED = "paused", "Paused"
    DELETED = "deleted", "Deleted"
    UNMANAGED = "unmanaged", "Unmanaged"


class AppClientQuerySet(models.QuerySet["AppClient"]):
    def visible_to(self, user) -> "AppClientQuerySet":
        """Staff see every client, members only their tenant's."""
        if not user.is_active:
            return self.none()
        return self if user.is_staff_member else self.filter(tenant_id=user.tenant_id)

    def present(self) -> "AppClientQuerySet":
        return self.exclude(status=Status.DELETED)

    def unpublished(self) -> "AppClientQuerySet":
        return self.filter(document_version__gt=F("published_version"), client_id__isnull=False)

    def expiring(self, days: int = 30) -> "AppClientQuerySet":
        return self.present().filter(expires_at__lte=timezone.now() + timedelta(days=days))

    def undelivered(self) -> "AppClientQuerySet":
        return self.filter(Exists(Secret.objects.undelivered().filter(app_client=OuterRef("pk"))))

    def out_of_sync(self) -> "AppClientQuerySet":
        return self.present().filter(~Q(drift=[]))

    def needs_attention(self) -> "AppClientQuerySet":
        """Whoever needs somebody, for whichever reason."""
        return self.present().filter(reduce(or_, attention_needs()))

    def pressing(self) -> "AppClientQuerySet":
        """With an alarm, a rotation that was asked for or whose overlap is over, or a change that waits or failed."""
        return self.present().filter(pk__in=_pressing(timezone.now()))

    def never_used(self) -> "AppClientQuerySet":
        """Of those that could have been used: not one still being created."""
        return self.exclude(status__in=[Status.DELETED, Status.CREATING]).filter(last_token_at__isnull=True)

    def idle(self, days: int = 90) -> "AppClientQuerySet":
        """Used once, and not for so long."""
        return self.present().filter(last_token_at__lte=timezone.now() - timedelta(days=days))

    def with_two_secrets(self) -> "AppClientQuerySet":
        held = Secret.objects.alive().order_by().values("app_client").annotate(held=Count("pk"))
        return self.present().filter(pk__in=held.filter(held__gt=1).values("app_client"))

    def search(self, text: str) -> "AppClientQuerySet":
        """Name or tenant with these letters in it; client ID, whole or its beginning; the four characters a secret
        ends with; a scope or its resource server, whole, or the beginning of both; an attribute's whole value, set or
        by default."""
        text = text.strip().lstrip("…")
        if not text:
            return self
        named = Tenant.objects.filter(Q(name__icontains=text) | Q(slug__icontains=text))
        every = AppClient.objects.order_by()
        clues = [
            every.filter(name__icontains=text).values("pk"),
            every.filter(client_id_begins(text)).values("pk"),
            ClientOverride.objects.holding(text).values("app_client"),
            AppClient.scopes.through.objects.filter(scope__in=_scopes_named(text)).values("appclient"),
        ]
        if len(text) == 4:
            endings = {"".join(letters) for letters in product(*({c.lower(), c.upper()} for c in text))}
            clues.append(Secret.objects.filter(ending__in=endings).order_by().values("app_client"))
        for definition in AttributeDefinition.objects.with_default(text):
            own = ClientOverride.objects.filter(definition=definition)
            given = TenantValue.objects.filter(definition=definition)
            following = every.exclude(pk__in=own.values("app_client")).exclude(tenant__in=given.values("tenant"))
            clues.append(following.values("pk"))
        # Each by itself, so that each is answered by an index of its own and no row is read that fits none of them.
        # First what is true of a whole tenant: it costs least where very many fit.
        whole = Q(tenant__in=named.order_by().values("pk"))
        held = TenantValue.objects.holding(text)
        for key in held.order_by().values_list("definition", flat=True).distinct():
            differing = ClientOverride.objects.filter(definition=key).values("app_client")
            whole |= Q(tenant__in=held.filter(definition=key).values("tenant")) & ~Q(pk__in=differing)
        return self.filter(reduce(or_, [Q(pk__in=keys) for keys in clues], whole))


def client_id_begins(text: str) -> Q:
    """Cognito's are of small letters and digits, however they are typed. Two ranges of an index, where a search
    regardless of case would read all of them."""
    return Q(client_id__startswith=text) | Q(client_id__startswith=text.lower())


def _scopes_named(text: str) -> models.QuerySet[Scope]:
    """Few: their names are read through."""
    beginning = text if "/" in text else f"{text}/"
    return Scope.objects.filter(Q(name__iexact=text) | Q(full_name__istartswith=beginning)).order_by()


def attention_needs() -> list[Q]:
    """What needs somebody, the most pressing first, as home's list has it: what failed or was asked for; what ended;
    what ends within a week or is being created; what differs from Cognito; what nobody was shown; what ends within 30
    days."""
    now = timezone.now()
    return [
        Q(pk__in=_pressing(now)),
        Q(expires_at__lte=now),
        Q(expires_at__lte=now + timedelta(days=7)) | Q(status=Status.CREATING),
        Q(document_version__gt=F("published_version")) | ~Q(drift=[]),
        Q(pk__in=Secret.objects.undelivered().values("app_client")),
        Q(expires_at__lte=now + timedelta(days=30)),
    ]


PRESSING = 500  # so many are told apart from the rest; whoever has more looks at home first


def _pressing(now: datetime) -> list[int]:
    """Clients with an alarm, a rotation that was asked for or whose overlap is over, or a change that waits or failed.
    Asked once and by itself: as a part of each rank's query it took most of the time of the page."""
    handovers: Any = apps.get_model("clients", "Handover")._default_manager  # both know this module, not it them
    rotations: Any = apps.get_model("clients", "Rotation")._default_manager
    marks = [
        handovers.filter(alarm_at__isnull=False).exclude(secret__state=SecretState.RETIRED),
        rotations.filter(Q(state="requested") | Q(state="open", ends_at__lte=now)),
    ]
    stuck = Operation.objects.stuck().filter(app_client__isnull=False).order_by().values_list("app_client", flat=True)
    return list(stuck.union(*(rows.order_by().values_list("app_client", flat=True) for rows in marks))[:PRESSING])


class AppClient(models.Model):
    """A Cognito app client for one tenant. `client_id` is null until Cognito has answered."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    pool = models.ForeignKey("clients.UserPool", on_delete=models.PROTECT, related_name="app_clients")
    tenant = models.ForeignKey("clients.Tenant", on_delete=models.PROTECT, related_name="app_clients")
    name = models.CharField(max_length=97)
    op_tag = models.CharField(max_length=26, unique=True, help_text="The ULID in Cognito's ClientName, for life.")
    client_id = models.CharField(max_length=128, null=True, unique=True)  # noqa: DJ001  (unique, so null)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.CREATING)
    scopes = models.ManyToManyField("clients.Scope", related_name="app_clients")
    access_token_seconds = models.PositiveIntegerField(default=3600)
    older_tokens_until = models.DateTimeField(
        null=True, help_text="When tokens of a longer validity, shortened since, have all expired."
    )
    contact = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="contact_of"
    )
    notes = models.TextField(blank=True)
    secret_lifetime_days = models.PositiveSmallIntegerField(null=True, blank=True)
    no_expiry_reason = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, help_text="When its end is looked at next, to remind of it.")
    reminders_after = models.DateTimeField(null=True, help_text="Nobody is reminded before then.")
    reminders_reason = models.CharField(max_length=200, blank=True)
    before_pause = models.JSONField(null=True, blank=True, help_text="The flows Cognito held when it was paused.")
    generation = models.PositiveIntegerField(
        default=1, help_text="Raised by every change; a form carries the one it saw."
    )
    document_version = models.PositiveIntegerField(default=0)
    published_version = models.PositiveIntegerField(default=0)
    published_at = models.DateTimeField(null=True)
    publish_after = models.DateTimeField(null=True)
    publish_attempts = models.PositiveSmallIntegerField(default=0, help_text="In a row without success.")
    publish_error = models.CharField(max_length=300, blank=True)
    observed = models.JSONField(null=True, blank=True, help_text="What of ours Cognito held when we last looked.")
    drift = models.JSONField(
        default=list, blank=True, help_text="Names of the facts that differ there; empty: in sync."
    )
    observed_at = models.DateTimeField(null=True)
    observe_after = models.DateTimeField(null=True, help_text="Not before then; also moved on when Cognito is away.")
    last_token_at = models.DateTimeField(null=True)
    tokens_per_day = models.JSONField(default=dict, help_text="UTC day, as 20261123: tokens issued on it.")
    reported_ending = models.CharField(max_length=4, blank=True, help_text="Of its secret, as the caller reported it.")
    foreign_secrets = models.JSONField(
        default=list, blank=True, help_text="Ids of secrets in Cognito that the portal did not make."
    )
    usage_checked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    objects = AppClientQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "tenant", "pool", Lower("name"), name="client_name_once_per_tenant", condition=~Q(status="deleted")
            )
        ]
        indexes = [
            models.Index(fields=["expires_at"]),
            models.Index(fields=["remind_at"], name="client_remind"),
            models.Index(fields=["status"]),
            models.Index("id", name="client_unpublished", condition=Q(document_version__gt=F("published_version"))),
            models.Index("id", name="client_out_of_sync", condition=~Q(drift=[])),
            models.Index(fields=["last_token_at", "status"], name="client_last_token"),
            models.Index(fields=["created_at"], name="client_created"),
            models.Index(
                fields=["older_tokens_until"], name="client_older_tokens", condition=Q(older_tokens_until__isnull=False)
            ),
            # All that counting by pool or tenant reads, and how long tokens already issued live.
            models.Index(
                fields=["tenant", "status", "access_token_seconds"],
                name="client_of_tenant",
                condition=Q(client_id__isnull=False),
            ),
            models.Index(fields=["pool", "status", "client_id"], name="client_of_pool"),
            models.Index(fields=["tenant", "expires_at"], name="client_tenant_expires"),
            models.Index(
                fields=["tenant"],
                name="client_tenant_unpublished",
                condition=Q(document_version__gt=F("published_version")),
            ),
            # Letters inside a name are found by walking all of them: this is all that is read of each.
            models.Index(fields=["name"], name="client_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cognito_name(self) -> str:
        """The name in Cognito: ours, then the tag that finds our own client again after an unknown outcome."""
        return f"{self.name} op-{self.op_tag}"

    def tokens_until(self, moment: datetime) -> datetime:
        """When the last token issued up to then has expired at the latest (cognito_facts section 1)."""
        ends = moment + timedelta(seconds=self.access_token_seconds)
        return max(ends, self.older_tokens_until) if self.older_tokens_until else ends

    @property
    def token_minutes(self) -> int:
        """For how long a token issued up to now may still live."""
        now = timezone.now()
        return ceil((self.tokens_until(now) - now) / timedelta(minutes=1))

    @property
    def is_changeable(self) -> bool:
        """It stands in Cognito, so what it may do there can be changed."""
        return self.client_id is not None and self.status in (Status.ACTIVE, Status.ROTATING, Status.PAUSED)

    @property
    def is_published(self) -> bool:
        return self.published_version >= self.document_version

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def expired_means(self) -> str:
        """Cognito knows no end of a secret: what one that ended still does there."""
        if self.status == Status.PAUSED:
            return "The client is paused. Once resumed, its secret works again until somebody removes it."
        return "It still works in Cognito until somebody removes it."

    @property
    def is_expiring_soon(self) -> bool:
        return (
            self.expires_at is not None
            and not self.is_expired
            and self.expires_at <= timezone.now() + timedelta(days=30)
        )
