"""Below Cognito's quota, whoever writes: the sandbox counts as Cognito does, and refuses nobody."""

import threading

import pytest
from django.db import connection


@pytest.fixture
def counting(lasting_world):
    lasting_world.sandbox.settings(quotas=True)
    yield lasting_world
    lasting_world.sandbox.settings(quotas=False)


def create_from_threads(world, threads, each):
    def work(number):
        for turn in range(each):
            world.create(name=f"client-{number}-{turn}")
        connection.close()

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def refused(world):
    return [c for c in world.sandbox.calls() if c["operation"] == "CreateUserPoolClient" and c["status"] != 200]


def test_three_writers_stay_below_five_per_second(counting, settings):
    settings.COGNITO_WRITES_PER_SECOND = 4.5
    create_from_threads(counting, 3, 5)
    assert refused(counting) == []
    counting.sandbox.settings(quotas=False)  # counting the clients is a read of our own
    assert len(counting.remote_clients()) == 15


def test_without_pacing_cognito_would_refuse(counting, settings):
    settings.COGNITO_WRITES_PER_SECOND = 0
    create_from_threads(counting, 3, 5)
    assert refused(counting) != []
