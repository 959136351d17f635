"""What the page of an emergency and the drafted notice say, and that it is so."""

import pytest
from django.urls import reverse

from clients.models import Rotation, Secret
from clients.models.ids import new_ulid
from clients.services import rotations, secrets
from tests.services.test_revocations import revoke

PROMISED = "A new secret is ready"


def page_of(client, rotation):
    return client.get(reverse("rotation-page", args=[rotation.public_id])).content.decode()


@pytest.fixture
def support(client, world):
    client.force_login(world.people["support"])
    return client


def test_a_replacement_that_works_is_promised_until_it_is_delivered(support, world, app_client):
    rotation = revoke(world, app_client.secrets.get())
    page = page_of(support, rotation)
    assert "Hand the replacement over" in page and PROMISED in page
    new = Secret.objects.select_related("app_client").get(pk=rotation.new_secret_id)
    secrets.reveal_secret(new, actor=world.people["operator"])
    assert "Hand the replacement over" not in page_of(support, rotation)


def test_one_that_was_never_accepted_is_promised_to_nobody(support, world, app_client, settings):
    settings.SECRET_TEST_SECONDS = 0
    world.sandbox.settings(secret_delay_seconds=3600)
    try:
        page = page_of(support, revoke(world, app_client.secrets.get()))
    finally:
        world.sandbox.settings(secret_delay_seconds=0)
    assert "nobody is handed it: rotate" in page
    assert "Hand the replacement over" not in page and PROMISED not in page


def test_the_other_secret_is_not_said_to_work_for_a_customer_who_was_never_shown_it(support, world, app_client):
    held = app_client.secrets.get()
    secrets.reveal_secret(held, actor=world.people["operator"])
    said = {"actor": world.people["support"], "operation_id": new_ulid(), "overlap_hours": 24}
    rotations.start_rotation(app_client, **said)
    asking = support.get(reverse("secret-revoke", args=[app_client.public_id, held.public_id])).content.decode()
    assert "nobody was shown it yet" in asking and "servers get no new tokens" in asking

    emergency = revoke(world, held)
    assert emergency.new_secret is None and emergency == Rotation.objects.latest("pk")
    page = page_of(support, emergency)
    assert "Hand the replacement over" in page and PROMISED in page
