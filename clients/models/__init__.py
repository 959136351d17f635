"""Rows and how to select them; one module per noun."""

from clients.models.app_clients import AppClient, Status, attention_needs
from clients.models.audit import AuditEntry, AuditOrigin, AuditQuerySet, Outcome
from clients.models.bulk import BulkItem, BulkRun
from clients.models.handovers import Handover, HandoverState
from clients.models.operations import EVERYTHING, LIVE, Operation, OperationState, Priority, is_overtaken
from clients.models.people import TENANT_ROLES, Invitation, Role, User
from clients.models.pools import (
    GOING_ON,
    ApiKind,
    ResourceServer,
    Retirement,
    RetirementState,
    Scope,
    TriggerMode,
    UserPool,
)
from clients.models.reminders import Reminder, ReminderKind
from clients.models.restores import Restore
from clients.models.rotations import UNDER_WAY, Rotation, RotationState
from clients.models.secrets import Secret, SecretState
from clients.models.tenants import (
    AttributeDefinition,
    AttributeType,
    ClientOverride,
    Tenant,
    TenantChange,
    TenantChangeKind,
    TenantStatus,
    TenantValue,
)

__all__ = [
    "EVERYTHING",
    "GOING_ON",
    "LIVE",
    "TENANT_ROLES",
    "UNDER_WAY",
    "ApiKind",
    "AppClient",
    "AttributeDefinition",
    "AttributeType",
    "AuditEntry",
    "AuditOrigin",
    "AuditQuerySet",
    "BulkItem",
    "BulkRun",
    "ClientOverride",
    "Handover",
    "HandoverState",
    "Invitation",
    "Operation",
    "OperationState",
    "Outcome",
    "Priority",
    "Reminder",
    "ReminderKind",
    "ResourceServer",
    "Restore",
    "Retirement",
    "RetirementState",
    "Role",
    "Rotation",
    "RotationState",
    "Scope",
    "Secret",
    "SecretState",
    "Status",
    "Tenant",
    "TenantChange",
    "TenantChangeKind",
    "TenantStatus",
    "TenantValue",
    "TriggerMode",
    "User",
    "UserPool",
    "is_overtaken",
    "attention_needs",
]
