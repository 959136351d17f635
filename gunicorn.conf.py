"""Read by gunicorn in the folder it starts in: no web process on settings that production must not have."""

import subprocess
import sys
from pathlib import Path

# Reload and stop by signal; nobody needs a socket for it.
control_socket_disable = True
ROOT = Path(__file__).resolve().parent


def on_starting(server) -> None:
    # In a process of its own, so that the workers do not inherit a half-used Django or its database connection.
    answer = subprocess.run([sys.executable, "manage.py", "check", "--deploy"], cwd=ROOT)
    if answer.returncode:
        sys.exit(answer.returncode)
