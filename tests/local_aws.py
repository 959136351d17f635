"""Starts a local AWS as a process of its own: the sandbox, or plain MiniStack to show what it does not do."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REGION = "eu-west-1"

PLAIN = """
import os, sys
port, state_dir = sys.argv[1:]
os.environ.update(BIND_HOST="127.0.0.1", GATEWAY_PORT=port, STATE_DIR=state_dir, IOT_MTLS_ENABLED="0",
                  MINISTACK_REGION="eu-west-1")
import ministack.app
sys.argv = ["ministack"]
ministack.app.main()
"""


@contextmanager
def plain_ministack(state_dir):
    """The endpoint of MiniStack as it is."""
    port = free_port()
    with _process([sys.executable, "-c", PLAIN, str(port), str(state_dir)], port) as endpoint:
        yield endpoint


@contextmanager
def sandbox(state_dir):
    """The endpoint of the sandbox."""
    port = free_port()
    command = [sys.executable, "-m", "portal.sandbox", "--port", str(port), "--state-dir", str(state_dir)]
    with _process(command, port) as endpoint:
        yield endpoint


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _process(command, port):
    # A bare environment: Lambda workers inherit it, and nothing of the developer's AWS set-up may leak in.
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process, port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The local AWS ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The local AWS did not start")
