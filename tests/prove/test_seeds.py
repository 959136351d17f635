"""Random plans of acts, faults and workers; each is replayed by its seed: PROVE_PLAN=<seed>."""

import os
import random

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from clients.errors import Conflict, PortalError
from clients.models import AppClient, AuditEntry, Rotation, Secret, Tenant
from clients.models.ids import new_ulid
from clients.services import (
    attributes,
    client_changes,
    client_states,
    evidence,
    operations,
    revocations,
    rotations,
    secrets,
)
from tests.prove import harness

PLANS = 300
CALLS = [*harness.REMOTE_CALL.values(), "DescribeUserPoolClient", "ListUserPoolClients", "ListUserPoolClientSecrets"]
FAULTS = ["lose_answer", "drop", "throttle", "error_500"]
SCOPES = ["orders/read", "orders/write", "shipments/read", "shipments/track"]


def seeds():
    if "PROVE_PLAN" in os.environ:
        return [int(os.environ["PROVE_PLAN"])]
    share, commit = int(os.environ.get("PROVE_SHARE", "1")), os.environ.get("PROVE_COMMIT", "0")
    first = random.Random(commit).randrange(10**6)
    return [first + number for number in range(max(1, PLANS // share))]


class Killed(BaseException):
    """As `kill -9` at a named point: nothing of ours catches it, transactions roll back, what is committed stays."""


class Plan:
    """What a person, the worker or somebody at the console does next; a refusal is a fine answer."""

    def __init__(self, world, chance):
        self.world, self.chance = world, chance
        self.shown, self.in_console = [], {}  # endings of values handed out; client id → what the console last set

    def act(self, number):
        acts = [self.create, self.scopes, self.settings, self.attributes, self.states, self.reveal, self.tenant_values,
                self.define, self.console_edit, self.console_client, self.worker, self.rotate, self.end, self.extend,
                self.store, self.leak]  # fmt: skip
        chosen = self.chance.choice([*acts, self.create, self.scopes, self.rotate, self.end, self.reveal])
        needs_a_client = chosen not in (self.create, self.define, self.tenant_values, self.console_client, self.worker)
        (self.create if needs_a_client and not AppClient.objects.exists() else chosen)(number)

    def some_client(self):
        return self.chance.choice(list(AppClient.objects.select_related("pool", "tenant").order_by("pk")))

    def form(self, app_client):
        """Now and then one that saw an older state."""
        generation = app_client.generation - (self.chance.random() < 0.2)
        return {"actor": self.world.people["operator"], "operation_id": new_ulid(), "generation": generation}

    def create(self, number):
        tenant, scopes = self.chance.choice(list(self.world.tenants.values())), self.chance.sample(SCOPES, 2)
        self.world.create(tenant=tenant, name=f"c{number}", scopes=scopes)

    def scopes(self, number):
        app_client, wanted = self.some_client(), self.chance.sample(SCOPES, self.chance.randint(1, 4))
        client_changes.change_scopes(app_client, scopes=wanted, **self.form(app_client))

    def settings(self, number):
        app_client, seconds = self.some_client(), self.chance.choice([300, 3600, 86400])
        client_changes.change_settings(
            app_client, name=f"r{number}", access_token_seconds=seconds, contact=None, notes="", **self.form(app_client)
        )

    def attributes(self, number):
        app_client, values = self.some_client(), {"rate_limit": str(self.chance.randint(1, 999))}
        attributes.change_attributes(app_client, values=values, **self.form(app_client))

    def states(self, number):
        acts = [client_states.pause_client, client_states.resume_client, client_states.delete_client]
        said = {"actor": self.world.people["operator"], "operation_id": new_ulid(), "reason": "a plan"}
        self.chance.choice(acts)(self.some_client(), **said)

    def reveal(self, number):
        secret = self.chance.choice(list(Secret.objects.select_related("app_client").order_by("pk")))
        value = secrets.reveal_secret(secret, actor=self.world.people["operator"])
        self.shown.append((secret.pk, value.ending))

    def some_rotation(self):
        rows = Rotation.objects.select_related("app_client__tenant", "app_client__pool", "old_secret", "new_secret")
        found = list(rows.order_by("pk"))
        if not found:
            raise Conflict("No rotation yet.")
        return self.chance.choice(found)

    def rotate(self, number):
        said = {"actor": self.world.people["support"], "operation_id": new_ulid()}
        rotations.start_rotation(self.some_client(), overlap_hours=self.chance.choice([1, 24, 720]), **said)

    def end(self, number):
        """Finished on evidence or without, or cancelled."""
        rotation, said = self.some_rotation(), {"actor": self.world.people["operator"], "operation_id": new_ulid()}
        act = self.chance.choice([rotations.finish_rotation, rotations.cancel_rotation])
        gone = rotation.old_secret if act is rotations.finish_rotation else rotation.new_secret or rotation.old_secret
        act(rotation, typed=gone.ending, reason="a plan", **said)

    def extend(self, number):
        rotations.extend_overlap(self.some_rotation(), hours=24, actor=self.world.people["manager"])

    def store(self, number):
        secret = self.chance.choice(list(Secret.objects.select_related("app_client").order_by("pk")))
        evidence.mark_stored(secret, actor=self.world.people["manager"])

    def leak(self, number):
        secret = self.chance.choice(list(Secret.objects.select_related("app_client__pool").order_by("pk")))
        said = {"actor": self.world.people["support"], "operation_id": new_ulid(), "reason": "a plan"}
        stop = self.chance.random() < 0.5
        revocations.revoke_secret(secret, typed=secret.ending, stop_now=stop, **said)

    def tenant_values(self, number):
        tenant = self.chance.choice(list(Tenant.objects.order_by("pk")))
        values = {"tier": self.chance.choice(["silver", "gold"]), "rate_limit": str(self.chance.randint(1, 99))}
        generation = tenant.generation - (self.chance.random() < 0.2)
        admin = self.world.people["administrator"]
        attributes.set_tenant_values(tenant, actor=admin, generation=generation, values=values)

    def define(self, number):
        admin, default = self.world.people["administrator"], self.chance.choice([None, f"d{number}"])
        attributes.define_attribute(actor=admin, claim_name=f"claim_{number}", type="string", default=default)

    def console_edit(self, number):
        """A field that is not ours: it has to outlive every change of ours."""
        client_id, days = self.some_client().client_id, self.chance.randint(1, 90)
        if client_id not in {c["ClientId"] for c in self.world.remote_clients()}:
            return
        there = self.world.describe(client_id)
        kept = {k: v for k, v in there.items() if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}
        self.world.cognito.update_user_pool_client(**kept | {"RefreshTokenValidity": days})
        self.in_console[client_id] = days

    def console_client(self, number):
        """A client of somebody else: reported, never touched."""
        pool = self.world.pool.user_pool_id
        made = self.world.cognito.create_user_pool_client(UserPoolId=pool, ClientName=f"by hand {number}")
        self.in_console[made["UserPoolClient"]["ClientId"]] = 30  # Cognito's own default, in days

    def worker(self, number):
        harness.drain()

    def killed(self, number, points):
        """The same, and the process dies at the n-th named point it comes by."""
        left = [points]

        def crash(point):
            left[0] -= 1
            if left[0] == 0:
                raise Killed(point)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operations, "crash", crash)
            try:
                self.act(number)
            except Killed:
                pass

    def broken(self):
        """What the harness finds, and what only the plan knows: what was handed out, and what the console set."""
        there = {c["ClientId"]: c.get("RefreshTokenValidity", 30) for c in self.world.remote_clients()}
        gone = set(AppClient.objects.filter(status="deleted").values_list("client_id", flat=True))
        kept = {cid: days for cid, days in self.in_console.items() if cid not in gone}
        found = harness.broken_invariants(self.world)
        found += [
            f"I8: the console's {days} days of {cid} are gone" for cid, days in kept.items() if there.get(cid) != days
        ]
        if len({pk for pk, _ in self.shown}) != len(self.shown):
            found.append(f"I3: shown twice: {self.shown}")
        if AuditEntry.objects.filter(action="secret:show").count() != len(self.shown):
            found.append(f"I6: {len(self.shown)} shown, the trail says something else")
        return found


@pytest.mark.parametrize("seed", seeds())
def test_random_plan(world, seed):
    chance = random.Random(seed)
    plan = Plan(world, chance)
    for number in range(12):
        if chance.random() < 0.5:
            world.sandbox.fault(chance.choice(CALLS), chance.choice(FAULTS), times=chance.randint(1, 2))
        try:
            if chance.random() < 0.2:
                plan.killed(number, points=chance.randint(1, 6))
            else:
                plan.act(number)
        except (PortalError, ClientError, BotoCoreError):
            pass  # refused in plain words, or the console met the fault; what must hold is checked below
    world.sandbox.clear()
    harness.reconcile()
    assert harness.is_settled() and plan.broken() == []
    world.sandbox.clear()
    harness.reconcile()
    assert world.sandbox.writes() == []
