"""Where app clients live: user pools, their resource servers and scopes."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from clients.models.ids import new_ulid

STALE_AFTER = timedelta(minutes=5)


class TriggerMode(models.TextChoices):
    NONE = "none", "Not installed"
    OBSERVE = "observe", "Observe"
    ENFORCE = "enforce", "Enforce"


class UserPool(models.Model):
    """One Cognito user pool, its URLs, and the lease that serialises writes to it."""

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    environment = models.CharField(
        max_length=8, unique=True, help_text="Lower-case letters and digits: part of every secret."
    )
    region = models.CharField(max_length=32)
    user_pool_id = models.CharField(max_length=55, unique=True)
    domain = models.CharField(max_length=255, blank=True)
    token_url = models.URLField(max_length=500, blank=True)
    issuer = models.URLField(max_length=500)
    jwks_url = models.URLField(max_length=500)
    tier = models.CharField(max_length=20, blank=True)
    trigger_mode = models.CharField(max_length=10, choices=TriggerMode.choices, default=TriggerMode.NONE)
    trigger_version = models.CharField(max_length=10, blank=True, help_text="As Cognito has it; empty: no trigger.")
    trigger_arn = models.CharField(max_length=300, blank=True, help_text="The function in the slot, as Cognito has it.")
    installed_trigger_arn = models.CharField(max_length=300, blank=True, help_text="Ours, as installed by a person.")
    tenant_claim = models.CharField(max_length=64, default="tenant_id")
    claims_table = models.CharField(max_length=255)
    usage_table = models.CharField(max_length=255)
    is_missing = models.BooleanField(default=False, help_text="Cognito answered that this pool does not exist.")
    checked_at = models.DateTimeField(null=True)
    usage_unread_since = models.DateTimeField(null=True, help_text="No look into the usage table succeeded since then.")
    foreign_clients = models.JSONField(default=list, blank=True, help_text="App clients there that nobody knows here.")
    compared_at = models.DateTimeField(null=True)
    # The write lease: one writer at a time, and not before the next free slot. Times are epoch seconds.
    lease_token = models.CharField(max_length=26, blank=True)
    lease_until = models.FloatField(default=0)
    next_write_at = models.FloatField(default=0)
    wanted_by = models.PositiveSmallIntegerField(default=0, help_text="Priority of the most urgent one that waits.")
    wanted_until = models.FloatField(default=0)

    class Meta:
        ordering = ["environment"]

    @property
    def is_use_stale(self) -> bool:
        """What stands here of tokens is from before; a client without one may have had one since. Where nothing reports
        them there is nothing to read."""
        since = self.usage_unread_since
        return self.reports_use and since is not None and since < timezone.now() - STALE_AFTER

    @property
    def is_stale(self) -> bool:
        """Not reached for several looks of the worker, which come every minute."""
        return self.checked_at is None or self.checked_at < timezone.now() - STALE_AFTER

    @property
    def why_no_claims(self) -> str:
        """Empty when its machine tokens carry claims; else the reason (cognito_facts section 5)."""
        if self.is_missing:
            return "Cognito does not know this pool any more."
        if not self.trigger_version:
            return "The pool has no pre token generation trigger, so tokens go out without attributes."
        if self.trigger_version != "V3_0":
            return f"The pool's trigger is version {self.trigger_version}; for machine tokens Cognito runs V3_0 only."
        if self.installed_trigger_arn and self.trigger_arn != self.installed_trigger_arn:
            return f"Another function holds the pool's trigger slot: {self.trigger_arn}."
        if not self.installed_trigger_arn and self.trigger_mode == TriggerMode.NONE:
            return "The pool's trigger was not installed by the portal, so nobody knows whether it adds the attributes."
        if self.tier == "LITE":
            return "The pool is on the Lite plan; machine tokens get claims on Essentials or Plus only."
        return ""

    @property
    def reports_use(self) -> bool:
        """Cognito tells of no token: the portal's trigger notes what is known of use (cognito_facts section 9)."""
        return not self.why_no_claims

    def __str__(self) -> str:
        return self.environment


class ApiKind(models.TextChoices):
    NONE = "none", "No API recorded"
    APPSYNC = "appsync", "AppSync"
    REST = "rest", "REST"


class ResourceServer(models.Model):
    """An API and its scopes as Cognito knows them, and how to call it (for snippets)."""

    pool = models.ForeignKey(UserPool, on_delete=models.PROTECT, related_name="resource_servers")
    identifier = models.CharField(max_length=256)
    name = models.CharField(max_length=256)
    api_kind = models.CharField(max_length=10, choices=ApiKind.choices, default=ApiKind.NONE)
    api_url = models.URLField(max_length=500, blank=True)
    api_method = models.CharField(max_length=10, default="POST")
    example_call = models.TextField(blank=True, help_text="AppSync: a GraphQL query. REST: a JSON body.")
    generation = models.PositiveIntegerField(default=1, help_text="Raised by every change; a form carries it.")
    drift = models.JSONField(default=dict, blank=True, help_text="What Cognito holds otherwise, since it was read.")

    class Meta:
        ordering = ["identifier"]
        constraints = [models.UniqueConstraint(fields=["pool", "identifier"], name="resource_server_once_per_pool")]

    def __str__(self) -> str:
        return self.identifier


class Scope(models.Model):
    """One scope; what clients hold is `full_name` (identifier/name)."""

    resource_server = models.ForeignKey(ResourceServer, on_delete=models.PROTECT, related_name="scopes")
    name = models.CharField(max_length=256)
    description = models.CharField(max_length=256)
    full_name = models.CharField(max_length=513)
    is_read_only = models.BooleanField(default=False)
    retiring_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True, help_text="Since when Cognito is known to have it no more.")

    class Meta:
        ordering = ["full_name"]
        constraints = [models.UniqueConstraint(fields=["resource_server", "name"], name="scope_once_per_server")]

    def __str__(self) -> str:
        return self.full_name

    @property
    def is_offered(self) -> bool:
        """To clients that do not hold it."""
        return self.retiring_at is None and self.gone_at is None


class RetirementState(models.TextChoices):
    WAITING = "waiting", "No new assignments"
    RELEASING = "releasing", "Releasing clients"
    DONE = "done", "Removed"
    CANCELLED = "cancelled", "Cancelled"


GOING_ON = (RetirementState.WAITING, RetirementState.RELEASING)


class Retirement(models.Model):
    """A scope, or a whole resource server, on its way out: given to nobody new, clients released, removed last.

    It lasts as long as people need; operations are its short steps. `scope_names` keeps what the rows no longer tell.
    """

    public_id = models.CharField(max_length=26, unique=True, default=new_ulid, editable=False)
    pool = models.ForeignKey(UserPool, on_delete=models.PROTECT, related_name="retirements")
    resource_server = models.ForeignKey(
        ResourceServer, null=True, on_delete=models.SET_NULL, related_name="retirements"
    )
    identifier = models.CharField(max_length=256)
    scope_names = models.JSONField(help_text="Names of the scopes that go, without the identifier.")
    whole_server = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=RetirementState.choices, default=RetirementState.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["resource_server"], name="one_retirement_per_server", condition=models.Q(state__in=GOING_ON)
            )
        ]

    def __str__(self) -> str:
        return f"{self.identifier}: {', '.join(self.scope_names)}"

    @property
    def is_going_on(self) -> bool:
        return self.state in GOING_ON

    @property
    def full_names(self) -> list[str]:
        return [f"{self.identifier}/{name}" for name in self.scope_names]
