"""Error pages: what happened, why, one thing to do, and a number support can look up in the log."""

import logging
import secrets
from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clients.errors import AuditUnavailable, AwsError
from clients.models import User
from clients.services import audit

logger = logging.getLogger(__name__)


def error_page(
    request: HttpRequest, status: int, title: str, why: str, act: str, *, technical: str = "", back: str = ""
) -> HttpResponse:
    reference = secrets.token_hex(4)
    logger.warning("reference %s: %s on %s %s", reference, status, request.path, technical)
    context = {"status": status, "title": title, "why": why, "act": act, "back": back, "technical": technical}
    return render(request, "errors/error.html", context | {"reference": reference}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    why = "Something in it is malformed. Nothing was changed."
    return error_page(request, 400, "This request cannot be read", why, "Go back and try again.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    _note_refusal(request)
    why = "Your role does not include this. Nothing was changed."
    return error_page(request, 403, "You may not do this", why, "Ask a colleague whose role includes it.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    why = "It does not exist, or it belongs to somebody else."
    return error_page(request, 404, "There is nothing here", why, "Look for it in the list of clients.")


def method_not_allowed(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse:
    why = "This address answers a form only. Opening it directly does nothing, and nothing was changed."
    response = error_page(request, 405, "This cannot be opened this way", why, "Use the button on its page.")
    response["Allow"] = ", ".join(methods)
    return response


def conflict(request: HttpRequest, why: str, *, back: str = "", technical: str = "") -> HttpResponse:
    act = "Open the page again, look at the new state, then decide."
    return error_page(request, 409, "This was not saved", why, act, technical=technical, back=back)


def too_often(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    why = "There were too many tries in a short time. Nothing was done."
    return error_page(request, 429, "Too many tries", why, "Wait a minute, then try again.")


def not_recorded(request: HttpRequest) -> HttpResponse:
    """The trail takes no entry: what cannot be recorded is not done."""
    why = "The portal could not write its audit trail, so it did nothing. Nothing was sent or shown, nothing changed."
    return error_page(request, 503, "This was not done", why, "Try again in a minute. If it stays, tell an operator.")


def _note_refusal(request: HttpRequest) -> None:
    """Refused it is in any case: a trail that takes no entry does not make another answer of it."""
    match, user = request.resolver_match, getattr(request, "user", None)
    if match is None or not isinstance(user, User):
        return
    try:
        audit.note_refusal(user, f"{request.method} {match.url_name}")
    except (AuditUnavailable, DatabaseError):
        logger.exception("a refusal was not recorded")


def server_error(request: HttpRequest) -> HttpResponse:
    why = "The portal made a mistake. What had been saved is still saved."
    return error_page(request, 500, "Something went wrong here", why, "Try again. If it stays, tell us the reference.")


def aws_away(request: HttpRequest, error: AwsError, *, back: str = "") -> HttpResponse:
    title, act = "AWS did not answer as it should", "Try again in a minute."
    return error_page(request, 503, title, error.sentence, act, technical=error.technical, back=back)


class ToldPlainly:
    """An act whose entry the trail does not take was not done, and the answer says so. Nor is it a mistake of the
    portal when AWS is away where no page expects it: KMS, asked for a code's seed by the library that signs people
    in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, AuditUnavailable):
            return not_recorded(request)
        return aws_away(request, exception) if isinstance(exception, AwsError) else None
