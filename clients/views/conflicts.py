"""Somebody was faster: what this person changed and stands otherwise now, and the form again with it."""

from typing import Any

from clients.errors import Conflict
from clients.forms.editing import EditForm, Line
from clients.models.ids import new_ulid


def conflict_told(
    error: Conflict, *, differing: list[Line], carried: list[tuple[str, str]], generation: int, again: str, leave: str,
    is_stale: bool = True, is_under_way: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The context of `_conflict.html`.

    `differing` is shown where the form is older than what it is about; else something else is in the way, such as
    another change under way. `again` answers a POST of `carried` with `edit` by the form, `leave` is the page without.
    """
    return {
        "error": error, "again_url": again, "leave_url": leave, "carried": carried, "anew": new_ulid(),
        "seen_generation": generation, "differing": differing, "is_stale": is_stale, "is_under_way": is_under_way,
    }  # fmt: skip


def edit_conflict(
    error: Conflict, form: EditForm, fresh: EditForm, *, again: str, leave: str, is_under_way: bool = False
) -> dict[str, Any]:
    """The same for a form that knows what it was opened with; `fresh` is the form as it opens now."""
    differing, generation = form.differences(fresh), fresh["generation"].value()
    is_gone = form.touched(fresh).keys() - fresh.controls().keys()
    is_stale = form.cleaned_data.get("generation") != generation or bool(is_gone)
    return conflict_told(
        error, differing=differing, carried=form.merged(fresh), generation=generation, again=again, leave=leave,
        is_stale=is_stale, is_under_way=is_under_way and not is_stale,
    )  # fmt: skip
