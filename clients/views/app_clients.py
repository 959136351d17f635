"""Clients as a whole: the list, and creating one."""

from typing import Any

from django.db.models import Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.app_clients import CreateForm, TenantChoice, scope_groups, suggest_name, template_scopes
from clients.forms.attributes import attribute_lines, mark_problems, overrides_typed
from clients.forms.bulk import ContactForm
from clients.forms.errors import add_refusals, keep_typed
from clients.forms.filters import ClientFilter, saved_views
from clients.models import AppClient, Scope, Tenant, User, UserPool
from clients.services import claims
from clients.services.app_clients import create_client
from clients.views.addresses import to_clean_address
from clients.views.fetching import acting, need, person, signed_in
from clients.views.listing import capped_count, found_once, page_by_attention
from clients.views.outcome import status_of


@signed_in("GET")
def client_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_view_clients)
    if clean := to_clean_address(request):
        return clean
    filters = ClientFilter(request.GET, user=user)
    found = filters.apply(AppClient.objects.visible_to(user).present())
    if straight := _straight_to(request, filters):
        return straight
    found, count = found_once(found) if filters.is_used else (found, capped_count(found))
    page, following = page_by_attention(found.select_related("tenant", "pool", "contact"), request.GET.get("after", ""))
    prefetch_related_objects(page, "scopes", "secrets")
    is_first = "after" not in request.GET
    return render(
        request,
        "clients/client_list.html",
        {
            "nav": "clients", "page": page, "following": following, "filters": filters, "count": count,
            "is_first_page": is_first, "has_scopes": Scope.objects.exists(), "is_staff": user.is_staff_member,
            "views": saved_views(user),
            "is_empty": not page and is_first and not filters.is_used,
            "tenants": [] if page or not user.is_staff_member else _tenants_named(filters.chosen.get("q", "")),
        }
        | _acts(user),
    )  # fmt: skip


def _acts(user: User) -> dict[str, Any]:
    may_rotate = permissions.can_rotate_many(user)
    bulk = ContactForm(user=user) if permissions.can_set_contact(user) else None
    return {
        "may_create": permissions.can_create_client(user), "may_rotate": may_rotate, "bulk": bulk,
        "may_choose": bulk is not None or may_rotate,
    }  # fmt: skip


def _tenants_named(text: str) -> list[Tenant]:
    """Those without a client stand in no list of clients, and are looked for there all the same."""
    return list(Tenant.objects.filter(Q(name__icontains=text) | Q(slug__icontains=text))[:3]) if text else []


def _straight_to(request: HttpRequest, filters: ClientFilter) -> HttpResponse | None:
    """Where a search leads that needs no list: a whole client ID to its client, also a deleted one."""
    text = filters.chosen.get("q", "")
    if list(filters.chosen) != ["q"] or "after" in request.GET or acting(request):
        return None
    named = AppClient.objects.visible_to(person(request)).filter(client_id__in={text, text.lower()}).first()
    return redirect("client-overview", named.public_id) if named else None


# --- Create ----------------------------------------------------------------------------------------


@signed_in("GET", "POST")
def client_create(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_create_client)
    chosen = request.POST if request.method == "POST" else request.GET
    is_under_way = request.method == "POST"
    choice = TenantChoice(
        chosen if chosen.get("tenant") else None, initial=request.GET.dict(), is_under_way=is_under_way
    )
    if not choice.is_valid():
        empty = {"nav": "clients", "choice": choice, "pools": _pools()}
        empty["no_tenants"] = not Tenant.objects.exists()
        return render(request, "clients/client_create.html", empty, status=422 if is_under_way else 200)
    pool = choice.cleaned_data["pool"] or UserPool.objects.first()
    if pool is None:
        return render(request, "clients/client_create.html", {"nav": "clients", "choice": choice, "pools": []})
    draft = Draft(user, choice, pool, request)
    if request.method == "GET" or draft.is_preview or not draft.form.is_valid():
        return render(request, "clients/client_create.html", draft.context(), status=draft.status)
    return _create(request, draft)


