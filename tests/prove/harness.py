"""One fault, one fresh company, a really killed process, a worker that goes on, then the invariants."""

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import AlreadyShown, PortalError
from clients.management.commands.worker import JOBS
from clients.models import (
    UNDER_WAY,
    AppClient,
    AuditEntry,
    Operation,
    OperationState,
    Outcome,
    Rotation,
    RotationState,
    Secret,
    Status,
    UserPool,
)
from clients.models.ids import new_ulid
from clients.sealing import SecretValue
from clients.services import client_states, evidence, operations, pool_sync, rotations, secrets
from clients.services.audit import first_broken_entry
from clients.services.secret_steps import accepts
from tests.prove import processes
from tests.support import World

# What the sandbox receives in each step; the matrix is enumerated from the engine's own step list, so a new step
# without a line here is a red test.
REMOTE_CALL = {
    ("client:create", "create"): "CreateUserPoolClient",
    ("client:create", "list-secrets"): "ListUserPoolClientSecrets",
    ("client:create", "publish"): "PutItem",
    ("client:create", "settle"): "ListUserPoolClients",
    ("client:change", "update"): "UpdateUserPoolClient",
    ("client:attributes", "publish"): "PutItem",
    ("client:pause", "deny"): "PutItem",
    ("client:pause", "look"): "DescribeUserPoolClient",
    ("client:pause", "take-flow"): "UpdateUserPoolClient",
    ("client:resume", "give-flow"): "UpdateUserPoolClient",
    ("client:resume", "publish"): "PutItem",
    ("client:delete", "deny"): "PutItem",
    ("client:delete", "delete"): "DeleteUserPoolClient",
    ("client:delete", "tombstone"): "PutItem",
    ("secret:rotate", "add"): "AddUserPoolClientSecret",
    ("secret:rotate", "test"): "Token",
    ("secret:finish", "remove"): "DeleteUserPoolClientSecret",
    ("secret:cancel", "remove"): "DeleteUserPoolClientSecret",
    ("secret:revoke", "deny"): "PutItem",
    ("secret:revoke", "look"): "DescribeUserPoolClient",
    ("secret:revoke", "take-flow"): "UpdateUserPoolClient",
    ("secret:revoke", "compare"): "ListUserPoolClientSecrets",
    ("secret:revoke", "add"): "AddUserPoolClientSecret",
    ("secret:revoke", "remove"): "DeleteUserPoolClientSecret",
    ("secret:revoke", "add-after"): "AddUserPoolClientSecret",
    ("secret:revoke", "test"): "Token",
    ("resource_server:create", "create"): "CreateResourceServer",
    ("resource_server:change", "update"): "UpdateResourceServer",
    ("resource_server:delete", "delete"): "DeleteResourceServer",
}
FAULTS = ("die_before", "die_after", "lose_answer", "drop", "throttle", "error_500", "die_recorded")


@dataclass(frozen=True)
class Case:
    kind: str
    step: str
    fault: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.step}-{self.fault}"


def all_cases() -> list[Case]:
    return [Case(kind, s.name, fault) for kind, steps in operations.KINDS.items() for s in steps for fault in FAULTS]


def chosen(cases: list[Any]) -> list[Any]:
    """All of them, or the tenth that PROVE_SHARE and the commit choose."""
    share, seed = int(os.environ.get("PROVE_SHARE", "1")), os.environ.get("PROVE_COMMIT", "0")
    picked = [c for c in cases if int(hashlib.sha256(f"{seed}{c}".encode()).hexdigest(), 16) % share == 0]
    return picked or cases[:1]


def run_case(world: World, case: Case) -> int:
    """Sets the fault and runs the act in a process of its own, which may kill itself. Returns its exit code.

    The step that settles a creation has something to do only after a lost answer, so it meets its fault in the worker.
    """
    fault = None if case.fault.startswith("die") else case.fault
    act = processes.acting(world, case.kind)
    if case.step == "settle":
        world.sandbox.fault("CreateUserPoolClient", "lose_answer")
        processes.run(act)
        let_time_pass()
    if fault:
        first_look = 1 if case.step == "settle" else 0
        world.sandbox.fault(REMOTE_CALL[case.kind, case.step], fault, skip=first_look)
    return processes.run(processes.WORKER if case.step == "settle" else act, crash=crash_at(case))


