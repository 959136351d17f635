"""F11 for what is due: a worker whose clock is a day ahead or an hour behind removes nothing early."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.models import Rotation, RotationState, Tenant
from tests.prove import harness
from tests.prove.processes import WORKER, acting, run

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
