"""Who looks after a client: one act, on the client's settings and in the list."""

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Outcome, Status, User
from clients.services import client_changes
from clients.services.contacts import set_contact


def acts():
    return AuditEntry.objects.filter(action="client:set_contact")


def test_set_contact_is_one_act_here_alone(world):
    app_client, operator, support = world.create(), world.people["operator"], world.people["support"]
    world.sandbox.clear()

    assert set_contact(app_client, actor=operator, contact=support)

    after = AppClient.objects.get()
    assert (after.contact, after.generation) == (support, app_client.generation + 1)
    assert world.sandbox.calls() == [], "Cognito knows no contact"
    entry = acts().get()
    assert (entry.actor, entry.outcome, entry.app_client, entry.tenant) == (
        operator, Outcome.OK, app_client, app_client.tenant,
    )  # fmt: skip
    assert entry.detail == {"before": {"contact": None}, "after": {"contact": support.pk}}


def test_set_contact_again_is_no_act(world):
    app_client, operator = world.create(), world.people["operator"]
    seen_twice = AppClient.objects.get()
    assert set_contact(app_client, actor=operator, contact=operator)
    assert not set_contact(AppClient.objects.get(), actor=operator, contact=operator)
    assert not set_contact(seen_twice, actor=operator, contact=operator), "a double click, both begun from one state"
    assert acts().count() == 1 and AppClient.objects.get().generation == app_client.generation + 1


@pytest.mark.parametrize("who", ["manager", "left"])
def test_set_contact_refuses_whoever_is_not_of_the_staff(world, who):
    app_client = world.create()
    User.objects.filter(pk=world.people["support"].pk).update(is_active=False)
    contact = User.objects.get(pk=world.people["support" if who == "left" else who].pk)
    with pytest.raises(InvalidInput, match="one of the staff"):
        set_contact(app_client, actor=world.people["operator"], contact=contact)
    assert AppClient.objects.get().contact is None and not acts().exists()


def test_set_contact_refuses_a_deleted_client(world):
    app_client = world.create()
    AppClient.objects.update(status=Status.DELETED)
    with pytest.raises(Conflict, match="was deleted"):
        set_contact(app_client, actor=world.people["operator"], contact=world.people["support"])
    assert AppClient.objects.get().contact is None and not acts().exists()


def test_set_contact_overwrites_no_contact_it_did_not_see(world):
    app_client, operator, support = world.create(), world.people["operator"], world.people["support"]
    set_contact(AppClient.objects.get(), actor=operator, contact=operator)
    with pytest.raises(Conflict):
        set_contact(app_client, actor=operator, contact=support)
    assert AppClient.objects.get().contact == operator and acts().count() == 1


def test_settings_opened_before_do_not_put_the_old_contact_back(world):
    app_client, operator = world.create(), world.people["operator"]
    set_contact(AppClient.objects.get(), actor=operator, contact=world.people["support"])
    with pytest.raises(Conflict):
        client_changes.change_settings(
            app_client, actor=operator, operation_id="0" * 26, generation=app_client.generation, name=app_client.name,
            access_token_seconds=3600, contact=None, notes="",
        )  # fmt: skip
    assert AppClient.objects.get().contact == world.people["support"]


def test_settings_refuse_a_contact_who_is_not_of_the_staff(world):
    app_client = world.create()
    with pytest.raises(InvalidInput, match="one of the staff"):
        client_changes.change_settings(
            app_client, actor=world.people["operator"], operation_id="0" * 26, generation=app_client.generation,
            name=app_client.name, access_token_seconds=3600, contact=world.people["manager"], notes="",
        )  # fmt: skip
    assert AppClient.objects.get().contact is None and not acts().exists()
