"""Who may speak to the sandbox. `design.md`, the sandbox."""

import json
import os
import stat
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from tests import local_aws


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_own_names_are_welcome(sandbox, host):
    port = urllib.parse.urlsplit(sandbox.endpoint).port

    assert sandbox.http("GET", "/_ministack/health", headers={"Host": f"{host}:{port}"})[0] == 200


@pytest.mark.parametrize("path", ["/_ministack/health", "/_sandbox/calls", "/oauth2/token", "/"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "null"}, {"Origin": "http://127.0.0.1"}, {"Host": "127.0.0.1"}, {"Host": "rebound.example:80"}],
    ids=str,
)
def test_pages_and_foreign_names_are_refused(sandbox, path, headers):
    token = (sandbox.state_dir / "control-token").read_text()

    assert sandbox.http("GET", path, headers={"X-Sandbox-Token": token, **headers})[0] == 403


def test_only_the_loopback_listens(sandbox):
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("Linux tells who listens where; this system does not, in this way")
    port = f"{urllib.parse.urlsplit(sandbox.endpoint).port:04X}"

    rows = [line.split() for line in table.read_text().splitlines()[1:]]

    listening = [row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"]
    assert listening == [f"0100007F:{port}"]


@pytest.mark.parametrize("token", ["", "wrong"])
@pytest.mark.parametrize("path", ["/_sandbox/calls", "/_sandbox/faults", "/_sandbox/nothing"])
def test_control_needs_its_token(sandbox, token, path):
    assert sandbox.http("GET", path, headers={"X-Sandbox-Token": token})[0] == 403


def test_control_token_is_for_its_owner_only(sandbox):
    path = sandbox.state_dir / "control-token"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(sandbox.state_dir.stat().st_mode) == 0o700
    assert len(path.read_text()) >= 32


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/_sandbox/faults", [{"operation": "Token", "kind": "explode"}]),
        ("/_sandbox/faults", [{"kind": "drop"}]),
        ("/_sandbox/settings", {"quota": True}),
    ],
)
def test_control_refuses_what_it_does_not_know(sandbox, path, document):
    headers = {"X-Sandbox-Token": (sandbox.state_dir / "control-token").read_text()}

    status, text, _ = sandbox.http("POST", path, json.dumps(document).encode(), headers)

    assert status == 400 and json.loads(text)["message"]


def test_busy_port_is_one_sentence(sandbox, tmp_path):
    port = urllib.parse.urlsplit(sandbox.endpoint).port
    command = [sys.executable, "-m", "portal.sandbox", "--port", str(port), "--state-dir", str(tmp_path / "other")]

    ended = subprocess.run(command, cwd=local_aws.ROOT, capture_output=True, text=True, timeout=20)

    assert ended.returncode == 1
    assert ended.stdout == "" and len(ended.stderr.splitlines()) == 1 and str(port) in ended.stderr


def test_state_folder_in_use_is_one_sentence(sandbox):
    command = [sys.executable, "-m", "portal.sandbox", "--port", "0", "--state-dir", str(sandbox.state_dir)]

    ended = subprocess.run(command, cwd=local_aws.ROOT, capture_output=True, text=True, timeout=20)

    assert ended.returncode == 1
    assert ended.stdout == "" and len(ended.stderr.splitlines()) == 1 and str(sandbox.state_dir) in ended.stderr


def test_lambdas_see_a_bare_environment(tmp_path):
    names = {"AWS_SECRET_ACCESS_KEY": "a-real-one", "DATABASE_URL": "postgres://x", "PATH": os.environ["PATH"]}
    script = "import os\nfrom portal.sandbox import environment\nenvironment.enter(4567, 'x')\nprint(sorted(os.environ.items()))"

    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=local_aws.ROOT, env=names, capture_output=True, text=True, check=True
    ).stdout

    assert "a-real-one" not in shown and "DATABASE_URL" not in shown
    assert "('AWS_ENDPOINT_URL', 'http://127.0.0.1:4567')" in shown


def test_rules_need_neither_django_nor_the_portal(tmp_path):
    script = (
        f"import sys, os\nfrom portal.sandbox import environment\nenvironment.enter(4567, {str(tmp_path)!r})\n"
        "import portal.sandbox.gateway, portal.sandbox.cognito, portal.sandbox.appsync, portal.sandbox.kms\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('django', 'clients')])"
    )

    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=local_aws.ROOT, capture_output=True, text=True, check=True
    )

    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config"])
def test_switches_of_ministack_are_closed(sandbox, path):
    pool = sandbox.pool()

    assert sandbox.http("POST", path, b"{}")[0] == 404

    assert pool.call("describe_user_pool")["UserPool"]["Id"] == pool.id
