"""Pausing, resuming and deleting a client on its pages."""

import pytest

from clients.models import Status
from clients.models.ids import new_ulid


@pytest.fixture
def support(world, client):
    client.force_login(world.people["support"])
    return client


def form(**more):
    return {"operation_id": new_ulid(), "reason": "the tenant asked"} | more


def test_pause_and_resume_by_support(support, app_client, address):
    page = support.get(address("client-settings")).content.decode()
    assert address("client-pause") in page and address("client-resume") not in page
    assert "expire within 60 minutes" in support.get(address("client-pause")).content.decode()
    answer = support.post(address("client-pause"), form(), follow=True)
    app_client.refresh_from_db()
    assert app_client.status == Status.PAUSED and "The client is paused." in answer.content.decode()
    support.post(address("client-resume"), form())
    app_client.refresh_from_db()
    assert app_client.status == Status.ACTIVE


def test_pausing_twice_by_double_click_is_one_pause(support, app_client, address):
    same = form()
    assert [support.post(address("client-pause"), same).status_code for _ in range(2)] == [302, 302]


def test_pausing_what_is_paused_says_so(support, app_client, address):
    support.post(address("client-pause"), form())
    answer = support.post(address("client-pause"), form())
    assert answer.status_code == 409 and "The client is paused" in answer.content.decode()


@pytest.mark.parametrize(("typed", "status"), [("", 422), ("something else", 422), (None, 302)])
def test_delete_wants_the_name_typed(world, client, app_client, address, typed, status):
    client.force_login(world.people["operator"])
    typed = app_client.name if typed is None else typed
    answer = client.post(address("client-delete"), form(typed=typed))
    app_client.refresh_from_db()
    assert answer.status_code == status
    assert (app_client.status == Status.DELETED) == (status == 302)
    if typed == "something else":
        assert f"This is not {app_client.name}." in answer.content.decode()


def test_a_reason_is_wanted_beside_its_field(support, app_client, address):
    answer = support.post(address("client-pause"), form(reason="  "))
    assert answer.status_code == 422 and "required" in answer.content.decode()
