"""Every step of every operation × every fault, with a really killed process (failure_model.md sections 2 to 4)."""

import hashlib
import os

import pytest
from django.core.management import call_command
from django.db import connection

from clients.models import AppClient, Operation, Secret
from clients.services import operations
from clients.services.secrets import open_for_cognito
from tests.prove import harness


def chosen(cases):
    """All of them, or the tenth that PROVE_SHARE and the commit choose."""
    share, seed = int(os.environ.get("PROVE_SHARE", "1")), os.environ.get("PROVE_COMMIT", "0")
    picked = [c for c in cases if int(hashlib.sha256(f"{seed}{c}".encode()).hexdigest(), 16) % share == 0]
    return picked or cases[:1]


def test_every_step_of_the_engine_has_its_faults():
    steps = {(kind, step.name) for kind, steps in operations.KINDS.items() for step in steps}
    assert steps == set(harness.REMOTE_CALL)


def database_url() -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    s = connection.settings_dict
    return f"postgres://{s['USER']}:{s['PASSWORD']}@{s['HOST'] or '127.0.0.1'}:{s['PORT']}/{s['NAME']}"


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0
    settings.COGNITO_WRITES_PER_SECOND = 0


@pytest.mark.parametrize("case", chosen(harness.all_cases()), ids=str)
def test_fault(lasting_world, case, capsys):
    world = lasting_world
    harness.prepare(world, case.kind)
    code = harness.run_case(world, case, database_url())
    assert code == (137 if case.fault.startswith("die") else 0)

    harness.reconcile()
    assert harness.is_settled(), Operation.objects.values_list("kind", "state", "step", "last_error", "technical")
    assert AppClient.objects.count() == 1 and Secret.objects.count() == 1
    assert harness.broken_invariants(world) == []
    secret = Secret.objects.get()
    call_command("dumpdata", "clients")
    values = [open_for_cognito(secret).reveal()] if secret.sealed_value else []
    assert values or case.kind == "client:delete"
    assert harness.plaintext_in_database(values, capsys.readouterr().out) == []

    world.sandbox.clear()
    harness.reconcile()
    assert world.sandbox.writes() == [] and world.sandbox.calls() != []
