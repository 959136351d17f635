"""Fills an empty portal with Harbourline's company; later starts only look whether it is all still there."""

import json
import os
import secrets as random
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from clients.errors import PortalError
from clients.models import (
    AppClient,
    AttributeDefinition,
    OperationState,
    Role,
    Secret,
    SecretState,
    Tenant,
    TriggerMode,
    User,
    UserPool,
)
from clients.models.ids import new_ulid
from clients.services import (
    app_clients,
    attributes,
    catalogue,
    evidence,
    handovers,
    people,
    pools,
    rotations,
    secrets,
    tenants,
)

VIA = "demo"
ENVIRONMENT = "demo"
PEOPLE = {
    Role.ADMINISTRATOR: ("Ada Lindqvist", "administrator@harbourline.example"),
    Role.OPERATOR: ("Omar Benali", "operator@harbourline.example"),
    Role.SUPPORT: ("Sofia Marino", "support@harbourline.example"),
    Role.AUDITOR: ("Urs Keller", "auditor@harbourline.example"),
    Role.MANAGER: ("Maya Okafor", "manager@northwind.example"),
    Role.DEVELOPER: ("Dmitri Sokolov", "developer@northwind.example"),
}
ATTRIBUTES: list[dict[str, Any]] = [
    {"claim_name": "tier", "type": "choice", "choices": ["silver", "gold", "platinum"], "is_required": True,
     "description": "The plan this organisation has bought"},
    {"claim_name": "region", "type": "choice", "choices": ["eu", "us"], "is_required": True,
     "description": "Where its data is kept"},
    {"claim_name": "rate_limit", "type": "integer", "default": 60, "is_overridable": True,
     "description": "Calls per minute"},
    {"claim_name": "channel", "type": "string", "default": "api", "is_overridable": True,
     "description": "Where the calls come from"},
]  # fmt: skip
TENANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "northwind": ("Northwind", {"tier": "gold", "region": "eu", "rate_limit": 600}),
    "acme-robotics": ("Acme Robotics", {"tier": "silver", "region": "us"}),
    "harbour-foods": ("Harbour Foods", {"tier": "platinum", "region": "eu", "rate_limit": 1200}),
}
READ_ORDERS, READ_BOTH = ["orders/read"], ["orders/read", "shipments/read"]
ALL_ORDERS = ["orders/read", "orders/write", "orders/cancel"]
WAREHOUSE = ["shipments/read", "shipments/write", "shipments/label"]
# tenant, purpose, scopes, overrides, and how far it has come.
CLIENTS: list[tuple[str, str, list[str], dict[str, Any], str]] = [
    ("northwind", "orders-production", ALL_ORDERS, {}, "in use"),
    ("northwind", "orders-staging", READ_ORDERS, {"rate_limit": 30}, "in use"),
    ("northwind", "warehouse-production", WAREHOUSE, {"channel": "warehouse"}, "rotating"),
    ("northwind", "reporting-production", READ_BOTH, {}, "handed over"),
    ("acme-robotics", "orders-production", READ_BOTH, {}, "in use"),
    ("acme-robotics", "factory-production", WAREHOUSE, {"channel": "factory", "rate_limit": 240}, "expiring"),
    ("acme-robotics", "labels-test", ["shipments/label"], {}, "undelivered"),
    ("harbour-foods", "shop-production", ALL_ORDERS, {}, "in use"),
    ("harbour-foods", "tracking-production", ["shipments/track"], {}, "delivered"),
    ("harbour-foods", "partner-feed", READ_ORDERS, {"channel": "partner"}, "expired"),
    ("harbour-foods", "analytics-production", READ_BOTH, {"rate_limit": 20}, "no end"),
    ("harbour-foods", "pilot-test", READ_ORDERS, {}, "undelivered"),
    ("northwind", "returns-test", READ_ORDERS, {}, "creating"),
]


