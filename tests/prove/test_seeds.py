"""Random plans of acts, faults and workers; each is replayed by its seed: PROVE_PLAN=<seed>."""

import os
import random

import pytest

from clients.errors import PortalError
from clients.models import AppClient
from clients.models.ids import new_ulid
from clients.services import app_clients, attributes
from tests.prove import harness

PLANS = 40
CALLS = [*harness.REMOTE_CALL.values(), "DescribeUserPoolClient", "ListUserPoolClients"]
FAULTS = ["lose_answer", "drop", "throttle", "error_500"]
SCOPES = ["orders/read", "orders/write", "shipments/read", "shipments/track"]


def seeds():
    if "PROVE_PLAN" in os.environ:
        return [int(os.environ["PROVE_PLAN"])]
    share, commit = int(os.environ.get("PROVE_SHARE", "1")), os.environ.get("PROVE_COMMIT", "0")
    first = random.Random(commit).randrange(10**6)
    return [first + number for number in range(max(1, PLANS // share))]


def one_act(world, chance, number):
    """Something a person or the worker does; a refusal is a fine answer."""
    actor = world.people["operator"]
    existing = list(AppClient.objects.select_related("pool", "tenant"))
    kind = chance.choice(["create", "create", "scopes", "settings", "attributes", "worker"])
    if kind == "worker":
        harness.drain()
    elif kind == "create" or not existing:
        tenant = chance.choice(list(world.tenants.values()))
        world.create(tenant=tenant, name=f"c{number}", scopes=chance.sample(SCOPES, chance.randint(1, 3)))
    else:
        app_client = chance.choice(existing)
        form = {"actor": actor, "generation": app_client.generation - (chance.random() < 0.2)}
        if kind == "scopes":
            wanted = chance.sample(SCOPES, chance.randint(1, 4))
            app_clients.change_scopes(app_client, operation_id=new_ulid(), scopes=wanted, **form)
        elif kind == "settings":
            app_clients.change_settings(
                app_client, operation_id=new_ulid(), name=f"r{number}", access_token_seconds=chance.choice([300, 3600, 86400]),
                contact=None, notes="", **form,
            )  # fmt: skip
        else:
            attributes.change_attributes(
                app_client, operation_id=new_ulid(), values={"rate_limit": str(chance.randint(1, 999))}, **form
            )


@pytest.mark.parametrize("seed", seeds())
def test_random_plan(world, seed):
    chance = random.Random(seed)
    for number in range(12):
        if chance.random() < 0.5:
            world.sandbox.fault(chance.choice(CALLS), chance.choice(FAULTS), times=chance.randint(1, 2))
        try:
            one_act(world, chance, number)
        except PortalError:
            pass  # refused in plain words; what must hold is checked below
    world.sandbox.clear()
    harness.reconcile()
    assert harness.is_settled() and harness.broken_invariants(world) == []
    world.sandbox.clear()
    harness.reconcile()
    assert world.sandbox.writes() == []
