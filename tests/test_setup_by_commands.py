"""From an empty install to a client with its kit, by the commands of docs/operations.md alone."""

import errno
import io
import json
import os
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from clients.management.commands import create_client
from clients.models import (
    AppClient,
    AttributeDefinition,
    AuditEntry,
    Invitation,
    Operation,
    ResourceServer,
    Secret,
    Tenant,
    User,
    UserPool,
)
from clients.services import people
from clients.services.operations import resume_due
from tests.support import PASSWORD, REGION, make_remote_pool

ADMIN = "ada@example.com"


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def admin(db, sandbox):
    sandbox.clear()
    link = run("invite", "--role", "administrator", ADMIN).strip()
    return people.accept_invitation(link.rpartition("#")[2], name="Ada", password=PASSWORD)


@pytest.fixture
def connect(sandbox, admin):
    _, pool_id, claims, usage = make_remote_pool(sandbox)

    def do(*more):
        return run(
            "connect_pool", "--environment", "prod", "--region", REGION, "--user-pool-id", pool_id,
            "--claims-table", claims, "--usage-table", usage, "--actor", ADMIN, *more,
        )  # fmt: skip

    return do


def test_an_empty_install_reaches_its_first_kit_by_commands(connect, tmp_path):
    said = connect()
    assert "is connected" in said and "no pre token generation trigger" in said
    assert "In Cognito: orders, shipments" in run("adopt_resource_server", "--pool", "prod", "--actor", ADMIN)
    assert not ResourceServer.objects.exists()
    assert run("adopt_resource_server", "--pool", "prod", "--all", "--actor", ADMIN).splitlines() == [
        "orders: orders/read, orders/write",
        "shipments: shipments/read, shipments/track",
    ]
    run("define_attribute", "--claim-name", "tier", "--type", "choice", "--choice", "silver", "--choice", "gold",
        "--required", "--actor", ADMIN)  # fmt: skip
    run("define_attribute", "--claim-name", "rate_limit", "--type", "integer", "--default", "60", "--overridable",
        "--actor", ADMIN)  # fmt: skip
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--value", "tier=gold", "--actor", ADMIN)
    kit = tmp_path / "kit.sh"
    out = run("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "northwind-orders-prod",
              "--scope", "orders/read", "--attribute", "rate_limit=9", "--actor", ADMIN, "--kit", str(kit),
              "--json")  # fmt: skip
    assert json.loads(out)["status"] == "active" and "cps_prod_" in kit.read_text()
    actors = set(AuditEntry.objects.exclude(action="person:invite").values_list("actor__email", flat=True))
    assert actors == {ADMIN}


def test_a_secret_without_end_wants_its_reason(connect, admin):
    connect()
    run("adopt_resource_server", "--pool", "prod", "--identifier", "orders", "--actor", ADMIN)
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    client = ("create_client", "--pool", "prod", "--tenant", "northwind", "--scope", "orders/read", "--actor", ADMIN)
    with pytest.raises(CommandError, match="needs a reason"):
        run(*client, "--name", "first", "--no-end", " ")
    run(*client, "--name", "second", "--no-end", "a satellite nobody can reach")
    made = Tenant.objects.get().app_clients.get()
    assert (made.expires_at, made.no_expiry_reason) == (None, "a satellite nobody can reach")


@pytest.mark.parametrize("attribute", ["rate_limit", "=9", "nobody=1"])
def test_a_refused_client_leaves_no_kit_behind(connect, admin, tmp_path, attribute):
    connect()
    run("adopt_resource_server", "--pool", "prod", "--identifier", "orders", "--actor", ADMIN)
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    with pytest.raises(CommandError):
        run("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "n", "--scope", "orders/read",
            "--attribute", attribute, "--actor", ADMIN, "--kit", str(tmp_path / "kit.sh"))  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_every_bad_input_to_a_client_is_named_by_its_field(connect, admin):
    connect()
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    with pytest.raises(CommandError) as caught:
        run("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "ü", "--validity-minutes", "1",
            "--lifetime-days", "7", "--attribute", "nobody=1", "--actor", ADMIN)  # fmt: skip
    named = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert {"name", "scopes", "access_token_seconds", "secret_lifetime"} <= named


def test_a_kit_that_cannot_be_made_leaves_no_file_and_the_secret_waits(connect, admin, tmp_path, monkeypatch):
    connect()
    run("adopt_resource_server", "--pool", "prod", "--identifier", "orders", "--actor", ADMIN)
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    monkeypatch.setattr(create_client, "kit_context", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "n", "--scope", "orders/read",
            "--actor", ADMIN, "--kit", str(tmp_path / "kit.sh"))  # fmt: skip
    assert list(tmp_path.iterdir()) == [] and Secret.objects.get().delivered_at is None


