"""`make shots`: every page of the demo at three widths in both themes, as PNGs to look at, checked while they are made.

A demo of its own is started; each role walks from link to link and the first page of every route is taken. Printed:
what axe finds, what is wider than the window, bytes on the wire (first load and later ones), routes nobody reached.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tests.environment  # noqa: F401  (before Django)
from tests.shots import walk

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "var" / "shots"
PATIENCE = 120.0


def main() -> None:
    chosen = set(sys.argv[1:])
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with demo() as facts:
        complaints = walk.walk(facts, OUT, chosen)
    for line in complaints:
        print(f"  {line}")
    print(f"{len(list(OUT.glob('*.png')))} pictures in {OUT.relative_to(ROOT)}, {len(complaints)} complaints")
    sys.exit(bool(complaints))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def demo() -> Iterator[dict[str, Any]]:
    """A whole demo on free ports with data of its own; yields what demo.json says."""
    with tempfile.TemporaryDirectory() as var:
        environment = os.environ | {
            "PORT": str(free_port()), "SANDBOX_PORT": str(free_port()), "PORTAL_VAR_DIR": var,
        }  # fmt: skip
        for name in ("SECRET_KEY", "DEBUG", "DATABASE_URL", "SEALING_KEYS", "FINGERPRINT_KEYS"):
            environment.pop(name, None)
        process = subprocess.Popen([sys.executable, "-m", "portal.demo"], cwd=ROOT, env=environment,
                                   stdout=subprocess.DEVNULL)  # fmt: skip
        try:
            yield _facts(process, Path(var) / "demo.json", environment["PORT"]) | {"var": var}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _facts(process: subprocess.Popen, file: Path, port: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if file.exists() and probe.connect_ex(("127.0.0.1", int(port))) == 0:
                return json.loads(file.read_text())
        time.sleep(0.2)
    raise SystemExit("The demo did not start.")


if __name__ == "__main__":
    main()
