"""F11 for what is due: a worker whose clock is a day ahead or an hour behind removes nothing early and reminds nobody
twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.models import AppClient, Reminder, Rotation, RotationState, Tenant
from clients.services import clocks, reminders
from tests.prove import harness
from tests.prove.processes import WORKER, acting, answer_of, run, start

HOUR = 3600


@pytest.fixture
def overlap(lasting_world):
    """A rotation with all evidence, of a tenant whose policy removes the old secret by itself; over in two hours."""
    harness.prepare(lasting_world, "secret:finish")
    Tenant.objects.update(removes_automatically=True)
    Rotation.objects.update(ends_at=timezone.now() + timedelta(hours=2))
    return Rotation.objects.get()


@pytest.mark.parametrize("shift", [24 * HOUR, -HOUR])
def test_a_clock_that_jumped_removes_nothing_early(lasting_world, overlap, shift):
    lasting_world.sandbox.clear()
    assert run(acting(lasting_world, "worker"), PROVE_CLOCK_SHIFT=str(shift)) == 0
    overlap.refresh_from_db()
    assert overlap.state == RotationState.OPEN and lasting_world.sandbox.writes() == []
    assert run(WORKER) == 0
    overlap.refresh_from_db()
    assert overlap.state == RotationState.OPEN


def test_when_it_is_over_a_right_clock_removes_it(lasting_world, overlap):
    """What shows that the test above has something to find."""
    Rotation.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert run(WORKER) == 0
    overlap.refresh_from_db()
    assert overlap.state == RotationState.FINISHED


def test_a_clock_a_day_ahead_does_not_delay_what_a_right_one_does(lasting_world, overlap):
    run(acting(lasting_world, "worker"), PROVE_CLOCK_SHIFT=str(24 * HOUR))
    Rotation.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    Rotation.objects.filter(next_try_at__lte=timezone.now() + timedelta(hours=3)).update(next_try_at=timezone.now())
    assert run(WORKER) == 0
    overlap.refresh_from_db()
    assert overlap.state == RotationState.FINISHED


# --- Reminders ---------------------------------------------------------------------------------------


@pytest.fixture
def reminded(lasting_world):
    """The managers and the contact were told that a secret ends within 14 days; in an hour it is within 7."""
    harness.prepare(lasting_world, "secret:rotate")
    AppClient.objects.update(expires_at=timezone.now() + timedelta(days=7, hours=1))
    assert remind(lasting_world) == [14]
    return lasting_world


def remind(world, shift=0):
    """The days that were told of by now, each as often as there are mails of it to one address."""
    AppClient.objects.update(remind_at=None)
    acted = start(acting(world, "remind"), PROVE_CLOCK_SHIFT=str(shift), EMAIL_URL="dummymail://")
    assert answer_of(acted) == "done"
    return sorted(Reminder.objects.values_list("days", flat=True))


def test_by_a_clock_that_jumped_nobody_is_reminded_early_or_twice(reminded):
    for shift in (24 * HOUR, 0, -HOUR, 24 * HOUR):
        assert remind(reminded, shift) == [14]
    assert AppClient.objects.get().remind_at < timezone.now() + timedelta(hours=2), "and the next one is not put off"


def test_planted_a_clock_that_nobody_compares_reminds_early(reminded, monkeypatch, time_machine):
    monkeypatch.setattr(clocks, "is_tolerable", lambda ahead: True)
    AppClient.objects.update(remind_at=None)
    time_machine.move_to(timezone.now() + timedelta(days=1))
    reminders.send_due()
    assert sorted(Reminder.objects.values_list("days", flat=True)) == [7, 14]
