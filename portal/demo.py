"""`make demo`: sandbox, worker and web server as one; knows processes and files, no domain words."""

import base64
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from json import loads
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 60.0


class Failed(Exception):
    """The sentence to end with."""


class Stopped(Exception):
    """Somebody asked us to stop."""


# --- What is where --------------------------------------------------------------------------------


def read_port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise Failed(f"{name}={text} is no port: use a number from 1 to 65535, for example make demo {name}={default}.")
    return int(text)


def refuse_busy(name: str, port: int) -> None:
    """Both addresses of localhost are tried: a browser may take either."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Failed(
                    f"Port {port} is busy: stop what listens there, or choose another one with"
                    f" make demo {name}={port + 1}."
                ) from None
            if error.errno == errno.EACCES:
                raise Failed(f"Port {port} may not be opened: choose one above 1023, as in {name}=8000.") from None
            # No IPv6 on this machine: nothing can be busy there.


def random_key() -> str:
    return f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def write_environment(var: Path, port: int, sandbox_port: int) -> dict[str, str]:
    """var/demo.env: keys made once and kept (they open what lies in the database), addresses as of this start."""
    file = var / "demo.env"
    lines = file.read_text().splitlines() if file.exists() else []
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    values = {
        "SECRET_KEY": known.get("SECRET_KEY") or secrets.token_urlsafe(50),
        "SEALING_KEYS": known.get("SEALING_KEYS") or random_key(),
        "FINGERPRINT_KEYS": known.get("FINGERPRINT_KEYS") or random_key(),
        "PORTAL_DEMO": "1",
        "PORTAL_ORGANISATION": "Harbourline",
        "PORTAL_BASE_URL": f"http://localhost:{port}",
        "PORTAL_VAR_DIR": str(var),
        "DATABASE_URL": f"sqlite:///{var / 'portal.sqlite3'}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "PORTAL_OUTBOUND_HOSTS": "127.0.0.1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{sandbox_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write("".join(f"{name}={value}\n" for name, value in values.items()))
    os.replace(new, file)
    return child_environment(file, values)


def child_environment(file: Path, values: dict[str, str]) -> dict[str, str]:
    """What the demo says wins over the shell: no AWS profile, database or setting of a person reaches the children."""
    ours = ("AWS_", "PORTAL_", "DJANGO_", "GUNICORN_", "DEBUG", "SECURE_", "EMAIL_", "COGNITO_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **values, **nobody, "PORTAL_ENV_FILE": str(file), "PYTHONUNBUFFERED": "1"}


def lock_folder(var: Path):
    """Held as long as this process lives, however it ends."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = (var / "demo.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(
            f"A demo is running from this folder already; its address stands in {shown(var / 'demo.json')}."
        ) from None
    return handle


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


# --- Processes --------------------------------------------------------------------------------------