class FullDisk(io.StringIO):
    """A disk that takes ten characters of what is written."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor

    def write(self, text):
        os.write(self.descriptor, text[:10].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    def __exit__(self, *_):
        os.close(self.descriptor)


def test_half_a_kit_is_removed_and_its_secret_said_to_be_lost(connect, admin, tmp_path, monkeypatch):
    connect()
    run("adopt_resource_server", "--pool", "prod", "--identifier", "orders", "--actor", ADMIN)
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    monkeypatch.setattr(create_client.os, "fdopen", lambda descriptor, *_, **__: FullDisk(descriptor))
    with pytest.raises(CommandError, match="No space left on device.*lost"):
        run("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "n", "--scope", "orders/read",
            "--actor", ADMIN, "--kit", str(tmp_path / "kit.sh"))  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_what_commands_refuse_names_the_field_and_writes_nothing(connect, admin):
    connect()
    refused = {
        ("connect_pool", "--environment", "Prod!", "--region", REGION, "--user-pool-id", "eu-west-1_x",
         "--claims-table", "c", "--usage-table", "u"): "environment: 1 to 8",
        ("connect_pool", "--environment", "prod", "--region", REGION, "--user-pool-id", "eu-west-1_x",
         "--claims-table", "c", "--usage-table", "u"): "Another pool is connected as prod",
        ("connect_pool", "--environment", "test", "--region", REGION, "--user-pool-id", "eu-west-1_nobody",
         "--claims-table", "c", "--usage-table", "u"): "Cognito has no user pool",
        ("adopt_resource_server", "--pool", "prod", "--identifier", "nobody"): "no resource server nobody",
        ("adopt_resource_server", "--pool", "nowhere", "--all"): "There is no pool nowhere",
        ("define_attribute", "--claim-name", "sub", "--type", "string"): "claim_name: sub is reserved",
        ("define_attribute", "--claim-name", "n", "--type", "integer", "--default", "x"): "default: Enter a whole",
        ("create_tenant", "--slug", "n", "--name", "N", "--value", "tier=gold"): "no attribute tier",
        ("create_tenant", "--slug", "n", "--name", "N", "--value", "tier"): "write claim=value",
    }  # fmt: skip
    for arguments, sentence in refused.items():
        with pytest.raises(CommandError, match=sentence):
            run(*arguments, "--actor", ADMIN)
    assert (UserPool.objects.count(), ResourceServer.objects.count(), Tenant.objects.count()) == (1, 0, 0)
    assert not AttributeDefinition.objects.exists()


@pytest.mark.asvs("8.3.1")
def test_roles_that_may_not_are_refused_by_every_command(connect, admin):
    User.objects.create_user("sam@example.com", PASSWORD, role="support")
    for arguments in (
        ("connect_pool", "--environment", "test", "--region", REGION, "--user-pool-id", "x", "--claims-table", "c",
         "--usage-table", "u"),
        ("adopt_resource_server", "--pool", "prod", "--all"),
        ("define_attribute", "--claim-name", "n", "--type", "string"),
        ("create_tenant", "--slug", "n", "--name", "N"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match="is Support and may not"):
            run(*arguments, "--actor", "sam@example.com")


@pytest.mark.parametrize("address", ["nobody", "a@b", "", "a b@example.com"])
def test_invite_refuses_what_is_no_address(db, address):
    with pytest.raises(CommandError, match="no e-mail address"):
        run("invite", "--role", "administrator", address)
    assert not Invitation.objects.exists()


def test_verify_audit_sees_a_cut_tail_when_told_what_to_expect(connect, admin):
    from django.db import connection

    from tests.support import drop_audit_triggers

    connect()
    said = run("verify_audit")
    newest = AuditEntry.objects.order_by("-sequence").first()
    assert f"{AuditEntry.objects.count()} entries" in said and "cut off at the end" in said
    last = said.splitlines()[-1].removeprefix("Last: ")
    assert last == f"{newest.sequence}:{newest.hash}"
    assert "follows" in run("verify_audit", "--expect", last)
    drop_audit_triggers(connection)
    AuditEntry.objects.order_by("-sequence").first().delete()
    assert "follows" in run("verify_audit"), "a cut tail leaves a chain that fits"
    with pytest.raises(CommandError, match="cut off"):
        run("verify_audit", "--expect", last)


def test_a_creation_that_was_not_finished_goes_on_with_its_id_and_writes_the_kit(
    connect, admin, sandbox, tmp_path, capsys
):
    connect()
    run("adopt_resource_server", "--pool", "prod", "--identifier", "orders", "--actor", ADMIN)
    run("create_tenant", "--slug", "northwind", "--name", "Northwind", "--actor", ADMIN)
    kit = tmp_path / "kit.sh"
    client = ("create_client", "--pool", "prod", "--tenant", "northwind", "--name", "n", "--scope", "orders/read",
              "--actor", ADMIN, "--kit", str(kit))  # fmt: skip
    sandbox.fault("CreateUserPoolClient", "throttle")
    with pytest.raises(SystemExit) as ended:
        run(*client)
    told = capsys.readouterr().err
    assert ended.value.code == 75 and "nothing is created twice" in told and not kit.exists()
    operation = Operation.objects.get(kind="client:create")
    assert operation.pk in told
    Operation.objects.update(next_try_at=timezone.now())
    assert resume_due() == 1
    run(*client, "--operation-id", operation.pk)
    assert "cps_prod_" in kit.read_text() and AppClient.objects.count() == 1
