"""Read by gunicorn in the folder it starts in: no web process on settings that production must not have."""

import subprocess
import sys
from pathlib import Path

from portal import web_log

# Reload and stop by signal; nobody needs a socket for it.
control_socket_disable = True
access_log_format = web_log.access_log_format
ROOT = Path(__file__).resolve().parent


def on_starting(server) -> None:
    web_log.on_starting(server)
    # In a process of its own, so that the workers do not inherit a half-used Django or its database connection.
    answer = subprocess.run([sys.executable, "manage.py", "check", "--deploy"], cwd=ROOT)
    if answer.returncode:
        sys.exit(answer.returncode)
