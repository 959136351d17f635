"""A client through the service, a stranger of another tenant, and addresses by route name."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from clients.models import (
    AppClient,
    AttributeDefinition,
    BulkRun,
    Handover,
    Invitation,
    ResourceServer,
    Retirement,
    Role,
    Rotation,
    RotationState,
    Secret,
    SecretState,
    Status,
    TenantChange,
    User,
)
from clients.models.ids import new_ulid
from tests.single_sign_on import Pool, signer
from tests.support import PASSWORD


@pytest.fixture
def app_client(world):
    return world.create()


@pytest.fixture
def stranger(world):
    """A manager of a tenant that has no client."""
    acme = world.tenants["acme-robotics"]
    return User.objects.create_user("stranger@acme.example", PASSWORD, role=Role.MANAGER, tenant=acme)


@pytest.fixture
def operator(world, client):
    client.force_login(world.people["operator"])
    return world.people["operator"]


@pytest.fixture
def orders(world):
    return ResourceServer.objects.get(identifier="orders")


@pytest.fixture
def staff_pool(world, settings):
    """A user pool of the sandbox as the provider of single sign-on."""
    pool = Pool(world.sandbox, settings.BASE_URL)
    settings.OIDC = pool.settings()
    world.sandbox.clear()
    return pool


@pytest.fixture
def elsewhere(world, settings):
    """A provider of single sign-on that says whatever the test wants."""
    with signer() as made:
        settings.OIDC = made.settings()
        yield made


@pytest.fixture
def make(world):
    """Rows alone: what the list shows needs no Cognito. Ids of one millisecond would stand in any order: counted."""
    numbers = count(1)

    def row(name, *, status=Status.ACTIVE, tenant="northwind", delivered=True, days=180, ending="aaaa", **fields):
        app_client = AppClient.objects.create(
            tenant=world.tenants[tenant], name=name, op_tag=new_ulid(),
            status=status, created_by=world.people["operator"], public_id=f"01{next(numbers):024}",
            **{"pool": world.pool, "client_id": f"id{new_ulid().lower()}", "expires_at": timezone.now() + timedelta(days=days)} | fields,
        )  # fmt: skip
        Secret.objects.create(
            app_client=app_client, ending=ending, state=SecretState.CURRENT, created_by=world.people["operator"],
            delivered_at=timezone.now() if delivered else None,
        )  # fmt: skip
        return app_client

    return row


@pytest.fixture
def address(app_client):
    """An address of each route, made with rows that are there."""

    def make(route: str) -> str:
        find = ARGUMENTS.get(route)
        if (
            find is None
            and route.startswith(("client-", "snippet-", "handover-create", "change-request", "secret-rotate"))
            and route not in WITHOUT_CLIENT
        ):
            find = _public_id
        return reverse(route, args=find(app_client) if find else [])

    return make


@pytest.fixture
def no_entries(db):
    """The disk is full, say: the table takes none."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER audit_is_full BEFORE INSERT ON clients_auditentry"
                " BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
        else:
            cursor.execute(
                "CREATE FUNCTION audit_is_full() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'no room'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER audit_is_full BEFORE INSERT ON clients_auditentry"
                " FOR EACH ROW EXECUTE FUNCTION audit_is_full()"
            )


WITHOUT_CLIENT = ("client-list", "client-create", "client-export")


def _public_id(app_client):
    return [app_client.public_id]


def _secret(app_client):
    return [app_client.public_id, app_client.secrets.first().public_id]


def _tenant(app_client):
    return [app_client.tenant.slug]


def _server(app_client):
    return [ResourceServer.objects.get(identifier="orders").pk]


def _definition(app_client):
    return [AttributeDefinition.objects.get(claim_name="tier").pk]


def _tenant_change(app_client):
    change = TenantChange.objects.first() or TenantChange.objects.create(
        tenant=app_client.tenant, kind="pause", reason="x", started_by=app_client.created_by
    )
    return [app_client.tenant.slug, change.public_id]