def die_with_parent() -> None:
    """Linux only: even after `kill -9` of the supervisor no child is left. Elsewhere a clean stop does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class House:
    """The running processes, in the order they were started; they end in the opposite one."""

    def __init__(self, var: Path, env: dict[str, str]) -> None:
        self.env, self.logs = env, var / "log"
        self.logs.mkdir(exist_ok=True)
        self.children: dict[str, subprocess.Popen] = {}
        self.parent = os.getppid()

    def start(self, name: str, *command: str) -> None:
        # A session of its own: Ctrl-C reaches the supervisor alone, which then ends the children in order.
        with (self.logs / f"{name}.log").open("wb") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip

    def run(self, *arguments: str) -> None:
        """One manage.py command to its end, its words on our screen."""
        command = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.children["manage"] = command
        self.wait(lambda: command.poll() is not None, f"manage.py {arguments[0]}", 10 * PATIENCE)
        del self.children["manage"]
        if command.returncode:
            raise Failed(f"manage.py {arguments[0]} failed; the reason stands above.")

    def wait(self, is_done: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            self.look()
            if time.monotonic() > deadline:
                raise Failed(f"{what} took longer than {seconds:.0f} seconds; see {shown(self.logs)}.")
            time.sleep(0.05)

    def look(self) -> None:
        """Notices a child that ended by itself, and a `make` that was killed above us."""
        for name, child in self.children.items():
            if name != "manage" and child.poll() is not None:
                ending = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
                said = f"The process {name} has ended (exit code {child.returncode}). Its last words:"
                raise Failed("\n".join([said, *ending]))
        if "MAKELEVEL" in os.environ and os.getppid() != self.parent:
            raise Stopped

    def stop(self) -> None:
        for name in reversed(self.children):
            child = self.children[name]
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    pass
            # Whatever the child itself had started: gunicorn's workers, the sandbox's Lambdas and Node.js.
            end_group(child.pid)
            child.wait()
        self.children.clear()


def end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        raise Failed(f"The web server answers {error.code} at {url}; see var/log/web.log.") from None
    except OSError:
        return False


# --- The demo ---------------------------------------------------------------------------------------


def bring_up(house: House, var: Path, port: int, sandbox_port: int) -> None:
    house.start("sandbox", "-m", "portal.sandbox", "--port", str(sandbox_port), "--state-dir", str(var / "sandbox"))
    house.run("seed_demo")
    house.start("worker", "manage.py", "worker")
    house.start(
        "web", "-m", "gunicorn", "portal.wsgi", "--config", "python:portal.web_log", "--bind", f"127.0.0.1:{port}",
        "--workers", "1", "--threads", "8", "--access-logfile", "-", "--no-control-socket",
    )  # fmt: skip
    house.wait(lambda: answers(f"http://127.0.0.1:{port}/account/login/"), "Starting the web server")


def announce(var: Path) -> None:
    facts = loads((var / "demo.json").read_text())
    print(f"\n  {facts['url']}\n")
    width = max((len(login["email"]) for login in facts.get("logins", {}).values()), default=0)
    for role, login in facts.get("logins", {}).items():
        print(f"  {role:<14} {login['email']:<{width}}  {login['password']}")
    print(f"\nEverything for scripts: {shown(var / 'demo.json')}. Logs: {shown(var / 'log')}.")
    print("Ctrl-C stops it; the data stays.")


def run_demo(var: Path) -> int:
    port, sandbox_port = read_port("PORT", 8000), read_port("SANDBOX_PORT", 4566)
    if port == sandbox_port:
        raise Failed(f"PORT and SANDBOX_PORT are both {port}: choose another one, as in SANDBOX_PORT={port + 1}.")
    refuse_busy("PORT", port)
    refuse_busy("SANDBOX_PORT", sandbox_port)
    lock = lock_folder(var)
    house = House(var, write_environment(var, port, sandbox_port))
    try:
        bring_up(house, var, port, sandbox_port)
        announce(var)
        house.wait(lambda: False, "The demo", float("inf"))
    except Stopped:
        print("Stopping ...")
    finally:
        house.stop()
        lock.close()
    return 0


def reset(var: Path) -> int:
    """Throws away what the demo made, and nothing else in the folder."""
    lock = lock_folder(var)
    for folder in ("sandbox", "log", "mail"):
        shutil.rmtree(var / folder, ignore_errors=True)
    for file in [*var.glob("portal.sqlite3*"), *var.glob("demo.json*"), *var.glob("demo.env*")]:
        file.unlink()
    lock.close()
    print("The demo's data is gone; make demo begins anew.")
    return 0


def stop_requested(*_) -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleaning up
    raise Stopped


def main(arguments: list[str]) -> int:
    for number in STOPPING:
        signal.signal(number, stop_requested)
    os.umask(0o077)  # what is under var/ is this person's alone
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    var = Path(os.environ.get("PORTAL_VAR_DIR") or ROOT / "var").resolve()
    try:
        return reset(var) if "--reset" in arguments else run_demo(var)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except Stopped:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
