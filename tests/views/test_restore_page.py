"""Restore mode on its page: what differs is read there, and an administrator ends it."""

from clients.models import Restore, UserPool
from clients.services import pool_sync, restores
from tests.conftest import ConfirmedClient


def browser(world, role):
    found = ConfirmedClient()
    found.force_login(world.people[role])
    return found


def test_every_page_of_staff_says_so_and_members_hear_nothing(world):
    world.create()
    restores.enter(reason="Backup of noon", actor=None, via="test")
    for role in ("administrator", "support", "auditor"):
        assert "Restore mode" in browser(world, role).get("/clients/").content.decode()
    assert "Restore mode" not in browser(world, "manager").get("/clients/").content.decode()


def test_an_administrator_ends_it_with_a_reason(world):
    world.create()
    restores.enter(reason="Backup of noon", actor=None, via="test")
    admin, typed = browser(world, "administrator"), {"reason": "All looked at"}
    assert "Still comparing" in admin.get("/restore/").content.decode()
    assert admin.post("/restore/", typed).status_code == 409
    UserPool.objects.update(compared_at=None)
    pool_sync.compare_due()
    pool_sync.observe_due()
    page = admin.get("/restore/").content.decode()
    assert "may have been shown since the backup" in page and "Still comparing" not in page
    assert browser(world, "support").post("/restore/", typed).status_code == 403
    assert admin.post("/restore/", {"reason": ""}).status_code == 422 and restores.is_on()
    assert admin.post("/restore/", typed).status_code == 302
    assert Restore.objects.get().cleared_by == world.people["administrator"] and not restores.is_on()
