"""F9 for secrets: every unordered pair of what is done with them, of what ends a client and of a change of its scopes,
at once on one client."""

import base64
import os
from itertools import combinations_with_replacement

import pytest

from clients.models import AppClient, Handover, Operation, Rotation, RotationState, Secret, SecretState, Status
from tests.prove import harness
from tests.prove.processes import acting, together

# Acts by what is there before: one secret that was delivered; the same of a paused client; a rotation whose new secret
# nobody saw yet, somebody was shown, is in use.
BEFORE = {
    "one": "secret:rotate", "paused": "client:resume", "unseen": "secret:cancel", "shown": "stored",
    "two": "secret:finish",
}  # fmt: skip
ACTS = {
    "one": (
        "secret:rotate", "secret:revoke", "client:pause", "client:delete", "client:change", "bulk", "lifetime",
        "postpone", "rotate keys",
    ),
    "unseen": (
        "hand over", "reveal", "secret:cancel", "extend", "secret:revoke", "client:pause", "client:delete", "rotate keys",
    ),
    "shown": ("stored", "secret:finish", "secret:cancel", "revoke newest", "client:delete"),
    "paused": ("client:resume", "secret:revoke", "client:delete"),
    "two": (
        "secret:finish", "secret:cancel", "extend", "secret:revoke", "revoke newest", "client:pause", "client:delete",
        "client:change",
    ),
}  # fmt: skip
PAIRS = [(before, *pair) for before, acts in ACTS.items() for pair in combinations_with_replacement(acts, 2)]
PAIRS.remove(("shown", "secret:finish", "secret:finish"))  # without evidence neither may
REFUSALS = {"conflict", "invalid", "already_shown"}


@pytest.mark.parametrize("case", harness.chosen(PAIRS), ids="+".join)
def test_two_at_once_leave_one_truth(lasting_world, case, settings, monkeypatch):
    world, (before, *pair) = lasting_world, case
    harness.prepare(world, BEFORE[before])
    if "rotate keys" in pair:  # a newer key stands in front, for every process
        settings.SEALING_KEYS = f"newer:{base64.b64encode(os.urandom(32)).decode()},{settings.SEALING_KEYS}"
        monkeypatch.setenv("SEALING_KEYS", settings.SEALING_KEYS)
    world.sandbox.clear()
    for call in ("AddUserPoolClientSecret", "DeleteUserPoolClientSecret", "PutItem", "UpdateUserPoolClient"):
        world.sandbox.fault(call, "slow", seconds=0.3)  # so that the first is at it when the second comes

    answers = together(*[acting(world, act) for act in pair])

    assert "done" in answers and set(answers) <= REFUSALS | {"done"}, answers
    harness.reconcile()
    assert harness.is_settled(), list(Operation.objects.live()) + list(Rotation.objects.under_way())
    assert harness.broken_invariants(world) == []
    acted = [act for act, answer in zip(pair, answers, strict=True) if answer == "done"]
    assert_came_true(world, acted)
    world.sandbox.clear()
    harness.reconcile()
    assert [call for call in world.sandbox.writes() if call != "Token"] == []


def world_flow(world, app_client):
    return world.describe(app_client.client_id).get("AllowedOAuthFlowsUserPoolClient", False)


def assert_came_true(world, acted):
    """What was said to be done stands; of two that exclude each other one was refused."""
    app_client, first = AppClient.objects.get(), Secret.objects.order_by("pk").first()
    alive = list(app_client.secrets.alive())
    for handover in Handover.objects.open().select_related("secret"):
        assert handover.secret.can_be_shown, "nobody waits for what can be shown no more"
    if "client:delete" in acted and app_client.status == Status.DELETED:
        assert alive == [] and not Rotation.objects.under_way().exists()
        return
    assert all(secret.state != SecretState.PENDING for secret in alive)
    if "rotate keys" in acted:
        assert {secret.sealing_key_id for secret in alive if secret.sealed_value} <= {"newer"}
    if {"stored", "reveal"} & {*acted}:
        assert all(secret.delivered_at for secret in Secret.objects.all())
    assert not ({"secret:finish", "secret:cancel"} <= {*acted})
    if {"secret:revoke", "secret:finish"} & {*acted}:
        assert first.state == SecretState.RETIRED
    if "revoke newest" in acted:
        assert Secret.objects.order_by("pk")[1].state == SecretState.RETIRED
    if "secret:cancel" in acted and "revoke newest" not in acted:
        assert Rotation.objects.order_by("pk").first().state == RotationState.CANCELLED
    if app_client.status != Status.PAUSED:
        assert world_flow(world, app_client)
    assert (app_client.status == Status.ROTATING) == (len(alive) == 2 and app_client.status != Status.PAUSED)
