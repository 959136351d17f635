"""The order of the clients list, and how it is cut into pages: by key, not by number."""

from typing import Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Value, When

from clients.models import AppClient, Secret, Status

PAGE = 50
COUNT_CAP = 1000


def capped_count(rows: Any) -> str:
    """Counting stops at a thousand: a list needs "many", not a full scan."""
    found = rows.order_by()[: COUNT_CAP + 1].count()
    return f"{COUNT_CAP:,}+" if found > COUNT_CAP else f"{found:,}"


def by_attention(rows: Any) -> Any:
    """What needs somebody first: creating, unpublished, undelivered, expiring, then the rest, newest first."""
    soon = AppClient.objects.expiring().values("pk")
    undelivered = Secret.objects.undelivered().filter(app_client=OuterRef("pk"))
    rank = Case(
        When(status=Status.CREATING, then=Value(0)),
        When(Q(document_version__gt=F("published_version")), then=Value(1)),
        When(Exists(undelivered), then=Value(2)),
        When(pk__in=soon, then=Value(3)),
        default=Value(9),
        output_field=IntegerField(),
    )
    return rows.annotate(rank=rank).order_by("rank", "-public_id")


def page_after(rows: Any, after: str) -> tuple[list[AppClient], str]:
    """One page behind the key, and the key of the next one ("" when this is the last)."""
    rank, _, public_id = after.partition("-")
    if rank.isdecimal() and len(rank) == 1 and public_id.isalnum():
        rows = rows.filter(Q(rank__gt=int(rank)) | Q(rank=int(rank), public_id__lt=public_id))
    found = list(rows[: PAGE + 1])
    if len(found) <= PAGE:
        return found, ""
    return found[:PAGE], f"{found[PAGE - 1].rank}-{found[PAGE - 1].public_id}"


def cut(rows: Any, *, key: str, after: str) -> tuple[list[Any], str]:
    """The same for a list in descending order of one field."""
    if after:
        rows = rows.filter(**{f"{key}__lt": after})
    found = list(rows.order_by(f"-{key}")[: PAGE + 1])
    return found[:PAGE], str(getattr(found[PAGE - 1], key)) if len(found) > PAGE else ""
