"""How what became of an act is told to the person who started it."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from clients.errors import AwsError, NotReady, PortalError
from clients.models import AuditEntry, Operation, OperationState, User
from clients.templatetags.portal import how_far
from clients.views.errors import aws_away, conflict, error_page
from clients.views.fetching import person


def say_outcome(request: HttpRequest, operation: Operation | None, done: str) -> None:
    if operation is None or operation.state == OperationState.DONE:
        messages.success(request, done)
    elif operation.state == OperationState.RUNNING:
        sentence = "What came of this could not be written down yet. The portal looks and goes on by itself."
        messages.warning(request, sentence)
    elif operation.is_live:
        messages.warning(request, f"This is not finished yet. {how_far(operation)}")
    else:
        messages.error(request, f"This did not succeed. {how_far(operation)}")


def just_done(actor: User, action: str, **about: Any) -> bool:
    """Whether this person did this a moment ago: the same form sent twice, by a double click or a reload, is told what
    came of it the first time, not that it exists already."""
    since = timezone.now() - timedelta(minutes=1)
    return AuditEntry.objects.filter(actor=actor, action=action, at__gte=since, **about).exists()


def say_nothing_differs(request: HttpRequest, row: Any, seen: int, action: str, **about: Any) -> None:
    """Not to whoever sent the same form twice: its first time was told, and left `row` newer than they saw it."""
    if seen == row.generation or not just_done(person(request), action, **about):
        messages.info(request, "Nothing differs from what was saved before.")


def status_of(error: PortalError) -> int:
    return 503 if isinstance(error, AwsError) else 409


def refused(request: HttpRequest, error: PortalError, *, back: str = "") -> HttpResponse:
    """A refusal that belongs to no field: 503 when AWS does not play along, else 409."""
    if isinstance(error, AwsError):
        return aws_away(request, error, back=back)
    if isinstance(error, NotReady):
        act = "Have that corrected first, then come back. Nothing was shown or changed."
        return error_page(request, 409, "This is not ready yet", error.sentence, act, back=back)
    return conflict(request, error.sentence, back=back, technical=error.technical)
