"""`make demo`: refusals in sentences, files that only their owner can read, and no process left on any way out."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal import demo
from tests.local_aws import free_port

ROOT = Path(__file__).resolve().parent.parent


def start(var: Path, port: int, sandbox_port: int) -> subprocess.Popen:
    env = {**os.environ, "PORTAL_VAR_DIR": str(var), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}
    # What a person's shell might hold; none of it may reach the demo.
    env |= {"AWS_PROFILE": "somebody", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "DATABASE_URL": "postgres://nowhere/x"}
    return subprocess.Popen(
        [sys.executable, "-m", "portal.demo"],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@contextmanager
def running(var: Path, port: int, sandbox_port: int):
    """The demo, up; and what it has printed. Ends it with SIGTERM."""
    process = start(var, port, sandbox_port)
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail("The demo did not come up:\n" + "".join(printed))
        yield process, "".join(printed)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def processes_of(var: Path) -> list[int]:
    """Every process whose environment or command line names this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(var).encode() in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_until_none_is_left(var: Path, seconds: float = 15) -> list[int]:
    deadline = time.monotonic() + seconds
    while processes_of(var) and time.monotonic() < deadline:
        time.sleep(0.1)
    return processes_of(var)


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc for processes left over")
def test_demo_from_the_first_start_to_a_lost_sandbox(tmp_path):
    """One story, because each start costs seconds: first start, files, stop, other ports, kill -9, lost state."""
    var = tmp_path / "var"
    first, second = (free_port(), free_port()), (free_port(), free_port())
    with running(var, *first) as (_, printed):
        facts = json.loads((var / "demo.json").read_text())
        assert facts["url"] == f"http://localhost:{first[0]}" and facts["url"] in printed
        assert set(facts["logins"]) == {"administrator", "operator", "support", "auditor", "manager", "developer"}
        assert all(login["password"] in printed for login in facts["logins"].values())
        assert mode_of(var / "demo.json") == mode_of(var / "demo.env") == 0o600
        assert b"<form" in read(f"{facts['url']}/account/login/?q=looked-for")
        web = (var / "log" / "web.log").read_text()
        assert '"GET /account/login/ HTTP/1.1" 200' in web and "looked-for" not in web
        clash = start(var, free_port(), free_port())
        assert "running from this folder already" in clash.communicate(timeout=30)[0] and clash.returncode == 1
    assert wait_until_none_is_left(var) == []

    keys = (var / "demo.env").read_text().splitlines()[:3]
    with running(var, *second) as (process, _):
        again = json.loads((var / "demo.json").read_text())
        assert again["logins"] == facts["logins"] and again["user_pool_id"] == facts["user_pool_id"]
        assert again["token_url"].startswith(f"http://127.0.0.1:{second[1]}/")
        assert (var / "demo.env").read_text().splitlines()[:3] == keys
        process.kill()  # no chance to clean up: the children notice by themselves
        assert wait_until_none_is_left(var) == []

    shutil.rmtree(var / "sandbox")
    with running(var, *first) as (_, printed):
        assert f"The pool {facts['user_pool_id']} is missing" in printed and "make demo-reset" in printed
    assert wait_until_none_is_left(var) == []


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
def test_demo_with_a_busy_port(tmp_path, variable):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        ports = (busy, free_port()) if variable == "PORT" else (free_port(), busy)
        process = start(tmp_path / "var", *ports)
        said = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert f"Port {busy} is busy" in said and f"{variable}={busy + 1}" in said and "Traceback" not in said


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "8000 ", "٨٠٠٠"])
def test_demo_with_a_port_that_is_none(monkeypatch, text):
    monkeypatch.setenv("PORT", text)
    with pytest.raises(demo.Failed, match="is no port"):
        demo.read_port("PORT", 8000)


def test_demo_with_the_same_port_twice(monkeypatch, tmp_path):
    monkeypatch.setenv("PORT", "4566")
    with pytest.raises(demo.Failed, match="both 4566"):
        demo.run_demo(tmp_path)


def test_demo_environment_keeps_its_keys(tmp_path):
    first = demo.write_environment(tmp_path, 8000, 4566)
    second = demo.write_environment(tmp_path, 8100, 4600)
    for name in ("SECRET_KEY", "SEALING_KEYS", "FINGERPRINT_KEYS"):
        assert first[name] and first[name] == second[name]
    assert first["SEALING_KEYS"] != first["FINGERPRINT_KEYS"]
    assert second["PORTAL_BASE_URL"] == "http://localhost:8100"
    assert mode_of(tmp_path / "demo.env") == 0o600


def test_demo_environment_holds_nothing_of_the_person(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.eu-west-1.amazonaws.com")
    monkeypatch.setenv("DATABASE_URL", "postgres://production/portal")
    env = demo.write_environment(tmp_path, 8000, 4566)
    assert "AWS_PROFILE" not in env and "AWS_ENDPOINT_URL_DYNAMODB" not in env
    assert env["DATABASE_URL"].startswith("sqlite:///") and env["AWS_CONFIG_FILE"] == os.devnull


def test_reset_removes_what_the_demo_made_and_nothing_else(tmp_path):
    demo.write_environment(tmp_path, 8000, 4566)
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "portal.sqlite3").write_text("")
    (tmp_path / "mine.txt").write_text("mine")
    assert demo.reset(tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "demo.lock"}


def test_seed_outside_a_demo_is_refused(settings):
    from django.core.management import CommandError, call_command

    settings.DEMO = False
    with pytest.raises(CommandError, match="PORTAL_DEMO"):
        call_command("seed_demo")
