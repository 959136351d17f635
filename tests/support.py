"""What tests share: the sandbox's control door and a small company made through our own services."""

import importlib
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from allauth.account.models import EmailAddress
from django.utils import timezone

from clients.models import TENANT_ROLES, AppClient, Role, Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, attributes, catalogue, pools, tenants
from tests import company_rows

PASSWORD = "correct horse battery staple"  # noqa: S105  (test logins)
REGION = "eu-west-1"


class Sandbox:
    """The running sandbox: its endpoint, faults on request, the log of calls received."""

    def __init__(self, endpoint: str, state_dir: Path) -> None:
        self.endpoint, self.state_dir = endpoint, state_dir
        self._clients: dict[str, Any] = {}  # each new one reads its service's model again

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        token = (self.state_dir / "control-token").read_text().strip()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data, {"X-Sandbox-Token": token}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def fault(self, operation: str, kind: str, *, times: int = 1, skip: int = 0, seconds: float = 0) -> None:
        fault = {"operation": operation, "kind": kind, "times": times, "skip": skip, "seconds": seconds}
        self._control("POST", "/_sandbox/faults", [fault])

    def settings(self, **values: Any) -> None:
        self._control("POST", "/_sandbox/settings", values)

    def clear(self) -> None:
        self._control("DELETE", "/_sandbox/faults")
        self._control("DELETE", "/_sandbox/calls")

    def calls(self) -> list[dict[str, Any]]:
        answer = self._control("GET", "/_sandbox/calls")
        return answer["calls"] if isinstance(answer, dict) else answer

    def writes(self) -> list[str]:
        """Operations received that change something."""
        reading = ("List", "Describe", "Get", "Query", "Scan", "BatchGet")
        return [call["operation"] for call in self.calls() if not call["operation"].startswith(reading)]

    def aws(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(service, region_name=REGION, endpoint_url=self.endpoint)
        return self._clients[service]


@dataclass
class World:
    sandbox: Sandbox
    pool: UserPool
    tenants: dict[str, Tenant]
    people: dict[str, User]
    cognito: Any = field(repr=False)

    def create(self, **changes: Any) -> AppClient:
        """A client through the service, as an operator would."""
        wanted: dict[str, Any] = {
            "actor": self.people["operator"],
            "operation_id": new_ulid(),
            "tenant": self.tenants["northwind"],
            "name": "northwind-orders-prod",
            "scopes": ["orders/read"],
            "attributes": {},
        } | changes
        return app_clients.create_client(self.pool, **wanted)

    def remote_clients(self) -> list[dict[str, Any]]:
        found = self.cognito.list_user_pool_clients(UserPoolId=self.pool.user_pool_id, MaxResults=60)["UserPoolClients"]
        return [self.describe(item["ClientId"]) for item in found]

    def describe(self, client_id: str) -> dict[str, Any]:
        return self.cognito.describe_user_pool_client(UserPoolId=self.pool.user_pool_id, ClientId=client_id)[
            "UserPoolClient"
        ]

    def document(self, client_id: str) -> dict[str, Any] | None:
        key = {"client_id": {"S": client_id}}
        return self.sandbox.aws("dynamodb").get_item(TableName=self.pool.claims_table, Key=key).get("Item")


def make_remote_pool(sandbox: Sandbox) -> tuple[Any, str, str, str]:
    """(cognito client, pool id, claims table, usage table), new in the sandbox."""
    cognito, dynamodb, tag = sandbox.aws("cognito-idp"), sandbox.aws("dynamodb"), new_ulid().lower()
    pool_id = cognito.create_user_pool(PoolName=f"pool-{tag}", UserPoolTier="ESSENTIALS")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain=f"d{tag}", UserPoolId=pool_id)
    for identifier, scopes in {"orders": ("read", "write"), "shipments": ("read", "track")}.items():
        described = [{"ScopeName": name, "ScopeDescription": f"{name} {identifier}"} for name in scopes]
        cognito.create_resource_server(UserPoolId=pool_id, Identifier=identifier, Name=identifier, Scopes=described)
    tables = (f"claims-{tag}", f"usage-{tag}")
    for table in tables:
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "client_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "client_id", "AttributeType": "S"}],
        )
    return cognito, pool_id, *tables


