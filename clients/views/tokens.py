"""Get a token: as the customer's server would, with a secret from memory."""

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from clients import permissions
from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.tokens import TokenForm
from clients.models import AppClient
from clients.sealing import SecretValue
from clients.services.tokens import get_token
from clients.views.client_page import client_page
from clients.views.fetching import get_app_client, person, signed_in

TRIES = {"token": "10/m/key"}  # for a person and a client: else it were an oracle for guessing secrets


@sensitive_variables()
@sensitive_post_parameters()
@signed_in("GET", "POST")
def client_token(request: HttpRequest, public_id: str) -> HttpResponse:
    """The answer holds neither the secret nor the token."""
    app_client = get_app_client(request, public_id, permissions.can_get_token)
    form = TokenForm(request.POST if request.method == "POST" else None, app_client=app_client)
    if request.method != "POST" or not form.is_valid():
        return _page(request, app_client, form, status=422 if form.is_bound else 200)
    key = f"{person(request).pk}:{app_client.pk}"
    if limited := ratelimit.consume_or_429(request, app="clients", action="token", key=key, config=TRIES):
        return limited
    try:
        attempt = get_token(
            app_client, SecretValue(form.cleaned_data["secret"]), form.cleaned_data["scopes"], actor=person(request)
        )
    except InvalidInput as error:
        add_refusals(form, error)
        return _page(request, app_client, form, status=422)
    except PortalError as error:
        form.add_error(None, error.sentence)
        return _page(request, app_client, form, status=503)
    return _page(request, app_client, form, attempt=attempt)


def _page(
    request: HttpRequest, app_client: AppClient, form: TokenForm, *, attempt: object = None, status: int = 200
) -> HttpResponse:
    return client_page(request, app_client, "token", {"form": form, "attempt": attempt}, status=status)
