"""Somebody was faster: what differs from the state as it is now, and the form again with what was typed."""

from typing import Any

from django.http import HttpRequest

from clients.errors import Conflict
from clients.models.ids import new_ulid

# Not carried over to a form opened anew: the state it was about, and the button that was pressed.
ANEW = ("csrfmiddlewaretoken", "operation_id", "generation", "save", "edit")
NOTHING = "—"


def conflict_told(
    request: HttpRequest, error: Conflict, *, wanted: dict[str, str], now: dict[str, str], generation: int,
    again: str, leave: str, drop: tuple[str, ...] = (), typed: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The context of `_conflict.html`.

    `wanted` and `now` say in words, by what it is, what was typed and what stands there; only what differs is shown.
    `again` answers a POST with `edit` by the form with what was typed, `leave` is the page without it. `typed` replaces
    the fields that were posted, less `drop`, as what the form opens with.
    """
    names = [name for name in wanted | now if wanted.get(name, "") != now.get(name, "")]
    carried = [(name, text) for name, text in typed.items()] if typed is not None else _posted(request, drop)
    return {
        "error": error, "again_url": again, "leave_url": leave, "carried": carried, "anew": new_ulid(),
        "seen_generation": generation,
        "differing": [(name, now.get(name) or NOTHING, wanted.get(name) or NOTHING) for name in names],
    }  # fmt: skip


def _posted(request: HttpRequest, drop: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every field of the form, and each value of one that has several."""
    skipped = (*ANEW, *drop)
    return [(name, str(text)) for name, texts in request.POST.lists() if name not in skipped for text in texts]
