"""Operations: what the portal still owes Cognito, and what it gave up."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clients import permissions
from clients.errors import PortalError
from clients.models import Operation, ResourceServer, UserPool
from clients.services.operations import retry_operation
from clients.views.fetching import get_operation, need, person, signed_in
from clients.views.listing import cut
from clients.views.outcome import say_outcome
from clients.views.words import WORDS

VIEWS = {"": "Open", "all": "All"}


@signed_in("GET")
def operation_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_see_operations)
    view = request.GET.get("view", "")
    rows = Operation.objects.select_related("app_client", "actor", "pool")
    if view not in VIEWS or not view:  # what an ended one left undone counts until a later change made it good
        rows = rows.unfinished()
    after = request.GET.get("after", "")
    page, following = cut(rows, key="id", after=after if after.isalnum() else "")
    context = {
        "nav": "operations", "page": _lines(page), "following": following,
        "views": list(VIEWS.items()), "view": view if view in VIEWS else "",
        "may_retry": permissions.can_retry_operation(user),
        "pools": UserPool.objects.exclude(foreign_clients=[]) if not view else [],
    }  # fmt: skip
    return render(request, "clients/operation_list.html", context)


def _lines(page: list[Operation]) -> list[tuple[Operation, str, str, int | None]]:
    """(operation, what it does, the resource server it is about and that row's key if it is here)."""
    about = {row.pk: row.params.get("server") or row.params.get("identifier", "") for row in page if not row.app_client}
    found = ResourceServer.objects.filter(identifier__in=set(about.values()))
    servers = {(pool, identifier): pk for pk, pool, identifier in found.values_list("pk", "pool_id", "identifier")}
    names = [(row, about.get(row.pk, "")) for row in page]
    return [(row, WORDS.get(row.kind, row.kind), name, servers.get((row.pool_id, name))) for row, name in names]


@signed_in("POST")
def operation_retry(request: HttpRequest, operation_id: str) -> HttpResponse:
    operation = get_operation(request, operation_id, permissions.can_retry_operation)
    try:
        operation = retry_operation(operation, actor=person(request))
    except PortalError as error:
        messages.error(request, error.sentence)
    else:
        say_outcome(request, operation, "It is done.")
    if operation.app_client is not None and "client" in request.POST:
        return redirect("client-overview", operation.app_client.public_id)
    return redirect("operation-list")
