"""The order of the clients list, and how it is cut into pages: by key, not by number."""

from datetime import timedelta
from typing import Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Value, When
from django.utils import timezone

from clients.models import AppClient, Secret, Status

PAGE = 50
COUNT_CAP = 1000


def capped_count(rows: Any) -> str:
    """Counting stops at a thousand: a list needs "many", not a full scan."""
    found = rows.order_by()[: COUNT_CAP + 1].count()
    return f"{COUNT_CAP:,}+" if found > COUNT_CAP else f"{found:,}"


def _needy() -> Q:
    """What needs somebody. Each term has an index, so that finding the few costs the same among any number."""
    undelivered = Secret.objects.undelivered().values("app_client")
    return (
        Q(status=Status.CREATING)
        | Q(document_version__gt=F("published_version"))
        | Q(pk__in=undelivered)
        | Q(expires_at__lte=timezone.now() + timedelta(days=30))
    )


def _ranked(rows: Any) -> Any:
    undelivered = Secret.objects.undelivered().filter(app_client=OuterRef("pk"))
    rank = Case(
        When(status=Status.CREATING, then=Value(0)),
        When(document_version__gt=F("published_version"), then=Value(1)),
        When(Exists(undelivered), then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    return rows.filter(_needy()).annotate(rank=rank).order_by("rank", "-public_id")


CALM = 9


def page_by_attention(rows: Any, after: str) -> tuple[list[AppClient], str]:
    """One page behind the key, and the key of the next one ("" when this is the last): creating, unpublished,
    undelivered, expiring, then the calm rest, newest first. The rest is read along its key, never sorted whole."""
    rank, _, public_id = after.partition("-")
    is_key = rank.isdecimal() and len(rank) == 1 and public_id.isalnum()
    found: list[AppClient] = []
    if not is_key or int(rank) < CALM:
        needy = _ranked(rows)
        if is_key:
            needy = needy.filter(Q(rank__gt=int(rank)) | Q(rank=int(rank), public_id__lt=public_id))
        found = list(needy[: PAGE + 1])
    if len(found) <= PAGE:
        calm = rows.exclude(_needy()).annotate(rank=Value(CALM)).order_by("-public_id")
        if is_key and int(rank) == CALM:
            calm = calm.filter(public_id__lt=public_id)
        found += calm[: PAGE + 1 - len(found)]
    if len(found) <= PAGE:
        return found, ""
    last = found[PAGE - 1]
    return found[:PAGE], f"{last.rank}-{last.public_id}"  # type: ignore[attr-defined]


def cut(rows: Any, *, key: str, after: str) -> tuple[list[Any], str]:
    """The same for a list in descending order of one field."""
    if after:
        rows = rows.filter(**{f"{key}__lt": after})
    found = list(rows.order_by(f"-{key}")[: PAGE + 1])
    return found[:PAGE], str(getattr(found[PAGE - 1], key)) if len(found) > PAGE else ""
