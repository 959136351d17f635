"""The order of the clients list, and how it is cut into pages: by key, not by number."""

from typing import Any

from django.db.models import IntegerField, Subquery, Value
from django.db.models.functions import Lower
from django.http import HttpRequest

from clients.models import AppClient, attention_needs

PAGE = 50
COUNT_CAP = 1000
FEW = 200
SEARCH_MAX = 200


def asked_for(request: HttpRequest) -> str:
    """What a list is searched for; no database can be asked for a NUL."""
    return request.GET.get("q", "").strip().replace("\x00", "")[:SEARCH_MAX]


def capped_count(rows: Any) -> str:
    """Counting stops at a thousand: a list needs "many", not a full scan."""
    return _in_words(rows.order_by()[: COUNT_CAP + 1].count())


class CountUpTo(Subquery):
    """How many rows of a cut query there are, beside each row of the query around it."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) cut)"
    output_field = IntegerField()


def _in_words(found: int) -> str:
    return f"{COUNT_CAP:,}+" if found > COUNT_CAP else f"{found:,}"


def found_once(rows: Any) -> tuple[Any, str]:
    """What a search or filter leaves, and how many, asked once: of few rows each rank then looks at those alone, and
    where many fit a page is full long before all were looked at."""
    keys = list(rows.order_by().values_list("pk", flat=True)[: COUNT_CAP + 1])
    return (rows if len(keys) > FEW else rows.model.objects.filter(pk__in=keys)), _in_words(len(keys))


def page_by_attention(rows: Any, after: str) -> tuple[list[AppClient], str]:
    """One page behind the key, and the key of the next one ("" when this is the last): who needs somebody, then the
    calm rest, newest first within each. One rank after the other is read along its key until the page is full: nothing
    is sorted whole, so that many clients cost what few do."""
    needs = attention_needs()
    first, below = _read_key(after, len(needs))
    found: list[AppClient] = []
    for rank in range(first, len(needs) + 1):
        members = rows.filter(needs[rank]) if rank < len(needs) else rows
        for more_pressing in needs[:rank]:
            members = members.exclude(more_pressing)
        if below and rank == first:
            members = members.filter(public_id__lt=below)
        # The few are found by their index and then sorted; only the calm are many enough to be walked in their order.
        newest_first = "-public_id" if rank == len(needs) else Lower("public_id").desc()
        found += members.annotate(rank=Value(rank)).order_by(newest_first)[: PAGE + 1 - len(found)]
        if len(found) > PAGE:
            last = found[PAGE - 1]
            return found[:PAGE], f"{last.rank}-{last.public_id}"  # type: ignore[attr-defined]
    return found, ""


def _read_key(after: str, highest: int) -> tuple[int, str]:
    """The rank to begin with and the id to begin below; the beginning for a key that is none of ours."""
    rank, _, public_id = after.partition("-")
    if rank.isascii() and rank.isdecimal() and len(rank) == 1 and int(rank) <= highest and public_id.isalnum():
        return int(rank), public_id
    return 0, ""


def cut(rows: Any, *, key: str, after: str) -> tuple[list[Any], str]:
    """The same for a list in descending order of one field."""
    if after:
        rows = rows.filter(**{f"{key}__lt": after})
    found = list(rows.order_by(f"-{key}")[: PAGE + 1])
    return found[:PAGE], str(getattr(found[PAGE - 1], key)) if len(found) > PAGE else ""


def cut_ascending(rows: Any, *, key: str, after: str, length: int) -> tuple[list[Any], str]:
    """The same in ascending order of a unique text."""
    if after and "\x00" not in after:
        rows = rows.filter(**{f"{key}__gt": after})
    found = list(rows.order_by(key)[: length + 1])
    return found[:length], str(getattr(found[length - 1], key)) if len(found) > length else ""
