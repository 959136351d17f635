"""One process: MiniStack inside, our rules around it, on 127.0.0.1 only."""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys

from portal.sandbox import environment

BACKLOG = 512


def main(port, state_dir):
    """Run the sandbox until SIGTERM or SIGINT; 0 after a clean stop, 1 when port or folder is taken."""
    listener = _listen(port)
    if listener is None:
        print(f"Port {port} on 127.0.0.1 is in use: stop what runs there or choose another port.", file=sys.stderr)
        return 1
    port = listener.getsockname()[1]
    folder = environment.private_folder(state_dir)
    claim = _claim(folder)
    if claim is None:
        print(f"Another sandbox uses {folder}: stop it or choose another state folder.", file=sys.stderr)
        return 1
    os.umask(0o077)
    environment.enter(port, folder)
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with claim:
        asyncio.run(_serve(listener, port, folder))
    return 0


def _listen(port):
    """The listening socket, or None when the port is taken. Bound before anything is loaded: refusing is quick."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        return None
    return listener


def _claim(folder):
    """The folder's lock, held until the process ends, or None: two sandboxes would overwrite each other's state."""
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


async def _serve(listener, port, folder):
    # Not at the top: MiniStack reads the environment when it is imported.
    from hypercorn.asyncio import serve

    from portal.sandbox import gateway, state

    saver = state.Saver()
    app = gateway.build(port, folder, saver)
    stopping = _stop_signal()
    saving = asyncio.create_task(saver.run())
    announcing = asyncio.create_task(_announce(app, port, folder))
    await serve(app, _configuration(listener), shutdown_trigger=stopping.wait)
    # MiniStack itself saved everything at the end of its lifespan.
    for task in (saving, announcing):
        task.cancel()


def _configuration(listener):
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = "ERROR"
    return config


def _stop_signal():
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def _announce(app, port, folder):
    await app.started.wait()
    print(f"Sandbox ready on http://127.0.0.1:{port}, state in {folder}", flush=True)