PEOPLE = {role.value: f"{role}@{'northwind' if role in TENANT_ROLES else 'portal'}.example" for role in Role}
_kept: list[company_rows.Rows] = []  # empty until the first company of this process is made


def make_world(sandbox: Sandbox) -> World:
    """A pool of its own in the sandbox, and the company's rows for it in a database without any."""
    cognito, pool_id, claims_table, usage_table = make_remote_pool(sandbox)
    domain = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]["Domain"]
    names = {"pool": pool_id, "claims": claims_table, "usage": usage_table, "domain": domain, "at": sandbox.endpoint}
    if _kept:
        company_rows.lay(_kept[0], names)
        UserPool.objects.update(checked_at=timezone.now())  # connecting it has just looked
    else:
        _make_rows(names)
        _kept.append(company_rows.keep(names))
    people = {user.role: user for user in User.objects.order_by("pk")}
    pool = UserPool.objects.get(user_pool_id=pool_id)
    return World(sandbox, pool, {tenant.slug: tenant for tenant in Tenant.objects.all()}, people, cognito)


def _make_rows(names: dict[str, str]) -> None:
    admin = User.objects.create_user(PEOPLE["administrator"], PASSWORD, role=Role.ADMINISTRATOR, name="Ada")
    pool = pools.connect_pool(
        actor=admin, environment="prod", region=REGION, user_pool_id=names["pool"], claims_table=names["claims"],
        usage_table=names["usage"], trigger_mode="observe",
        token_url=f"{names['at']}/_domain/{names['domain']}/oauth2/token",
        jwks_url=f"{names['at']}/{names['pool']}/.well-known/jwks.json",
    )  # fmt: skip
    for identifier in ("orders", "shipments"):
        catalogue.adopt_resource_server(pool, actor=admin, identifier=identifier)
    attributes.define_attribute(
        actor=admin, claim_name="tier", type="choice", choices=["silver", "gold"], is_required=True
    )
    attributes.define_attribute(actor=admin, claim_name="rate_limit", type="integer", default=60, is_overridable=True)
    northwind = tenants.create_tenant(
        actor=admin, slug="northwind", name="Northwind Logistics", values={"tier": "gold"}
    )
    tenants.create_tenant(actor=admin, slug="acme-robotics", name="Acme Robotics", values={"tier": "silver"})
    for role in (Role.OPERATOR, Role.SUPPORT, Role.AUDITOR):
        User.objects.create_user(PEOPLE[role], PASSWORD, role=role, name=role.label)
    for role in TENANT_ROLES:
        User.objects.create_user(PEOPLE[role], PASSWORD, role=role, name=role.label, tenant=northwind)
    EmailAddress.objects.bulk_create(  # as accepting an invitation leaves it
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in User.objects.all()
    )


def drop_audit_triggers(connection: Any) -> None:
    """The flush after a transactional test deletes rows, which the triggers refuse; they have tests of their own."""
    names = {
        "sqlite": ("audit_no_update", "audit_no_delete", "audit_no_replace"),
        "postgresql": ("audit_no_change", "audit_no_truncate"),
    }[connection.vendor]
    where = "" if connection.vendor == "sqlite" else " ON clients_auditentry"
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{where}")


def make_audit_triggers(connection: Any) -> None:
    """The triggers as the migration makes them, also after a transactional test took them away."""
    drop_audit_triggers(connection)
    migration = importlib.import_module("clients.migrations.0002_audit_is_append_only")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP FUNCTION IF EXISTS audit_is_append_only()")
        for statement in {"sqlite": migration.SQLITE, "postgresql": migration.POSTGRES}[connection.vendor]:
            cursor.execute(statement)
