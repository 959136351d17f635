"""How long a secret is meant to live, changed afterwards."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, Secret
from clients.models.ids import new_ulid
from clients.services import rotations, secrets
from clients.services.lifetimes import change_lifetime
from tests.views.forms import form_of


def change(world, app_client, **more):
    form = {"actor": world.people["operator"], "generation": app_client.generation, "days": 365, "reason": ""} | more
    change_lifetime(app_client, **form)
    app_client.refresh_from_db()


def test_change_lifetime_counts_from_when_the_secret_was_made(world):
    app_client = world.create()
    world.sandbox.clear()
    change(world, app_client)
    secret = app_client.secrets.get()
    assert app_client.expires_at == secret.expires_at == secret.created_at + timedelta(days=365)
    assert world.sandbox.calls() == [], "Cognito knows no end"
    detail = AuditEntry.objects.get(action="client:change_lifetime").detail
    assert (detail["before"]["days"], detail["after"]["days"]) == (180, 365)


def test_the_secret_of_an_open_rotation_gets_the_new_end_too(world):
    app_client, operator = world.create(), world.people["operator"]
    secrets.reveal_secret(app_client.secrets.get(), actor=operator)
    rotations.start_rotation(app_client, actor=operator, operation_id=new_ulid(), overlap_hours=24)
    app_client.refresh_from_db()
    change(world, app_client)
    newer = app_client.secrets.get(state="new")
    assert newer.expires_at == newer.created_at + timedelta(days=365)
    change(world, app_client, days=None, reason="a satellite")
    newer.refresh_from_db()
    assert newer.expires_at is None


def test_no_end_wants_its_reason(world):
    app_client = world.create()
    with pytest.raises(InvalidInput):
        change(world, app_client, days=None)
    change(world, app_client, days=None, reason="a satellite")
    assert (app_client.expires_at, app_client.no_expiry_reason) == (None, "a satellite")


def test_an_end_that_has_passed_is_refused(world):
    app_client = world.create()
    Secret.objects.update(created_at=timezone.now() - timedelta(days=100))
    with pytest.raises(InvalidInput, match="would have ended"):
        change(world, app_client, days=90)


def test_an_old_form_is_refused_and_the_same_again_is_no_act(world):
    app_client = world.create()
    change(world, app_client, days=180)
    assert not AuditEntry.objects.filter(action="client:change_lifetime").exists()
    change(world, app_client)
    with pytest.raises(Conflict):
        change(world, app_client, days=90, generation=1)


def test_lifetime_and_notes_typed_together_are_both_saved_and_are_two_acts(world, client):
    """One form and one button: whichever of them somebody changed, nothing typed beside it is lost."""
    app_client = world.create()
    client.force_login(world.people["operator"])
    address = f"/clients/{app_client.public_id}/settings/"
    form = form_of(client.get(address), address)
    refused = client.post(address, form.data(secret_lifetime="none", notes="A satellite"))
    assert refused.status_code == 422 and "needs a reason" in refused.content.decode()
    assert "A satellite" in refused.content.decode()

    for _ in range(2):  # a double click is one change
        done = client.post(address, form.data(secret_lifetime="90", notes="A satellite"), follow=True)
        assert "The settings are saved." in done.content.decode()

    app_client.refresh_from_db()
    assert (app_client.secret_lifetime_days, app_client.notes, app_client.generation) == (90, "A satellite", 2)
    assert app_client.secrets.get().expires_at == app_client.expires_at
    detail = AuditEntry.objects.get(action="client:change_lifetime").detail
    assert (detail["before"]["days"], detail["after"]["days"]) == (180, 90)
    assert AuditEntry.objects.get(action="client:change", outcome="ok").detail["notes_changed"] is True


def test_lifetime_alone_asks_nothing_of_cognito(world, client):
    app_client = world.create()
    client.force_login(world.people["operator"])
    address = f"/clients/{app_client.public_id}/settings/"
    sent = form_of(client.get(address), address).data(secret_lifetime="90")
    world.sandbox.clear()
    for _ in range(2):
        assert client.post(address, sent).status_code == 302
    assert world.sandbox.calls() == [] and not AuditEntry.objects.filter(action="client:change").exists()
    assert AuditEntry.objects.filter(action="client:change_lifetime").count() == 1


def test_a_lifetime_that_has_passed_does_not_keep_other_settings_from_being_saved(world, client):
    app_client = world.create()
    Secret.objects.update(created_at=timezone.now() - timedelta(days=400))
    client.force_login(world.people["operator"])
    address = f"/clients/{app_client.public_id}/settings/"
    assert client.post(address, form_of(client.get(address), address).data(notes="N")).status_code == 302
