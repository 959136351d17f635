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
    initdb, postgres, as_user = find_program("initdb"), find_program("postgres"), unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
    password, port = secrets.token_hex(16), free_port()
    (folder / "password").write_text(password)
    if as_user:
        for path in (folder, folder / "password"):
            os.chown(path, as_user["user"], as_user["group"])
    quiet = {"cwd": "/", "stdout": subprocess.DEVNULL, **as_user}
    server = None
    try:
        subprocess.run(
            [
                initdb,
                "-D",
                folder / "data",
                "-U",
                "portal",
                "--pwfile",
                folder / "password",
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            **quiet,
        )
        options = [part for option in FAST for part in ("-c", option)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    postgres,
                    "-D",
                    folder / "data",
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    "-c",
                    "listen_addresses=127.0.0.1",
                    *options,
                ],
                stderr=log,
                start_new_session=True,
                **quiet,
            )
        url = f"postgres://portal:{password}@127.0.0.1:{port}/postgres"
        wait_until_it_answers(url, server, folder / "log")
        yield url
    finally:
        if server and server.poll() is None:
            server.send_signal(signal.SIGINT)  # "fast" shutdown: does not wait for connections
            server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


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
