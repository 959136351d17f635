"""Public ids: ULIDs, sortable by time, not guessable, safe in URLs and in Cognito's names."""

import secrets
import threading
import time

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


_last = 0
_counting = threading.Lock()


def new_ulid() -> str:
    """26 characters: 48 bits of milliseconds, 80 bits of randomness (github.com/ulid/spec, with its monotonic rule:
    within one process a later id is never smaller, also in the same millisecond)."""
    global _last
    with _counting:
        number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
        if number >> 80 == _last >> 80 and number <= _last:
            number = _last + 1 + secrets.randbits(32)
        _last = number
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))
