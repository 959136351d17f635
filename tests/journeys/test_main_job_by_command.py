"""The main job by command line: create a client, run its kit with the real bash and curl, get that tenant's rows."""

import json
import re
import stat

import pytest
from django.core.management import CommandError, call_command

from clients.models import AppClient, AuditEntry
from clients.services.audit import first_broken_entry
from tests.journeys.kits import payload, rows_in, run, table_rows


def create(tmp_path, capsys, tenant, *more, actor="operator@portal.example", name="orders-prod"):
    kit = tmp_path / f"{tenant}.sh"
    call_command(
        "create_client", "--pool", "demo", "--tenant", tenant, "--name", name, "--scope", "orders/read",
        "--attribute", "rate_limit=120", "--actor", actor, "--kit", str(kit), "--json", *more,
    )  # fmt: skip
    return kit, json.loads(capsys.readouterr().out)


def test_kit_of_each_tenant_gets_its_own_rows_and_no_others(harbourline, tmp_path, capsys):
    for tenant in ("northwind", "acme-robotics"):
        kit, result = create(tmp_path, capsys, tenant)
        assert stat.S_IMODE(kit.stat().st_mode) == 0o600
        [secret] = set(re.findall(r"cps_demo_[0-9A-Za-z]{49}", kit.read_text()))
        assert secret not in json.dumps(result) and result["status"] == "active"

        done = run(kit, tmp_path)
        assert done.returncode == 0, done.stderr
        expected = table_rows(harbourline, tenant)
        assert len(expected) >= 3 and rows_in(done.stdout) == expected

        claims_seen = payload(run(kit, tmp_path, "--token-only").stdout.strip())
        assert (claims_seen["tenant_id"], claims_seen["tier"], claims_seen["rate_limit"]) == (tenant, "gold", 120)
        assert claims_seen["client_id"] == claims_seen["sub"] == result["client_id"]
    assert first_broken_entry() is None


def change_document(sandbox, client_id, claims_text):
    """Writes the claims table as an intruder or an accident would, with a fitting digest."""
    from clients.aws.claims_table import Document

    document = Document(client_id, 99, "active", claims_text)
    item = {"client_id": {"S": client_id}, "version": {"N": "99"}, "state": {"S": "active"}, "claims": {"S": claims_text},
            "digest": {"S": document.digest}}  # fmt: skip
    sandbox.aws("dynamodb").put_item(TableName="claims", Item=item)


def restart_trigger(sandbox):
    """A new Lambda worker: its document cache is empty."""
    lambdas = sandbox.aws("lambda")
    name = lambdas.list_functions()["Functions"][0]["FunctionName"]
    environment = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    lambdas.update_function_configuration(
        FunctionName=name, Environment={"Variables": environment | {"CACHE_SECONDS": "0"}}
    )


def test_claim_taken_away_is_unauthorized_and_swapped_tenant_swaps_rows(harbourline, tmp_path, capsys):
    kit, result = create(tmp_path, capsys, "northwind")
    restart_trigger(harbourline)

    change_document(harbourline, result["client_id"], '{"tenant_id":"acme-robotics"}')
    swapped = run(kit, tmp_path, "--fresh")
    assert rows_in(swapped.stdout) == table_rows(harbourline, "acme-robotics")

    change_document(harbourline, result["client_id"], '{"tier":"gold"}')
    without = run(kit, tmp_path, "--fresh")
    assert without.returncode != 0 and rows_in(without.stdout) == []
    assert "nauthorized" in without.stdout + without.stderr


def test_create_client_refuses_a_kit_file_that_exists(harbourline, tmp_path, capsys):
    (tmp_path / "northwind.sh").write_text("mine")
    with pytest.raises(CommandError, match="does not exist yet"):
        create(tmp_path, capsys, "northwind")
    assert (tmp_path / "northwind.sh").read_text() == "mine" and not AppClient.objects.exists()


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ("support@portal.example", "may not create"),
        ("left@portal.example", "no active person"),
        ("who@x.example", "no active"),
    ],
)
def test_create_client_refuses_people_who_may_not(harbourline, tmp_path, capsys, actor, words):
    with pytest.raises(CommandError, match=words):
        create(tmp_path, capsys, "northwind", actor=actor)
    assert not AppClient.objects.exists() and not list(tmp_path.iterdir())


def test_create_client_bad_input_names_the_field_and_leaves_no_file(harbourline, tmp_path, capsys):
    with pytest.raises(CommandError, match="name: Cognito does not accept ü"):
        create(tmp_path, capsys, "northwind", name="münchen")
    assert not AppClient.objects.exists() and not list(tmp_path.iterdir())


def test_create_client_by_command_is_audited_with_the_one_who_typed(harbourline, tmp_path, capsys):
    create(tmp_path, capsys, "northwind")
    entry = AuditEntry.objects.filter(action="client:create").first()
    assert entry.via.startswith("command line, OS user") and entry.actor.email == "operator@portal.example"
    shown = AuditEntry.objects.get(action="secret:show")
    assert "cps_" not in json.dumps(shown.detail)


def test_create_client_that_waits_keeps_its_secret_sealed_and_writes_no_kit(harbourline, tmp_path, capsys):
    harbourline.fault("CreateUserPoolClient", "throttle")
    with pytest.raises(SystemExit) as ended:
        create(tmp_path, capsys, "northwind")
    result = json.loads(capsys.readouterr().out)
    assert ended.value.code == 75 and result["status"] == "creating" and result["kit"] is None
    assert not (tmp_path / "northwind.sh").exists()
    assert AppClient.objects.get().secrets.get().sealed_value is not None
