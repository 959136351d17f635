"""Reminders: to whom, when, once; postponed with a reason; never by a clock that went wrong."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import AppClient, AuditEntry, Reminder, Rotation, Tenant
from clients.services import lifetimes, reminders, rotations, secrets
from tests.services.test_rotations import deliver, start

DAY = timedelta(days=1)


@pytest.fixture
def app_client(world):
    made = world.create(contact=world.people["operator"])
    mail.outbox.clear()
    return made


def ending_in(app_client, left):
    AppClient.objects.filter(pk=app_client.pk).update(expires_at=timezone.now() + left, remind_at=None)


def look_again():
    AppClient.objects.update(remind_at=None)
    Rotation.objects.update(remind_at=None)
    return reminders.send_due()


@pytest.mark.parametrize(("left", "days"), [
    (31 * DAY, None), (30 * DAY, 30), (15 * DAY, 30), (14 * DAY, 14), (7 * DAY, 7), (3 * DAY, 3), (1 * DAY, 1),
    (timedelta(hours=5), 1), (timedelta(0), 0), (-2 * DAY, 0),
])  # fmt: skip
def test_which_reminder_is_due(left, days):
    now = timezone.now()
    assert reminders.stage_of(now + left, now) == days


def test_the_contact_and_the_managers_are_told_with_one_link(world, app_client):
    ending_in(app_client, 7 * DAY - timedelta(minutes=1))
    assert reminders.send_due() == 2
    assert sorted(each.to[0] for each in mail.outbox) == ["manager@northwind.example", "operator@portal.example"]
    assert all(f"/clients/{app_client.public_id}/secrets/" in each.body for each in mail.outbox)
    assert {each.subject for each in mail.outbox} == {"A secret of northwind-orders-prod ends within 7 days"}
    entry = AuditEntry.objects.get(action="reminder:send")
    assert entry.detail["days"] == 7 and entry.detail["mails"] == 2
    assert look_again() == 0 and len(mail.outbox) == 2


def test_of_an_end_that_is_over_nobody_reads_that_it_is_today(world, app_client):
    ending_in(app_client, -3 * DAY)
    reminders.send_due()
    ended = AppClient.objects.get().expires_at
    assert {each.subject for each in mail.outbox} == {f"A secret of northwind-orders-prod ended on {ended:%-d %b %Y}"}
    assert all("reached its end on" in each.body for each in mail.outbox)


def test_without_managers_the_recorded_address_is_told(world, app_client):
    world.people["manager"].delete()
    Tenant.objects.filter(slug="northwind").update(contact_email="ops@northwind.example")
    ending_in(app_client, DAY)
    reminders.send_due()
    assert "ops@northwind.example" in {each.to[0] for each in mail.outbox}


def test_each_of_the_days_is_told_once_and_the_next_look_is_the_next_day(world, app_client):
    ending_in(app_client, 10 * DAY)
    assert reminders.send_due() == 2  # the one of 14 days
    row = AppClient.objects.get()
    assert row.remind_at == row.expires_at - 7 * DAY
    assert reminders.send_due() == 0
    assert set(Reminder.objects.values_list("days", flat=True)) == {14}


def test_a_mail_the_server_did_not_take_is_tried_again(world, app_client, monkeypatch):
    ending_in(app_client, DAY)
    monkeypatch.setattr(reminders, "send_reminder", lambda *told: False)
    assert reminders.send_due() == 0 and not Reminder.objects.exists()
    assert AppClient.objects.get().remind_at > timezone.now() + timedelta(minutes=50)
    monkeypatch.undo()
    assert look_again() == 2


def test_by_a_wrong_clock_nobody_is_reminded(world, app_client, time_machine):
    ending_in(app_client, 31 * DAY + timedelta(hours=1))
    time_machine.move_to(timezone.now() + 2 * DAY)
    assert reminders.send_due() == 0 and mail.outbox == []


def test_an_hour_back_reminds_nobody_twice(world, app_client, time_machine):
    ending_in(app_client, 7 * DAY)
    assert reminders.send_due() == 2
    time_machine.move_to(timezone.now() - timedelta(hours=1))
    assert look_again() == 0


def test_another_end_is_reminded_of_anew(world, app_client):
    ending_in(app_client, 7 * DAY)
    reminders.send_due()
    ending_in(app_client, 7 * DAY - timedelta(seconds=5))
    assert reminders.send_due() == 2


def test_postponed_with_a_reason_it_waits(world, app_client):
    ending_in(app_client, 7 * DAY)
    said = {"actor": world.people["support"], "until": timezone.now() + 5 * DAY}
    with pytest.raises(InvalidInput):
        reminders.postpone(AppClient.objects.get(), reason=" ", **said)
    reminders.postpone(AppClient.objects.get(), reason="They are away", **said)
    assert reminders.send_due() == 0
    assert AuditEntry.objects.get(action="reminder:postpone").reason == "They are away"
    AppClient.objects.update(reminders_after=timezone.now(), remind_at=None)
    assert reminders.send_due() == 2


def test_dismissed_it_is_never_told_of_this_end(world, app_client):
    ending_in(app_client, 7 * DAY)
    reminders.postpone(AppClient.objects.get(), until=None, reason="It goes away", actor=world.people["support"])
    assert AppClient.objects.get().reminders_after > AppClient.objects.get().expires_at + 300 * DAY
    assert reminders.send_due() == 0


def test_of_another_end_it_is_told_although_the_one_before_was_dismissed(world, app_client):
    ending_in(app_client, 7 * DAY)
    operator = world.people["operator"]
    reminders.postpone(AppClient.objects.get(), until=None, reason="It goes away", actor=operator)
    row = AppClient.objects.get()
    lifetimes.change_lifetime(row, actor=operator, generation=row.generation, days=365, reason="It stays after all")
    row.refresh_from_db()
    assert (row.reminders_after, row.reminders_reason) == (None, "")
    ending_in(app_client, 7 * DAY - timedelta(hours=1))
    assert reminders.send_due() == 2


def test_a_clock_far_ahead_does_not_put_off_what_a_right_one_sends(world, app_client, time_machine):
    """Of a secret, and of an overlap."""
    secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])
    other = world.create(name="other")
    start(world, other, overlap_hours=24)
    right = timezone.now()
    Rotation.objects.update(started_at=right - 20 * DAY, ends_at=right + DAY)
    ending_in(app_client, DAY)
    AppClient.objects.filter(pk=other.pk).update(expires_at=None)
    time_machine.move_to(right + 300 * DAY)
    assert reminders.send_due() == 0 and mail.outbox == []
    time_machine.move_to(right)
    soon = right + timedelta(minutes=6)
    assert AppClient.objects.get(pk=app_client.pk).remind_at < soon and Rotation.objects.get().remind_at < soon
    assert look_again() == 4


def test_one_that_cannot_be_looked_at_keeps_nobody_behind_it_waiting(world, app_client, monkeypatch):
    ending_in(app_client, DAY)
    other = world.create(name="other")
    ending_in(other, 2 * DAY)
    honest = reminders.send_reminder

    def broken(asked, *args):
        if asked.pk == app_client.pk:
            raise ValueError("a template nobody can render")
        return honest(asked, *args)

    monkeypatch.setattr(reminders, "send_reminder", broken)
    assert reminders.send_due() == 1 and {each.subject.split(" of ")[1].split()[0] for each in mail.outbox} == {"other"}
    assert AppClient.objects.get(pk=app_client.pk).remind_at > timezone.now()


def test_without_an_end_there_is_nothing_to_postpone(world, app_client):
    AppClient.objects.update(expires_at=None)
    with pytest.raises(Conflict):
        reminders.postpone(AppClient.objects.get(), until=None, reason="x", actor=world.people["support"])


def test_an_overlap_is_reminded_of_and_the_old_secrets_end_is_not(world, app_client):
    secrets.reveal_secret(app_client.secrets.get(), actor=world.people["operator"])
    start(world, app_client, overlap_hours=720)
    rotation = Rotation.objects.get()
    assert look_again() == 0, "nobody is reminded of what they were just told"
    Rotation.objects.update(ends_at=timezone.now() + 3 * DAY, started_at=timezone.now() - 20 * DAY)
    ending_in(app_client, 3 * DAY)
    assert look_again() == 2
    assert {each.subject for each in mail.outbox} == {"The overlap of northwind-orders-prod ends within 3 days"}
    deliver(world, rotation)
    rotations.finish_rotation(rotation, actor=world.people["operator"], operation_id="0" * 26)
    assert look_again() == 0
