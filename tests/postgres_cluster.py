"""Run a command against PostgreSQL: TEST_POSTGRES_URL if set, else a throw-away cluster of our own.

    python -m tests.postgres_cluster COMMAND [ARGUMENT ...]

The command finds TEST_DATABASE_URL in its environment. No server to be found is an error, never a skip.
"""

import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

# The data is worth nothing: durability would only cost time.
FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=100"]


def find_program(name: str) -> str:
    """Debian keeps the server's programs out of PATH: look there too, the newest version first."""
    packaged = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    found = packaged[-1] if packaged else shutil.which(name)
    if not found:
        sys.exit(f"PostgreSQL's {name} was not found: install the package `postgresql`, or set TEST_POSTGRES_URL.")
    return found


def unprivileged() -> dict:
    """PostgreSQL refuses to run as root: hand over to the packages' user, else to `nobody`."""
    if os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    sys.exit("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)


@contextmanager
def throw_away_cluster() -> Iterator[str]:
    """A cluster in a temporary folder, on a free port of 127.0.0.1 with a random password; gone afterwards."""
    folder, port, password = Path(tempfile.mkdtemp(prefix="portal-postgres-")), free_port(), secrets.token_hex(16)
    quiet = {"cwd": "/", "stdout": subprocess.DEVNULL, **unprivileged()}
    server = None
    try:
        make_data(folder, password, quiet)
        server = start_server(folder, port, quiet)
        url = f"postgres://portal:{password}@127.0.0.1:{port}/postgres"
        wait_until_it_answers(url, server, folder / "log")
        yield url
    finally:
        if server and server.poll() is None:
            server.send_signal(signal.SIGINT)  # "fast" shutdown: does not wait for connections
            server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def make_data(folder: Path, password: str, quiet: dict) -> None:
    (folder / "password").write_text(password)
    if "user" in quiet:
        for path in (folder, folder / "password"):
            os.chown(path, quiet["user"], quiet["group"])
    access = ["-U", "portal", "--pwfile", folder / "password", "-A", "scram-sha-256"]
    words = ["-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([find_program("initdb"), "-D", folder / "data", *access, *words], check=True, **quiet)


def start_server(folder: Path, port: int, quiet: dict) -> subprocess.Popen:
    where = ["-D", folder / "data", "-p", str(port), "-k", folder]
    options = [part for option in ["listen_addresses=127.0.0.1", *FAST] for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [find_program("postgres"), *where, *options], stderr=log, start_new_session=True, **quiet
        )


def run(command: list[str], url: str) -> int:
    try:
        return subprocess.call(command, env={**os.environ, "TEST_DATABASE_URL": url})
    except KeyboardInterrupt:
        return 130


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is stopped on the way out
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        try:
            psycopg.connect(given, connect_timeout=5).close()
        except psycopg.Error as error:
            sys.exit(f"TEST_POSTGRES_URL does not answer: {error}")
        return run(command, given)
    with throw_away_cluster() as url:
        return run(command, url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