def _pools() -> list[UserPool]:
    return list(UserPool.objects.all())


def _create(request: HttpRequest, draft: "Draft") -> HttpResponse:
    try:
        app_client = draft.create()
    except InvalidInput as error:
        draft.refuse(error)
        return render(request, "clients/client_create.html", draft.context(), status=422)
    except PortalError as error:
        draft.keep(error)
        return render(request, "clients/client_create.html", draft.context(), status=status_of(error))
    return redirect("client-overview", app_client.public_id)


class Draft:
    """A client as typed so far: form, scopes and attributes, and the token they would make."""

    def __init__(self, user: User, choice: TenantChoice, pool: UserPool, request: HttpRequest) -> None:
        self.user, self.choice, self.pool = user, choice, pool
        self.tenant: Tenant = choice.cleaned_data["tenant"]
        posted: QueryDict | None = request.POST if request.method == "POST" else None
        self.is_preview = posted is not None and not {"preview", "template"}.isdisjoint(posted)
        start: dict[str, Any] = {}
        chosen: QueryDict = request.GET if posted is None else posted
        if posted is None:
            lifetime = str(self.tenant.lifetime_days or "none")
            start = {"name": suggest_name(self.tenant, pool), "contact": user.pk, "secret_lifetime": lifetime}
        self.form = CreateForm(posted, initial=start)
        self.scopes = template_scopes(pool, chosen.get("template", ""))
        if posted is not None and "template" not in posted:
            self.scopes = posted.getlist("scopes")
        self.lines = attribute_lines(pool, self.tenant, overrides={}, typed=posted)
        self.is_refused = False
        self.scope_problems: list[str] = []

    @property
    def status(self) -> int:
        return 422 if self.form.is_bound and not self.is_preview and self.form.errors else 200

    def create(self) -> AppClient:
        values = self.form.cleaned_data
        return create_client(
            self.pool, actor=self.user, operation_id=values["operation_id"], tenant=self.tenant, name=values["name"],
            scopes=self.scopes, attributes=overrides_typed(self.lines), lifetime_days=self.form.lifetime_days,
            no_expiry_reason=values["no_expiry_reason"], contact=values["contact"],
            access_token_seconds=self.form.access_token_seconds,
        )  # fmt: skip

    def refuse(self, error: InvalidInput) -> None:
        self.is_refused = True
        rest = add_refusals(self.form, error)
        self.form.add_error(None, rest.pop("tenant", []))  # chosen before: there is no field of it here
        self.scope_problems = rest.pop("scopes", [])
        mark_problems(self.lines, rest)

    def keep(self, error: PortalError) -> None:
        """All that was typed, to be sent as another operation: the reason is about none of it."""
        self.is_refused = True
        keep_typed(self.form, error)

    def context(self) -> dict[str, Any]:
        is_validity_wrong = "validity_minutes" in self.form.errors
        preview = claims.preview(
            self.pool, self.tenant, overrides_typed(self.lines), scopes=sorted(self.scopes),
            access_token_seconds=None if is_validity_wrong else self.form.access_token_seconds,
        )  # fmt: skip
        if not any(line.problems for line in self.lines):
            mark_problems(self.lines, preview.problems)
        return {
            "nav": "clients", "draft": self, "choice": self.choice, "form": self.form, "preview": preview,
            "pools": _pools(), "groups": scope_groups(self.pool, self.scopes), "scope_count": len(self.scopes),
            "scope_problems": self.scope_problems, "lines": self.lines, "missing": preview.missing + self._unfit(),
        }  # fmt: skip

    def _unfit(self) -> list[str]:
        """What beside the attributes no token could be issued with."""
        found = [] if self.scopes else ["Choose a scope: without one every token request fails."]
        return found + [f"Token validity: {sentence}" for sentence in self.form.errors.get("validity_minutes", [])]
