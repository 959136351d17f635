"""The worker as a process: takes over what a killed one left, survives a bad round, stops when asked."""

import os
import signal
import subprocess
import sys
import time

from django.core.management import call_command
from django.utils import timezone

from clients.management.commands import worker
from clients.models import AppClient, Operation
from tests.prove.processes import database_url


def test_worker_once_drains_and_exits(world):
    world.sandbox.fault("CreateUserPoolClient", "throttle")
    app_client = world.create()
    Operation.objects.update(next_try_at=timezone.now())
    call_command("worker", "--once")
    app_client.refresh_from_db()
    assert app_client.status == "active"


def test_worker_process_finishes_what_was_left_and_stops_on_sigterm(lasting_world):
    lasting_world.sandbox.fault("CreateUserPoolClient", "throttle")
    lasting_world.create()
    Operation.objects.update(next_try_at=timezone.now())
    environment = os.environ | {"DATABASE_URL": database_url()}
    process = subprocess.Popen([sys.executable, "manage.py", "worker", "--pause", "0.1"], env=environment)
    try:
        deadline = time.monotonic() + 20
        while AppClient.objects.get().status != "active" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert AppClient.objects.get().status == "active"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_worker_goes_on_after_a_bad_round(monkeypatch):
    def broken():
        raise OSError("the database is away")

    monkeypatch.setattr(worker, "JOBS", (broken,))
    monkeypatch.setattr(worker, "QUIET_JOBS", ())
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    assert worker.Command()._look(1.0) == worker.AFTER_A_FAILURE


def test_one_job_that_fails_does_not_keep_the_others_from_their_turn(monkeypatch):
    done = []

    def broken():
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "JOBS", (broken, lambda: done.append("publish") or 0))
    monkeypatch.setattr(worker, "QUIET_JOBS", (broken, lambda: done.append("usage") or 0))
    assert worker.Command()._look(1.0) == worker.AFTER_A_FAILURE
    assert done == ["publish", "usage"]
