"""The addresses of lists: people share them, and browsers and web servers keep them."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clients.forms.pasted import HIDDEN, without_secret

ENDING_ONLY = "That was a whole secret, so only its last four characters are searched for."
NOTHING = "That looks like a client secret, so it is not searched for."
KEPT = "Logs of web servers may have kept it: rotate it unless you know that they did not."


def to_clean_address(request: HttpRequest) -> HttpResponse | None:
    """Where to go instead, when the address holds what may be a secret, or fields that say nothing. None as it is."""
    given = [(name, value) for name, values in request.GET.lists() for value in values]
    harmless = [(name, without_secret(value)) for name, value in given if without_secret(name) == name]
    if harmless != given:
        changed = {value for _, value in harmless} - {value for _, value in given}
        messages.warning(request, f"{NOTHING if HIDDEN in changed or not changed else ENDING_ONLY} {KEPT}")
    kept = urlencode([(name, value) for name, value in harmless if value])
    return redirect(f"{request.path}{'?' if kept else ''}{kept}") if kept != urlencode(given) else None
