"""The clients list as CSV: the same rows by the same filters, or those ticked on a page of it; never a secret."""

import csv
import re
from collections.abc import Iterator
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
FORMULA = re.compile(r"(?:^|[;,\t\r\n])\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
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
    """Spreadsheets are who reads this: they want the mark at the beginning to see that it is UTF-8."""
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)
    rows = rows.select_related("tenant", "pool", "contact").prefetch_related("scopes", "secrets")
    for app_client in rows.order_by("name", "pk").iterator(chunk_size=AT_ONCE):
        yield writer.writerow([safe_cell(cell) for cell in _cells(app_client)])


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
    """A cell that begins like a formula is one to a spreadsheet, in full width too; and so is what begins like one
    after a sign that some locales take for the end of a cell (owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{cell}" if FORMULA.search(cell) else cell
