"""How views find what they are about: fetching and permission are one step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404

from clients.errors import scrubbed
from clients.models import AppClient, AttributeDefinition, Operation, Rotation, Secret, Tenant, User
from clients.views.errors import method_not_allowed

View = Callable[..., HttpResponseBase]
Predicate = Callable[[Any], bool]


def signed_in(*methods: str) -> Callable[[View], View]:
    """Signed-in people only, and these methods only; anything else gets a page that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                return method_not_allowed(request, methods)
            return view(request, *args, **kwargs)

        return checked

    return decorate


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """And back to the page they wanted; what looks like a secret in its address goes no further."""
    return redirect_to_login(scrubbed(request.get_full_path()))


def person(request: HttpRequest) -> User:
    """The signed-in person; views behind `signed_in` have one."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


@dataclass(frozen=True)
class Acting:
    """Staff who look at a tenant's pages as its managers see them."""

    by: User
    tenant: Tenant


def acting(request: HttpRequest) -> Acting | None:
    return getattr(request, "acting", None)


def need(user: User, can: Predicate) -> None:
    if not can(user):
        raise PermissionDenied


def get_app_client(request: HttpRequest, public_id: str, can: Predicate) -> AppClient:
    """Not visible: 404. Visible but not allowed: 403."""
    rows = AppClient.objects.visible_to(request.user).select_related("pool", "tenant", "contact", "created_by")
    app_client = get_object_or_404(rows, public_id=public_id)
    need(person(request), can)
    return app_client


def get_secret(app_client: AppClient, public_id: str) -> Secret:
    return get_object_or_404(Secret.objects.select_related("app_client__pool", "app_client__tenant"),
                             app_client=app_client, public_id=public_id)  # fmt: skip


def get_rotation(request: HttpRequest, public_id: str, can: Predicate) -> Rotation:
    """Staff all, members their tenant's; what only waits for staff is not there for members."""
    user = person(request)
    related = ("app_client__pool", "app_client__tenant", "app_client__contact", "old_secret", "new_secret",
               "started_by", "acknowledged_by")  # fmt: skip
    rows = Rotation.objects.visible_to(user).select_related(*related)
    rotation = get_object_or_404(rows, public_id=public_id)
    need(user, can)
    return rotation


def get_operation(request: HttpRequest, operation_id: str, can: Predicate) -> Operation:
    """Members see no operations at all: 404 to them."""
    user = person(request)
    rows = Operation.objects.select_related("pool", "app_client", "actor")
    operation = get_object_or_404(rows if user.is_staff_member else rows.none(), pk=operation_id)
    need(user, can)
    return operation


def get_tenant(request: HttpRequest, slug: str, can: Predicate) -> Tenant:
    """Members meet no tenant here, their own neither: 404 to them."""
    user = person(request)
    rows = Tenant.objects.select_related("contact")
    tenant = get_object_or_404(rows if user.is_staff_member else rows.none(), slug=slug)
    need(user, can)
    return tenant


def get_definition(request: HttpRequest, pk: int, can: Predicate) -> AttributeDefinition:
    """Members meet no definitions: 404 to them."""
    user = person(request)
    rows = AttributeDefinition.objects.all()
    definition = get_object_or_404(rows if user.is_staff_member else rows.none(), pk=pk)
    need(user, can)
    return definition
