"""Public ids: ULIDs, sortable by time, not guessable, safe in URLs and in Cognito's names."""

import secrets
import time

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid() -> str:
    """26 characters: 48 bits of milliseconds, 80 bits of randomness (github.com/ulid/spec)."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))
