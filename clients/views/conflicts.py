"""Somebody was faster: who, what they changed, what this person changed and stands otherwise now, the form again."""

from typing import Any

from clients.errors import Conflict
from clients.forms.editing import EditForm, Line
from clients.models import AppClient, AttributeDefinition, AuditEntry, Outcome, ResourceServer, Tenant
from clients.models.ids import new_ulid
from clients.views.words import WORDS

# Acts that change what such a form is about; others may outdate it, too, so nobody is said to have been the one. The
# trail is looked at a little way back: it was a moment ago.
CLIENT = ("client:change", "client:change_lifetime", "client:set_contact", "client:attributes", "client:pause",
          "client:resume", "client:delete", "scope:release")  # fmt: skip
TENANT = ("tenant:change", "tenant:change_policies", "tenant:set_values", "tenant:pause", "tenant:resume",
          "tenant:off_board")  # fmt: skip
ATTRIBUTE = ("attribute:change", "attribute:retire", "attribute:restore")
SERVER = (
    "resource_server:adopt",
    "resource_server:change",
    "resource_server:change_api",
    "scope:retire",
    "scope:removed",
)
BACK = 500


def last_change(row: Any) -> AuditEntry | None:
    """The newest of them that is done: one under way or refused has changed nothing yet."""
    last = AuditEntry.objects.values_list("sequence", flat=True).first() or 0
    lately = AuditEntry.objects.filter(sequence__gt=last - BACK, outcome=Outcome.OK)
    found = lately.select_related("actor", "app_client", "tenant")
    if isinstance(row, AppClient):
        return found.filter(app_client=row, action__in=CLIENT).first()
    if isinstance(row, Tenant):
        return found.filter(tenant=row, app_client=None, action__in=TENANT).first()
    if isinstance(row, AttributeDefinition):
        return found.filter(action__in=ATTRIBUTE, detail__claim_name=row.claim_name).first()
    if isinstance(row, ResourceServer):
        return found.filter(action__in=SERVER, pool=row.pool_id, detail__identifier=row.identifier).first()
    raise TypeError(f"no form is about {row!r}")


def conflict_told(
    error: Conflict, *, differing: list[Line], carried: list[tuple[str, str]], generation: int, again: str, leave: str,
    is_stale: bool = True, is_under_way: bool = False, changed: AuditEntry | None = None,
    meanwhile: list[tuple[str, str, str]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The context of `_conflict.html`.

    `differing` is shown where the form is older than what it is about; else something else is in the way, such as
    another change under way. `changed` is who was faster, `meanwhile` what they changed and this person did not.
    `again` answers a POST of `carried` with `edit` by the form, `leave` is the page without.
    """
    return {
        "error": error, "again_url": again, "leave_url": leave, "carried": carried, "anew": new_ulid(),
        "seen_generation": generation, "differing": differing, "is_stale": is_stale, "is_under_way": is_under_way,
        "changed_by": changed if is_stale else None, "changed_act": WORDS[changed.action] if changed else "",
        "meanwhile": (meanwhile or []) if is_stale else [],
    }  # fmt: skip


def edit_conflict(
    error: Conflict, form: EditForm, fresh: EditForm, row: Any, *, again: str, leave: str, is_under_way: bool = False
) -> dict[str, Any]:
    """The same for a form about `row` that knows what it was opened with; `fresh` is the form as it opens now."""
    differing, generation = form.differences(fresh), fresh["generation"].value()
    is_gone = form.touched(fresh).keys() - fresh.controls().keys()
    is_stale = form.cleaned_data.get("generation") != generation or bool(is_gone)
    return conflict_told(
        error, differing=differing, carried=form.merged(fresh), generation=generation, again=again, leave=leave,
        is_stale=is_stale, is_under_way=is_under_way and not is_stale, changed=last_change(row),
        meanwhile=form.meanwhile(fresh),
    )  # fmt: skip