class Command(BaseCommand):
    help = "Brings the demo's database up to date, fills it and the sandbox, writes var/demo.json. For `make demo`."
    requires_system_checks: list[str] = []

    def handle(self, *args, **options) -> None:
        from portal.sandbox import company  # here: the package stands in requirements-dev.txt only

        if not settings.DEMO:
            raise CommandError("PORTAL_DEMO is off: the demo's accounts have no place in a real installation.")
        # In this process: a second start of Django would take a second of the demo's six.
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")  # boto3's own variable
        if not company.wait_until_up(endpoint):
            raise CommandError(f"The sandbox does not answer at {endpoint}.")
        self.company = company
        self.account = company.Company(endpoint)
        self.file = settings.VAR_DIR / "demo.json"
        self.facts = json.loads(self.file.read_text()) if self.file.exists() else {}
        try:
            self._bring_up()
        except PortalError as error:
            raise CommandError(error.sentence) from error

    def _bring_up(self) -> None:
        pool = UserPool.objects.filter(environment=ENVIRONMENT).first()
        if pool and not pools.check_presence(pool):
            # Nothing is repaired: the rows say what was there, and no client of theirs has drifted.
            self.stderr.write(
                f"The pool {pool.user_pool_id} is missing: the sandbox has lost its state, the portal has not. "
                "Its clients stay readable. To begin anew: make demo-reset, then make demo."
            )
        elif not self.facts.get("is_complete") or pool is None:
            self._seed(pool)
        else:
            self._follow_port(pool)
        self._write()

    # --- The first start ------------------------------------------------------------------------

    def _seed(self, pool: UserPool | None) -> None:
        self.stdout.write("Filling the sandbox with a small company ...")
        self.facts |= self.account.build() | {"is_complete": False}
        self._have_staff()
        administrator, operator = self._person(Role.ADMINISTRATOR), self._person(Role.OPERATOR)
        pool = pool or self._connect(administrator)
        self._follow_port(pool)
        for attribute in ATTRIBUTES:
            if not AttributeDefinition.objects.filter(claim_name=attribute["claim_name"]).exists():
                attributes.define_attribute(actor=administrator, via=VIA, **attribute)
        for slug, (name, values) in TENANTS.items():
            self._have_tenant(operator, slug, name, values)
        self._have_members()
        for row in CLIENTS:
            self._have_client(pool, operator, *row)
        self.facts["is_complete"] = True

    def _have_staff(self) -> None:
        for role in (Role.ADMINISTRATOR, Role.OPERATOR, Role.SUPPORT, Role.AUDITOR):
            self._have_person(role, tenant=None)

    def _have_members(self) -> None:
        northwind = Tenant.objects.get(slug="northwind")
        for role in (Role.MANAGER, Role.DEVELOPER):
            self._have_person(role, tenant=northwind)

    def _have_person(self, role: Role, *, tenant: Tenant | None) -> None:
        """An account whose password is the one in the file; the file is written first, so a stop midway is harmless."""
        name, email = PEOPLE[role]
        logins = self.facts.setdefault("logins", {})
        known = logins.get(role.value)
        password = known["password"] if known else random.token_urlsafe(12)
        logins[role.value] = {"email": email, "password": password}
        self._write()
        person = User.objects.filter(email=email).first()
        if person is None:
            token = people.invite(email, role.value, tenant=tenant, actor=self._inviter(), via=VIA)
            people.accept_invitation(token, name=name, password=password, via=VIA)
        elif known is None:  # the file was removed: nobody knows the old password
            person.set_password(password)
            person.save(update_fields=["password"])

    def _inviter(self) -> User | None:
        return User.objects.filter(role=Role.ADMINISTRATOR).first()

    def _person(self, role: Role) -> User:
        return User.objects.get(email=PEOPLE[role][1])

    def _connect(self, administrator: User) -> UserPool:
        return pools.connect_pool(
            actor=administrator, environment=ENVIRONMENT, region=self.facts["region"],
            user_pool_id=self.facts["user_pool_id"],
            token_url=self.facts["token_url"], jwks_url=self.facts["jwks_url"], trigger_mode=TriggerMode.OBSERVE,
            claims_table=self.company.CLAIMS_TABLE, usage_table=self.company.USAGE_TABLE, via=VIA,
        )  # fmt: skip

    def _have_tenant(self, operator: User, slug: str, name: str, values: dict[str, Any]) -> None:
        if not Tenant.objects.filter(slug=slug).exists():
            tenants.create_tenant(
                actor=operator,
                slug=slug,
                name=name,
                contact=operator,
                contact_email=f"it@{slug}.example",
                values=values,
                via=VIA,
            )

    # --- Clients ---------------------------------------------------------------------------------

    def _have_client(
        self,
        pool: UserPool,
        operator: User,
        slug: str,
        purpose: str,
        scopes: list[str],
        overrides: dict[str, Any],
        stage: str,
    ) -> None:
        tenant = Tenant.objects.get(slug=slug)
        name = f"{slug}-{purpose}"
        if AppClient.objects.present().filter(tenant=tenant, name=name).exists():
            return
        endless = stage == "no end"
        if stage == "creating":
            self.account.refuse_next("CreateUserPoolClient", settings.VAR_DIR / "sandbox")
        app_client = app_clients.create_client(
            pool, actor=operator, operation_id=new_ulid(), tenant=tenant, name=name, scopes=scopes,
            attributes=overrides, lifetime_days=None if endless else 180, contact=operator, via=VIA,
            no_expiry_reason="Runs on a device that cannot be reached" if endless else "",
        )  # fmt: skip
        if stage == "creating":
            # Else the worker would finish it within seconds. *Try again* on the operations page does.
            given_up = {
                "state": OperationState.GIVEN_UP, "attempts": 25, "finished_at": timezone.now(),
                "last_error": "AWS asks to slow down. After 25 attempts the portal has stopped trying.",
            }  # fmt: skip
            app_client.operations.live().update(**given_up)
        elif stage == "handed over":
            member = User.objects.get(role=Role.DEVELOPER, tenant=tenant)
            handovers.offer_to_member(app_client.secrets.get(), member, hours=168, actor=operator, via=VIA)
        elif stage != "undelivered":
            self._deliver(app_client, operator, in_use=stage in ("in use", "expiring"))
        if stage == "rotating":
            said: dict[str, Any] = {"actor": operator, "via": VIA}
            rotations.start_rotation(app_client, operation_id=new_ulid(), overlap_hours=168, **said)
            for new in app_client.secrets.filter(state=SecretState.NEW):
                secrets.reveal_secret(new, **said)
        self._age(app_client, {"expiring": 9, "expired": -3}.get(stage))

    def _deliver(self, app_client: AppClient, operator: User, *, in_use: bool) -> None:
        secret = app_client.secrets.get()
        value = secrets.reveal_secret(secret, actor=operator, via=VIA)
        evidence.mark_stored(secret, actor=operator, via=VIA)
        if in_use:
            scope = app_client.scopes.first()
            scope_name = scope.full_name if scope else ""
            self.company.get_token(self.facts["token_url"], app_client.client_id, value.reveal(), scope_name)
            self.account.had_tokens(app_client.client_id, 288 if app_client.name.startswith("acme") else 26)

    def _age(self, app_client: AppClient, days_left: int | None) -> None:
        """Time has passed for this one; no act of a person, so no entry in the trail."""
        if days_left is not None:
            end = timezone.now() + timedelta(days=days_left)
            AppClient.objects.filter(pk=app_client.pk).update(expires_at=end)
            Secret.objects.filter(app_client=app_client).update(expires_at=end)

    # --- Every start -----------------------------------------------------------------------------

    def _follow_port(self, pool: UserPool) -> None:
        """The sandbox may listen on another port than last time: its addresses move with it."""
        self.facts |= self.account.addresses(pool.user_pool_id, self.facts["graphql_api_id"])
        administrator = self._person(Role.ADMINISTRATOR)
        urls = {name: self.facts[name] for name in ("token_url", "jwks_url")}
        pools.change_urls(pool, actor=administrator, via=VIA, **urls)
        for identifier in self.company.SCOPES:
            if not pool.resource_servers.filter(identifier=identifier, api_url=self.facts["graphql_url"]).exists():
                call = self.company.EXAMPLE_CALLS[identifier]
                api = catalogue.Api("appsync", self.facts["graphql_url"], example_call=call)
                catalogue.adopt_resource_server(pool, actor=administrator, identifier=identifier, api=api, via=VIA)

    def _write(self) -> None:
        """var/demo.json, for people and scripts: 0600 from its first byte, never half written."""
        self.facts = (
            {"url": settings.BASE_URL, "logins": {}}
            | self.facts
            | {
                "url": settings.BASE_URL,
                "pool": ENVIRONMENT,
                "tenants": list(TENANTS),
                "resource_servers": {name: list(scopes) for name, scopes in self.company.SCOPES.items()},
            }
        )
        write_privately(self.file, json.dumps(self.facts, indent=2) + "\n")


def write_privately(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.replace(new, path)
