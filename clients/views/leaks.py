"""Whose is this? A secret that turned up somewhere, and the client it belongs to; rules for scanners to find more."""

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from clients import permissions
from clients.forms.leaks import PasteForm
from clients.models import Secret, SecretState
from clients.services.leaks import Found, find_owners
from clients.snippets import scanners
from clients.views.fetching import need, person, signed_in

TRIES = {"find": "20/m/key"}  # for a person: else it were an oracle for guessing secrets
SHOWN = 100


@sensitive_variables()
@sensitive_post_parameters()
@signed_in("GET", "POST")
def secret_find(request: HttpRequest) -> HttpResponse:
    """The answer holds endings, and nothing else of what was pasted."""
    user = person(request)
    need(user, permissions.can_find_secret)
    form = PasteForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _page(request, form, status=422 if form.is_bound else 200)
    if limited := ratelimit.consume_or_429(request, app="clients", action="find", key=str(user.pk), config=TRIES):
        return limited
    return _page(request, PasteForm(), found=find_owners(form.cleaned_data["text"], actor=user))


def _page(
    request: HttpRequest, form: PasteForm, *, found: list[Found] | None = None, status: int = 200
) -> HttpResponse:
    rows = [(each, emergency_address(each.secret) if each.secret else "") for each in (found or [])[:SHOWN]]
    context = {
        "nav": "whose", "form": form, "found": found, "rows": rows,
        "living": sum(each.is_living for each in found or []), "shape": scanners.SECRET, "scanners": scanners.SCANNERS,
    }  # fmt: skip
    response = render(request, "clients/secret_find.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def emergency_address(secret: Secret) -> str:
    """Where a living secret is revoked; one that is being created goes with its rotation."""
    if secret.state == SecretState.PENDING:
        return reverse("client-secrets", args=[secret.app_client.public_id])
    return reverse("secret-revoke", args=[secret.app_client.public_id, secret.public_id])


@signed_in("GET")
def scanner_rules(request: HttpRequest, name: str) -> HttpResponse:
    need(person(request), permissions.can_find_secret)
    (scanner,) = (each for each in scanners.SCANNERS if each.name == name)
    response = HttpResponse(scanner.text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{scanner.file_name}"'
    return response
