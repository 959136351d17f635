"""Pausing, resuming and deleting a client, and a tenant whose clients follow."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from django.test import Client
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Operation, Status, Tenant, TenantChange, User
from clients.models.ids import new_ulid
from clients.services import attributes, client_states, operations, pool_sync, secrets, tenant_changes
from clients.services.operations import resume_due


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0


def act(world, name, app_client, **more):
    wanted = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "the tenant asked"}
    done = getattr(client_states, name)(app_client, **wanted | more)
    app_client.refresh_from_db()
    return done


def state_published(world, app_client):
    return world.document(app_client.client_id)["state"]["S"]


def test_pause_client_takes_the_flow_and_publishes_a_denial(world):
    app_client = world.create()
    before = world.describe(app_client.client_id)
    assert act(world, "pause_client", app_client).state == "done"
    after = world.describe(app_client.client_id)
    assert (app_client.status, state_published(world, app_client)) == (Status.PAUSED, "paused")
    assert after["AllowedOAuthFlowsUserPoolClient"] is False
    other = {"AllowedOAuthFlowsUserPoolClient", "LastModifiedDate"}
    assert {k: v for k, v in after.items() if k not in other} == {k: v for k, v in before.items() if k not in other}
    assert pool_sync.observe(app_client) == []


def test_resume_client_restores_exactly_what_was_there(world):
    app_client = world.create()
    before = world.describe(app_client.client_id)
    act(world, "pause_client", app_client)
    assert act(world, "resume_client", app_client).state == "done"
    after = world.describe(app_client.client_id)
    assert {**after, "LastModifiedDate": 0} == {**before, "LastModifiedDate": 0}
    assert (app_client.status, state_published(world, app_client)) == (Status.ACTIVE, "active")
    assert app_client.before_pause is None and app_client.is_published


def test_pause_client_ends_tokens_that_are_asked_for_without_the_endpoint(world):
    """GetClientToken looks at neither domain nor flow, and this pool has no trigger that would see the denial."""
    app_client = world.create()
    value = secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"]).reveal()
    held = {k: v for k, v in world.describe(app_client.client_id).items()
            if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}  # fmt: skip
    world.cognito.update_user_pool_client(**held | {"ExplicitAuthFlows": ["ALLOW_CLIENT_TOKEN_AUTH"]})
    before, asked = world.describe(app_client.client_id), {"ClientId": app_client.client_id, "Secret": value}
    world.cognito.get_client_token(**asked)

    act(world, "pause_client", app_client)
    with pytest.raises(ClientError, match="not enabled"):
        world.cognito.get_client_token(**asked)

    act(world, "resume_client", app_client)
    assert world.describe(app_client.client_id) | {"LastModifiedDate": 0} == before | {"LastModifiedDate": 0}
    world.cognito.get_client_token(**asked)


def test_delete_client_leaves_a_tombstone_and_no_secret(world):
    app_client = world.create()
    act(world, "delete_client", app_client)
    assert app_client.status == Status.DELETED and world.remote_clients() == []
    assert state_published(world, app_client) == "deleted"
    secret = app_client.secrets.get()
    assert (secret.state, secret.sealed_value) == ("retired", None)
    assert world.create().status == "active", "the name is free again"


def test_the_denial_is_published_before_the_client_goes(world):
    app_client = world.create()
    world.sandbox.clear()
    act(world, "delete_client", app_client)
    assert world.sandbox.writes() == ["PutItem", "DeleteUserPoolClient", "PutItem"]


@pytest.mark.asvs("2.3.1")
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (None, "resume_client"),
        ("pause_client", "pause_client"),
        ("delete_client", "pause_client"),
        ("delete_client", "delete_client"),
    ],
)
def test_states_that_do_not_follow_are_refused(world, first, then):
    app_client = world.create()
    if first:
        act(world, first, app_client)
    with pytest.raises(Conflict):
        act(world, then, app_client)


def test_without_a_reason_nothing_happens(world):
    app_client = world.create()
    with pytest.raises(InvalidInput):
        act(world, "pause_client", app_client, reason="  ")
    assert app_client.status == Status.ACTIVE and Operation.objects.count() == 1


def test_sent_twice_it_is_one_pause(world):
    app_client, same = world.create(), new_ulid()
    assert act(world, "pause_client", app_client, operation_id=same) == act(
        world, "pause_client", app_client, operation_id=same
    )
    assert AuditEntry.objects.filter(action="client:pause").count() == 2


# --- Tenants ---------------------------------------------------------------------------------------


def start(world, kind, **more):
    tenant = Tenant.objects.get(slug="northwind")
    wanted = {"actor": world.people["operator"], "reason": "the contract ended", "typed": "northwind"}
    return tenant_changes.start_change(tenant, kind, **wanted | more)


def work():
    TenantChange.objects.update(next_try_at=timezone.now())
    Operation.objects.live().update(next_try_at=timezone.now())
    while resume_due() + tenant_changes.advance_due():
        pass


def test_pausing_a_tenant_takes_its_clients_along_and_resuming_only_those(world):
    ours = [world.create(name=f"c{n}") for n in range(2)]
    by_hand, theirs = world.create(name="by-hand"), world.create(name="x", tenant=world.tenants["acme-robotics"])
    act(world, "pause_client", by_hand)
    change = start(world, "pause")
    work()
    change.refresh_from_db()
    assert change.finished_at is not None
    assert set(AppClient.objects.filter(pk__in=[c.pk for c in ours]).values_list("status", flat=True)) == {"paused"}
    assert AppClient.objects.get(pk=theirs.pk).status == "active"
    start(world, "resume")
    work()
    assert set(AppClient.objects.filter(pk__in=[c.pk for c in ours]).values_list("status", flat=True)) == {"active"}
    assert AppClient.objects.get(pk=by_hand.pk).status == "paused"


@pytest.mark.asvs("7.4.2")
def test_off_boarding_ends_the_sessions_of_its_members_for_good(world):
    browser, member = Client(), world.people["manager"]
    browser.force_login(member)
    start(world, "off_board")
    assert browser.get("/clients/").status_code == 302
    User.objects.filter(pk=member.pk).update(is_active=True)
    assert browser.get("/clients/").status_code == 302, "a session from before does not come back to life"


def test_off_boarding_deletes_the_clients_and_ends_its_members_access(world):
    world.create()
    start(world, "off_board")
    work()
    assert (
        world.remote_clients() == []
        and not world.people["manager"].__class__.objects.filter(tenant__slug="northwind", is_active=True).exists()
    )
    entry = AuditEntry.objects.get(action="tenant:off_board")
    assert (
        entry.detail == {"clients": 1, "members": 2, "invitations": 0, "handovers": 0}
        and entry.reason == "the contract ended"
    )
    assert AuditEntry.objects.filter(action="tenant:off_board_done").count() == 1


def test_a_paused_tenant_gets_no_new_clients(world):
    start(world, "pause")
    with pytest.raises(InvalidInput) as refused:
        world.create(tenant=Tenant.objects.get(slug="northwind"))
    assert list(refused.value.fields) == ["tenant"]
    with pytest.raises(InvalidInput):
        world.create()  # the row as it was read before the pause
    assert not AppClient.objects.exists()


def test_a_client_that_cannot_follow_is_named_and_the_others_go_on(world):
    first, second = world.create(name="first"), world.create(name="second")
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    change = start(world, "pause")
    assert [tenant_changes.advance_due() for _ in range(3)] == [1, 1, 0]
    change.refresh_from_db()
    assert change.finished_at is None and "first" in change.last_error
    work()
    change.refresh_from_db()
    assert change.finished_at is not None
    assert [world.describe(c.client_id)["AllowedOAuthFlowsUserPoolClient"] for c in (first, second)] == [False, False]


@pytest.mark.parametrize(("more", "field"), [({"reason": ""}, "reason"), ({"typed": "Northwind"}, "typed")])
def test_off_boarding_refused(world, more, field):
    with pytest.raises(InvalidInput) as refused:
        start(world, "off_board", **more)
    assert list(refused.value.fields) == [field] and Tenant.objects.get(slug="northwind").status == "active"


def test_two_changes_of_one_tenant_at_once_are_refused(world):
    world.create()  # it has to follow, so that the first change takes its time
    start(world, "pause")
    with pytest.raises(Conflict):
        start(world, "off_board")


def test_a_creation_that_was_refused_can_be_discarded(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    app_client = world.create()
    with pytest.raises(Conflict):
        act(world, "delete_client", app_client)
    Operation.objects.update(state="given_up")
    assert act(world, "delete_client", app_client).state == "done"
    assert app_client.status == Status.DELETED and app_client.secrets.get().sealed_value is None
    assert world.create().status == "active", "the name is free again"


def test_discarding_takes_along_what_a_lost_answer_left_in_cognito(world):
    world.sandbox.fault("CreateUserPoolClient", "lose_answer")
    app_client = world.create()
    Operation.objects.update(state="given_up")
    act(world, "delete_client", app_client)
    assert world.remote_clients() == [] and app_client.status == Status.DELETED


def refuse(monkeypatch, method):
    """As an account without the permission: Cognito answers no, and will again."""
    from clients.aws.cognito import Gateway
    from clients.errors import Refused

    def no(self, *args, **named):
        raise Refused("AWS refused: the portal's credentials may not do this.")

    monkeypatch.setattr(Gateway, method, no)


def test_a_refused_client_is_named_once_and_the_others_go(world, monkeypatch):
    for name in ("first", "second"):
        world.create(name=name)
    refuse(monkeypatch, "delete_client")
    change = start(world, "off_board")
    assert sum(tenant_changes.advance_due() for _ in range(6)) == 0
    change.refresh_from_db()
    assert "not tried again by itself" in change.last_error and change.finished_at is None
    assert Operation.objects.filter(kind="client:delete").count() == 2, "one for each, not one per round"
    monkeypatch.undo()
    for operation in Operation.objects.filter(kind="client:delete"):
        operations.retry_operation(operation, actor=world.people["support"])
    work()
    change.refresh_from_db()
    assert change.finished_at is not None and world.remote_clients() == []


def test_trying_again_an_old_wish_is_refused_once_there_was_a_later_change(world, monkeypatch):
    app_client = world.create()
    refuse(monkeypatch, "delete_client")
    refused = act(world, "delete_client", app_client)
    monkeypatch.undo()
    act(world, "resume_client", app_client)
    with pytest.raises(Conflict, match="later change"):
        operations.retry_operation(refused, actor=world.people["support"])
    assert len(world.remote_clients()) == 1


def test_a_client_of_a_paused_tenant_is_not_resumed_by_itself(world):
    app_client = world.create()
    start(world, "pause")
    work()
    app_client.refresh_from_db()
    with pytest.raises(Conflict, match="resume the tenant first"):
        act(world, "resume_client", app_client)


def test_a_refused_pause_is_looked_at_soon(world, monkeypatch):
    app_client = world.create()
    AppClient.objects.update(observe_after=timezone.now() + timedelta(hours=1))
    refuse(monkeypatch, "change_client")
    assert act(world, "pause_client", app_client).state == "refused"
    monkeypatch.undo()
    pool_sync.observe_due()
    app_client.refresh_from_db()
    assert app_client.drift == ["flow"]


def test_scopes_of_a_paused_client_can_be_changed_and_it_stays_paused(world):
    from clients.services import client_changes

    app_client = world.create()
    act(world, "pause_client", app_client)
    client_changes.change_scopes(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), generation=app_client.generation,
        scopes=["orders/write"],
    )  # fmt: skip
    held = world.describe(app_client.client_id)
    assert held["AllowedOAuthScopes"] == ["orders/write"] and held["AllowedOAuthFlowsUserPoolClient"] is False


def test_a_pause_that_never_arrived_is_not_made_good_by_other_changes(world):
    app_client = world.create()
    change = start(world, "pause")
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    tenant_changes.advance_due()
    pause = Operation.objects.get(kind="client:pause")
    Operation.objects.update(attempts=24, next_try_at=timezone.now())
    world.sandbox.fault("UpdateUserPoolClient", "throttle")
    operations.resume_due()
    app_client.refresh_from_db()
    done = attributes.change_attributes(
        app_client, actor=world.people["operator"], operation_id=new_ulid(), generation=app_client.generation, values={}
    )
    assert done.state == "done"
    work()
    change.refresh_from_db()
    assert change.finished_at is None and "stopped trying" in change.last_error
    assert list(Operation.objects.stuck()) == [pause]
    assert world.describe(app_client.client_id)["AllowedOAuthFlowsUserPoolClient"] is True
    operations.retry_operation(pause, actor=world.people["support"])
    work()
    change.refresh_from_db()
    assert change.finished_at and world.describe(app_client.client_id)["AllowedOAuthFlowsUserPoolClient"] is False