def prepare(world: World, kind: str) -> None:
    """What the act needs to be there: a client, and for resuming one that is paused."""
    if kind == "client:create":
        return
    app_client, said = world.create(), {"actor": world.people["operator"]}
    if kind == "client:resume":
        client_states.pause_client(app_client, operation_id=new_ulid(), reason="holidays", **said)
    if kind.startswith("secret:"):
        secrets.reveal_secret(app_client.secrets.get(), **said)
    if kind == "stored":
        secrets.reveal_secret(app_client.secrets.get(), **said)
    if kind in ("secret:finish", "secret:cancel", "stored"):
        rotations.start_rotation(app_client, operation_id=new_ulid(), overlap_hours=24, **said)
    if kind in ("secret:finish", "stored"):
        new = Secret.objects.select_related("app_client").latest("pk")
        secrets.reveal_secret(new, **said)
    if kind == "secret:finish":
        evidence.mark_stored(new, actor=world.people["manager"])


def crash_at(case: Case) -> str:
    points = {"die_before": "calling", "die_after": "answered", "die_recorded": "recorded"}
    return f"{points[case.fault]}:{case.kind}:{case.step}" if case.fault in points else ""


def let_time_pass() -> None:
    """As if leases had run out and waits were over: what a worker finds later."""
    past = timezone.now() - timedelta(minutes=10)
    Operation.objects.live().update(lease_until=past, next_try_at=past, step_started_at=past)
    Rotation.objects.update(next_try_at=past)
    UserPool.objects.update(lease_until=0, next_write_at=0)


def drain(rounds: int = 20) -> None:
    """The worker, until nothing is due any more however much time passes."""
    for _ in range(rounds):
        let_time_pass()
        AppClient.objects.update(publish_after=None)
        if not sum(job() for job in JOBS):
            return
    left = list(Operation.objects.live().values_list("kind", "step", "attempts", "last_error_code", "technical"))
    raise AssertionError(f"The worker does not come to an end: {left}, unpublished {AppClient.objects.unpublished()}")


def reconcile() -> None:
    """Everything the worker does of itself: what is due, then comparing every client with Cognito."""
    drain()
    AppClient.objects.update(observe_after=None)
    UserPool.objects.update(compared_at=None)
    pool_sync.compare_due()
    while pool_sync.observe_due():
        pass


def broken_invariants(world: World) -> list[str]:
    """Sentences for every invariant of failure_model.md section 3 that does not hold.

    I3 needs people who ask at once: `shown_twice`. I9 needs the plain values: `plaintext_in_database`.
    """
    ours = {c.client_id: c for c in AppClient.objects.present().exclude(client_id=None)}
    remote = {c["ClientId"]: c for c in world.remote_clients()}
    world.pool.refresh_from_db()
    reported = {item["client_id"] for item in world.pool.foreign_clients if not item["ours"]}  # made in the console
    found = [f"I1: {cid} is in Cognito and nobody knows it" for cid in remote.keys() - ours.keys() - reported]
    found += [f"I1: {cid} is missing in Cognito" for cid in ours.keys() - remote.keys()]
    found += _servers_that_differ(world)
    found += _secrets_lost(world, ours, remote)
    found += _audit_gaps()
    found += _unpublished(world)
    for cid, app_client in ours.items():
        if app_client.drift:
            found.append(f"I8: {app_client} differs in Cognito: {app_client.drift}")
        scopes = sorted(app_client.scopes.values_list("full_name", flat=True))
        if cid in remote and sorted(remote[cid].get("AllowedOAuthScopes", [])) != scopes:
            found.append(f"I8: {app_client} has other scopes in Cognito")
    return found


def _unpublished(world: World) -> list[str]:
    """I7: the table holds the model's version, as a denial for a paused client and as a tombstone for a deleted one."""
    found = []
    for app_client in AppClient.objects.exclude(client_id=None):
        wanted = app_client.status if app_client.status in (Status.PAUSED, Status.DELETED) else "active"
        item = world.document(str(app_client.client_id))
        there = item and (int(item["version"]["N"]), item["state"]["S"])
        if there != (app_client.document_version, wanted) or not app_client.is_published:
            found.append(f"I7: {app_client} is not published as {wanted} at version {app_client.document_version}")
    return found


def _secrets_lost(world: World, ours: dict[Any, AppClient], remote: dict[str, Any]) -> list[str]:
    found = []
    for cid, app_client in ours.items():
        if cid not in remote:
            continue  # missing, which is said above
        listed = world.cognito.list_user_pool_client_secrets(UserPoolId=world.pool.user_pool_id, ClientId=cid)
        ids = {item["ClientSecretId"] for item in listed["ClientSecrets"]}
        known = Secret.objects.alive().filter(app_client=app_client)
        if len(ids) > 2 or len(known) > 2:
            found.append(f"I5: {app_client} has {len(ids)} secrets in Cognito and {len(known)} here")
        if {s.cognito_secret_id for s in known} != ids:
            found.append(f"I2: {app_client} has secrets in Cognito that we do not know")
        for secret in known.undelivered():
            if not secret.sealed_value or not accepts(app_client, secret):
                found.append(f"I2: the sealed value of {app_client} is not the one Cognito accepts")
        found += _nothing_delivered(app_client, ids)
    return found


