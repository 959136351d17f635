"""How far publishing is, told from the rows: a page loaded again says how far it has come."""

from dataclasses import dataclass
from typing import Any

from clients.models import Status


@dataclass(frozen=True)
class Progress:
    """`error` is the sentence of one that failed; the worker goes on trying."""

    done: int
    total: int
    error: str


def progress_of(app_clients: Any) -> Progress | None:
    """None when the table holds what the model says for all of them. Clients being created come with their own."""
    present = app_clients.present().exclude(status=Status.CREATING)
    waiting = present.unpublished()
    left = waiting.count()
    if not left:
        return None
    error = waiting.exclude(publish_error="").values_list("publish_error", flat=True).first() or ""
    total = present.filter(client_id__isnull=False).count()
    return Progress(total - left, total, error)
