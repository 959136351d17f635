"""Processes of ours that act, and that may be killed, kept waiting, or have a clock that is wrong."""

import json
import os
import subprocess
import sys
import time
from typing import Any

from django.db import connection

from clients.models.ids import new_ulid
from tests.support import World

KILLED = 137
WORKER = ["manage.py", "worker", "--once"]


def database_url() -> str:
    """The database of this test, for another process."""
    s = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{s['NAME']}"
    return f"postgres://{s['USER']}:{s['PASSWORD']}@{s['HOST'] or '127.0.0.1'}:{s['PORT']}/{s['NAME']}"


def start(arguments: list[str], *, crash: str = "", **environment: str) -> subprocess.Popen:
    usual = {
        "PORTAL_CRASH_AT": crash,
        "DATABASE_URL": database_url(),
        "COGNITO_TIMEOUT_SECONDS": "2",
        "UNKNOWN_OUTCOME_MARGIN_SECONDS": "0",
    }
    command = [sys.executable, *arguments]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, env=os.environ | usual | environment, text=True, **pipes)


def finish(process: subprocess.Popen) -> int:
    """Waits for its end; its exit code. What it said stands in `process.said`, for `answer_of` and for a failure."""
    try:
        process.said = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode


def run(arguments: list[str], *, crash: str = "", **environment: str) -> int:
    return finish(start(arguments, crash=crash, **environment))


def acting(world: World, act: str, **more: Any) -> list[str]:
    """The arguments of a process that does one of the actor's acts; `more` goes into its form."""
    wanted = {"act": act, "pool": world.pool.pk, "actor": world.people["operator"].pk, "operation_id": new_ulid()}
    return ["-m", "tests.prove.actor", json.dumps(wanted | more)]


def answer_of(process: subprocess.Popen) -> str:
    """What the actor said became of its act: `done`, or the code of the refusal."""
    code = finish(process)
    assert code == 0, process.said[1][-2000:]
    return json.loads(process.said[0].splitlines()[-1])


def hold(command: list[str], **environment: str) -> subprocess.Popen:
    """An actor that has loaded everything and acts at a word: `let_go`."""
    return start(command, PROVE_HELD="1", **environment)


def let_go(*processes: subprocess.Popen) -> None:
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def together(*commands: list[str]) -> list[str]:
    """The answers of actors that act at the same moment."""
    held = [hold(command) for command in commands]
    let_go(*held)
    return [answer_of(process) for process in held]


def wait_for_call(world: World, operation: str, process: subprocess.Popen) -> None:
    """Until the sandbox has received it from this process, answered or not."""
    while not any(call["operation"] == operation for call in world.sandbox.calls()):
        if process.poll() is not None:
            raise AssertionError(f"{operation} never came: {process.communicate()}")
        time.sleep(0.02)