def _developer():
    return User.objects.get(role=Role.DEVELOPER)


def _invitation():
    tenant = _developer().tenant
    return Invitation.objects.first() or Invitation.objects.create(
        email="new@northwind.example", role=Role.DEVELOPER, tenant=tenant, expires_at=timezone.now(), token_hash="x"
    )


def _handover(app_client):
    """To the developer by name."""
    found = Handover.objects.first() or Handover.objects.create(
        app_client=app_client, secret=app_client.secrets.get(), member=_developer(), created_by=app_client.created_by,
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    return [found.public_id]


def _rotation(app_client):
    """Both secrets work, the new one was shown, and nobody has said yet that it is in use."""
    if found := Rotation.objects.first():
        return [found.public_id]
    old, now = app_client.secrets.get(), timezone.now()
    marks = {"ending": "New2", "fingerprint": "x", "fingerprint_key_id": "x", "created_by": app_client.created_by}
    new = Secret.objects.create(app_client=app_client, state=SecretState.NEW, delivered_at=now, **marks)
    found = Rotation.objects.create(
        app_client=app_client, old_secret=old, new_secret=new, state=RotationState.OPEN, added_at=now, tested_at=now,
        started_by=app_client.created_by, ends_at=now + timedelta(days=7),
    )  # fmt: skip
    return [found.public_id]


def _run(app_client):
    found = BulkRun.objects.filter(finished_at=None).first()
    return [(found or BulkRun.objects.create(overlap_hours=24, started_by=app_client.created_by)).public_id]


def _retirement(app_client):
    server = ResourceServer.objects.get(identifier="orders")
    going = Retirement.objects.first() or Retirement.objects.create(
        pool=server.pool, resource_server=server, identifier="orders", scope_names=["read"], reason="x",
        started_by=app_client.created_by,
    )  # fmt: skip
    return [going.public_id]


ARGUMENTS = {
    **dict.fromkeys(
        ("person-page", "person-role", "person-deactivate", "person-activate", "person-factor-remove"),
        lambda _: [_developer().pk],
    ),
    **dict.fromkeys(("invitation-again", "invitation-withdraw"), lambda _: [_invitation().pk]),
    **dict.fromkeys(
        ("handover-page", "handover-revoke", "handover-again", "handover-show", "handover-stored"), _handover
    ),
    "activity-entry": lambda app_client: [app_client.audit_entries.first().sequence],
    "activity-export": lambda app_client: ["csv"],
    "scanner-rules": lambda app_client: ["gitleaks"],
    "mfa_remove_webauthn": lambda app_client: [1],
    "account_reset_password_from_key": lambda app_client: ["1", "used-before"],
    "operation-retry": lambda app_client: [app_client.operations.get().pk],
    "tenant-change-start": lambda app_client: [app_client.tenant.slug, "off-board"],
    "tenant-change": _tenant_change,
    "retirement-page": _retirement,
    **dict.fromkeys(("secret-show", "secret-stored", "secret-revoke"), _secret),
    **dict.fromkeys(
        (
            "rotation-page",
            "rotation-finish",
            "rotation-cancel",
            "rotation-extend",
            "rotation-acknowledge",
            "rotation-dismiss",
        ),
        _rotation,
    ),
    "bulk-run": _run,
    **dict.fromkeys(("tenant-policies", "tenant-page", "tenant-details", "tenant-values", "customer-home-as"), _tenant),
    "customer-page-as": lambda app_client: [app_client.tenant.slug, "members"],
    "customer-client-as": lambda app_client: [app_client.tenant.slug, app_client.public_id, "secrets"],
    **dict.fromkeys(("attribute-change", "attribute-retire", "attribute-restore"), _definition),
    **dict.fromkeys(("server-page", "server-api", "server-change", "server-retire"), _server),
}
