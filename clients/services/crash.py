"""Named points where the fault tests kill the process; nothing at all unless PORTAL_CRASH_AT is set."""

import os

from django.conf import settings


def crash(point: str) -> None:
    """Dies at once, as `kill -9` would, when this is the point asked for (failure_model.md section 4)."""
    if settings.CRASH_AT and point == settings.CRASH_AT:
        os._exit(137)
