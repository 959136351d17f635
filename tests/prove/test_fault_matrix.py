"""Every step of every operation × every fault, with a really killed process (failure_model.md sections 2 to 4)."""

import pytest
from django.core.management import call_command

from clients.models import AppClient, Operation, OperationState, Secret
from clients.services import operations
from clients.services.secrets import open_for_cognito
from tests.prove import harness
from tests.prove.processes import KILLED


def test_every_step_of_the_engine_has_its_faults():
    steps = {(kind, step.name) for kind, steps in operations.KINDS.items() for step in steps}
    assert steps == set(harness.REMOTE_CALL)


@pytest.mark.parametrize("case", harness.chosen(harness.all_cases()), ids=str)
def test_fault(lasting_world, case, capsys):
    world = lasting_world
    harness.prepare(world, case.kind)
    code = harness.run_case(world, case)
    assert code == (KILLED if case.fault.startswith("die") else 0)

    harness.reconcile()
    assert harness.is_settled(), Operation.objects.values_list("kind", "state", "step", "last_error", "technical")
    assert set(Operation.objects.values_list("state", flat=True)) == {OperationState.DONE}, "what was wanted came true"
    assert AppClient.objects.count() == 1 and Secret.objects.count() == 1 + case.kind.startswith("secret:")
    assert harness.broken_invariants(world) == []
    call_command("dumpdata", "clients")
    values = [open_for_cognito(secret).reveal() for secret in Secret.objects.exclude(sealed_value=None)]
    assert values or case.kind in ("client:delete", "secret:finish", "secret:cancel")
    assert harness.plaintext_in_database(values, capsys.readouterr().out) == []

    world.sandbox.clear()
    harness.reconcile()
    assert world.sandbox.writes() == [] and world.sandbox.calls() != []
