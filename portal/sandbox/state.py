"""Saves what the sandbox knows every few seconds, so that a restart, even after `kill -9`, brings it back."""

import asyncio
import sys
import time

INTERVAL = 2.0
# However slow saving gets, `kill -9` costs at most five seconds.
LONGEST_PAUSE = 4.0
# A stack or a table may change behind the answer to its request, so saving goes on a little after the last one.
SETTLING = 4.0


class Saver:
    """Writes MiniStack's state when something may have changed since the last time."""

    def __init__(self):
        self._changed_at = 0.0
        self._saved_at = 0.0

    def mark(self):
        """Something may change from here on."""
        self._changed_at = time.monotonic()

    @property
    def is_due(self):
        return self._saved_at <= self._changed_at + SETTLING and self._changed_at > 0

    async def run(self):
        """Until cancelled: look every `INTERVAL` seconds, and pause longer after a slow save."""
        pause = INTERVAL
        while True:
            await asyncio.sleep(pause)
            if not self.is_due:
                continue
            started = time.monotonic()
            if await asyncio.to_thread(save):
                self._saved_at = started
            pause = min(max(INTERVAL, 3 * (time.monotonic() - started)), LONGEST_PAUSE)


def save():
    """Write every service's state, each file atomically. False when one could not be read: it is tried again."""
    from ministack import app
    from ministack.core import persistence

    complete = True
    for name, get_state in app._build_persistence_save_dict().items():
        settled, state = _settled(get_state)
        complete = complete and settled
        # A service without anything to report must not overwrite what an earlier run saved.
        if settled and state is not None:
            persistence.save_state(name, state)
    return complete


def _settled(get_state):
    """MiniStack copies its dictionaries while request threads may grow them: try again until one copy succeeds."""
    for _ in range(5):
        try:
            return True, get_state()
        except Exception as error:
            last = error
            time.sleep(0.02)
    print(f"Saving failed for now: {last!r}", file=sys.stderr)
    return False, None
