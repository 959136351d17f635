"""The clients list as CSV: the same rows by the same filters, or those ticked on a page of it; never a secret."""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from clients import permissions
from clients.forms.bulk import ChosenForm
from clients.forms.filters import ClientFilter
from clients.models import AppClient, User
from clients.services.exports import record_client_export
from clients.templatetags.portal import flags, living
from clients.views.bulk import back_to_list
from clients.views.fetching import need, person, signed_in

AT_ONCE = 500
# A sign that begins a formula, in full width too, first in a cell or after what may end one, after any blanks.
FORMULA = re.compile(r'((?:^|[;,\t\r\n])[\s"\u200b-\u200f\u2060\ufeff]*)([=+\-@\uff1d\uff0b\uff0d\uff20])')
COLUMNS = (
    "Name", "Client ID", "Tenant", "Pool", "Scopes", "Secret endings", "Secret created (UTC)", "Expires (UTC)",
    "Last token (UTC)", "Status", "Flags", "Contact",
)  # fmt: skip


@signed_in("GET", "POST")
def client_export(request: HttpRequest) -> HttpResponseBase:
    """By GET what the filters leave, by POST what is ticked: an address has no room for a page of ids."""
    user = person(request)
    need(user, permissions.can_export_clients)
    present = AppClient.objects.visible_to(user).present()
    if request.method == "POST":
        form = ChosenForm(request.POST, user=user)
        if not form.is_valid():
            return back_to_list(request, f"{form.problem} Nothing was exported.")
        ids = [app_client.public_id for app_client in form.cleaned_data["chosen"]]
        return _file(present.filter(public_id__in=ids), user, {"chosen": ids})
    filters = ClientFilter(request.GET, user=user)
    return _file(filters.apply(present), user, filters.chosen)


def _file(found: Any, user: User, filters: dict[str, Any]) -> HttpResponseBase:
    record_client_export(found.count(), actor=user, filters=filters)
    name = f"clients-{timezone.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8", headers=headers)


class Echo:
    """What csv writes to: hands each line on."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: Any) -> Iterator[str]:
    rows = rows.select_related("tenant", "pool", "contact").prefetch_related("scopes", "secrets")
    found = rows.order_by("name", "pk").iterator(chunk_size=AT_ONCE)
    yield from csv_lines(COLUMNS, (_cells(app_client) for app_client in found))


def csv_lines(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Spreadsheets are who reads this: they want the mark at the beginning to see that it is UTF-8."""
    writer = csv.writer(Echo(), quoting=csv.QUOTE_ALL)
    yield "\ufeff" + writer.writerow(columns)
    for row in rows:
        yield writer.writerow([safe_cell(cell) for cell in row])


def _cells(app_client: AppClient) -> list[str]:
    held = living(app_client)
    return [
        app_client.name, app_client.client_id or "", app_client.tenant.name, app_client.pool.environment,
        " ".join(scope.full_name for scope in app_client.scopes.all()), " ".join(f"…{s.ending}" for s in held),
        _utc(held[0].created_at) if held else "", _utc(app_client.expires_at), _utc(app_client.last_token_at),
        app_client.get_status_display(), ", ".join(word for _, _, word in flags(app_client)),
        str(app_client.contact or ""),
    ]  # fmt: skip


def _utc(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def safe_cell(cell: str) -> str:
    """With an apostrophe before whatever could be a formula (owasp.org/www-community/attacks/CSV_Injection). Quotes do
    not keep a cell whole: where cells end at a semicolon, as in much of Europe, the first quotes close early
    and what follows is split wherever a cell holds one."""
    return FORMULA.sub(r"\1'\2", cell)
