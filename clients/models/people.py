"""Who uses the portal: staff, and the members of tenants."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    OPERATOR = "operator", "Operator"
    SUPPORT = "support", "Support"
    AUDITOR = "auditor", "Auditor"
    MANAGER = "manager", "Tenant manager"
    DEVELOPER = "developer", "Tenant developer"


TENANT_ROLES = (Role.MANAGER, Role.DEVELOPER)


class UserQuerySet(models.QuerySet["User"]):
    def managed_by(self, user: "User") -> "UserQuerySet":
        """Administrators manage everybody, operators the members of all tenants, managers their colleagues."""
        if user.role == Role.ADMINISTRATOR:
            return self
        if user.role == Role.OPERATOR:
            return self.filter(role__in=TENANT_ROLES)
        return self.filter(tenant=user.tenant_id) if user.role == Role.MANAGER else self.none()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A person, known by e-mail; one role, and a tenant exactly when the role is a tenant's."""

    email = models.EmailField(unique=True, max_length=254)
    name = models.CharField(max_length=100, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices)
    tenant = models.ForeignKey(
        "clients.Tenant", null=True, blank=True, on_delete=models.PROTECT, related_name="members"
    )
    is_active = models.BooleanField(default=True)
    session_epoch = models.PositiveIntegerField(default=0, help_text="Raised to end every session of theirs.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="user_tenant_matches_role",
                condition=Q(role__in=TENANT_ROLES, tenant__isnull=False)
                | (~Q(role__in=TENANT_ROLES) & Q(tenant__isnull=True)),
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff_member(self) -> bool:
        return self.role not in TENANT_ROLES

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Compared at every request: with another password, role or tenant, or a raised epoch, a session is over."""
        who = f"{self.password}|{self.role}|{self.tenant_id}|{self.session_epoch}"
        return salted_hmac("clients.User.session", who, secret=secret, algorithm="sha256").hexdigest()


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor withdrawn; also one that has expired, which can be sent again."""
        return self.filter(accepted_at__isnull=True, revoked_at__isnull=True)

    def managed_by(self, user: User) -> "InvitationQuerySet":
        if user.role == Role.ADMINISTRATOR:
            return self
        if user.role == Role.OPERATOR:
            return self.filter(role__in=TENANT_ROLES)
        return self.filter(tenant=user.tenant_id) if user.role == Role.MANAGER else self.none()


class Invitation(models.Model):
    """A single-use link for one person; only the token's hash is stored."""

    objects = InvitationQuerySet.as_manager()

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=20, choices=Role.choices)
    tenant = models.ForeignKey("clients.Tenant", null=True, blank=True, on_delete=models.PROTECT)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="invitations")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