def _nothing_delivered(app_client: AppClient, ids: set[str]) -> list[str]:
    """I4: whoever was once shown a secret of this client still holds one that is there, but for an emergency."""
    shown = Secret.objects.filter(app_client=app_client, delivered_at__isnull=False)
    if not shown.exists() or Rotation.objects.filter(app_client=app_client, is_emergency=True).exists():
        return []
    works = any(secret.cognito_secret_id in ids for secret in shown.alive())
    return [] if works else [f"I4: nothing that was delivered of {app_client} works any more"]


def _servers_that_differ(world: World) -> list[str]:
    """I1 and I8 for the catalogue: the same resource servers with the same scopes here and there."""
    gateway = Gateway(world.pool.region, world.pool.user_pool_id)
    there = {s["Identifier"]: {i["ScopeName"]: i["ScopeDescription"] for i in s.get("Scopes", [])}
             for s in gateway.list_resource_servers()}  # fmt: skip
    here = {s.identifier: dict(s.scopes.values_list("name", "description")) for s in world.pool.resource_servers.all()}
    return [f"I8: resource server {name} differs" for name in sorted(there.keys() | here.keys())
            if there.get(name) != here.get(name)]  # fmt: skip


def _audit_gaps() -> list[str]:
    found = []
    broken = first_broken_entry()
    if broken:
        found.append(f"I6: {broken[1]}")
    for operation in Operation.objects.all():
        story = list(
            AuditEntry.objects.filter(operation_id=operation.pk, action=operation.kind)
            .order_by("sequence")
            .values_list("outcome", flat=True)
        )
        if story.count(Outcome.STARTED) != 1 or story[:1] != [Outcome.STARTED]:
            found.append(f"I6: {operation} has no single start: {story}")
        if not operation.is_live and story[-1] not in (Outcome.OK, Outcome.FAILED):
            found.append(f"I6: {operation} ended without an entry: {story}")
        was_given_up = operation.state == OperationState.GIVEN_UP  # said so: nobody looked any more
        if story.count(Outcome.UNKNOWN) > story.count(Outcome.RESOLVED) and not operation.is_live and not was_given_up:
            found.append(f"I6: {operation} was unknown and never resolved: {story}")
    return found


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Runs the acts in threads that start together; what each returned or was refused with."""
    results: list[Any] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(number: int, act: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = act()
        except PortalError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def shown_twice(world: World, secret: Secret, *, rounds: int = 5, people: int = 6) -> list[str]:
    """I3, and I6 of revealing: in every round `people` ask our service for the same value at once; one gets it, the
    others are told so, the trail holds one entry and the sealed copy is gone. Needs a committed database."""
    sealed = Secret.objects.filter(pk=secret.pk).values("sealed_value", "sealing_key_id", "delivered_at").get()
    shows, found = AuditEntry.objects.filter(action="secret:show"), []
    fresh = Secret.objects.select_related("app_client")
    for number in range(rounds):
        Secret.objects.filter(pk=secret.pk).update(**sealed)
        earlier, asking = shows.count(), [fresh.get(pk=secret.pk) for _ in range(people)]
        # `row=row`: each thread its own, as each request has.
        acts = [lambda row=row: secrets.reveal_secret(row, actor=world.people["operator"]) for row in asking]
        answers = at_once(*acts)
        shown = sum(isinstance(answer, SecretValue) for answer in answers)
        if shown != 1:
            found.append(f"I3: round {number}: the secret was shown {shown} times")
        if sum(isinstance(answer, AlreadyShown) for answer in answers) != people - shown:
            found.append(f"I3: round {number}: not everybody was answered: {answers}")
        if Secret.objects.filter(pk=secret.pk, sealed_value__isnull=False).exists():
            found.append(f"I3: round {number}: the sealed copy outlived its showing")
        if shows.count() - earlier != shown:
            found.append(f"I6: round {number}: {shown} shown, {shows.count() - earlier} entries")
    return found


def plaintext_in_database(values: list[str], dump: str) -> list[str]:
    return [f"I9: a secret ending {value[-4:]} stands in the database" for value in values if value in dump]


def is_settled() -> bool:
    between = [state for state in UNDER_WAY if state not in (RotationState.OPEN, RotationState.REQUESTED)]
    waiting = Rotation.objects.filter(state__in=between)
    creating = AppClient.objects.filter(status=Status.CREATING)
    return not (Operation.objects.live().exists() or creating.exists() or waiting.exists())
