"""The small pieces every page is made of: icons, states, the two slots, times, fields."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from clients.forms.attributes import as_text
from clients.models import (
    AppClient,
    Handover,
    HandoverState,
    Operation,
    OperationState,
    Outcome,
    Secret,
    SecretState,
    Status,
)

register = template.Library()

STATUS_ICONS = {
    Status.CREATING: ("wait", "move"),
    Status.ACTIVE: ("ok", "ok"),
    Status.ROTATING: ("rotate", "move"),
    Status.PAUSED: ("pause", "off"),
    Status.DELETED: ("x", "off"),
    Status.UNMANAGED: ("ghost", "off"),
}
OPERATION_ICONS = {
    OperationState.RUNNING: ("sync", "move"),
    OperationState.WAITING: ("wait", "warn"),
    OperationState.DONE: ("ok", "ok"),
    OperationState.REFUSED: ("fail", "bad"),
    OperationState.GIVEN_UP: ("fail", "bad"),
}
OUTCOME_ICONS = {
    Outcome.STARTED: ("wait", "off"),
    Outcome.OK: ("ok", "ok"),
    Outcome.FAILED: ("fail", "bad"),
    Outcome.UNKNOWN: ("help", "warn"),
    Outcome.RESOLVED: ("ok", "ok"),
}
LIFE_TONES = {"end": "bad", "due": "warn", "new": "move"}  # by the class of its slot
UNITS = ((86_400, "day"), (3600, "h"), (60, "min"))


@register.filter
def told_once(messages: Iterable[Message]) -> list[Message]:
    """A form sent twice says the same twice; a person reads it once."""
    return list({(message.level, message.message): message for message in messages}.values())


@register.simple_tag
@cache  # a page has a hundred of them, of thirty kinds
def icon(name: str, tone: str = "") -> SafeString:
    css = f"icon is-{tone}" if tone else "icon"
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', css, static("clients/icons.svg"), name
    )


def _mark(icon_name: str, tone: str, word: str) -> SafeString:
    return format_html('<span class="status {}">{}{}</span>', tone, icon(icon_name), word)


# --- States and flags ------------------------------------------------------------------------------


def is_undelivered(app_client: AppClient) -> bool:
    """Over the secrets already fetched, so that a list costs no further query."""
    live = (SecretState.CURRENT, SecretState.NEW)
    return any(s.delivered_at is None and s.state in live for s in app_client.secrets.all())


def flags(app_client: AppClient) -> list[tuple[str, str, str]]:
    """(icon, tone, word) of each that is up, always in the same order."""
    found = []
    if app_client.is_expired:
        found.append(("bad", "bad", "Expired"))
    elif app_client.is_expiring_soon:
        found.append(("warn", "warn", "Expiring soon"))
    if app_client.drift:
        found.append(("drift", "warn", "Out of sync"))
    if app_client.client_id and app_client.status != Status.CREATING and not app_client.is_published:
        found.append(("sync", "warn", "Attributes not published"))
    if is_undelivered(app_client):
        found.append(("send", "warn", "Not yet delivered"))
    return found


@register.simple_tag
def status(app_client: AppClient) -> SafeString:
    """One status, then any number of flags."""
    marks = [_mark(*STATUS_ICONS[Status(app_client.status)], app_client.get_status_display())]
    marks += [_mark(*flag) for flag in flags(app_client)]
    return format_html('<span class="marks">{}</span>', format_html_join("", "{}", ((m,) for m in marks)))


HANDOVER_ICONS = {
    HandoverState.WAITING: ("wait", "move"), HandoverState.OPENED: ("eye", "move"), HandoverState.SHOWN: ("ok", "ok"),
    HandoverState.STORED: ("ok", "ok"), HandoverState.EXPIRED: ("dash", "off"), HandoverState.CLOSED: ("x", "bad"),
    HandoverState.REVOKED: ("x", "off"),
}  # fmt: skip


@register.simple_tag
def handover_state(handover: Handover) -> SafeString:
    return _mark(*HANDOVER_ICONS[handover.state], handover.state.label)


@register.simple_tag
def operation_state(operation: Operation) -> SafeString:
    return _mark(*OPERATION_ICONS[OperationState(operation.state)], operation.get_state_display())


@register.filter
def how_far(operation: Operation) -> str:
    """What became of a change so far and what comes next, in plain sentences."""
    state = OperationState(operation.state)
    if state == OperationState.WAITING:
        goes_on = "looks what came of it" if operation.step_in_flight else "goes on by itself"
        return f"{operation.last_error} The portal {goes_on} {_soon(operation.next_try_at)}.".strip()
    if state == OperationState.REFUSED:
        return f"{operation.last_error} It does not go on by itself.".strip()
    return {
        OperationState.RUNNING: "It is in progress.", OperationState.DONE: "It is done.",
        OperationState.GIVEN_UP: operation.last_error or "It was given up.",
    }[state]  # fmt: skip


def _soon(moment: datetime) -> str:
    seconds = (moment - timezone.now()).total_seconds()
    if seconds <= 0:
        return "any moment now"
    return f"in {_distance(seconds)}" if seconds >= 60 else "within a minute"


@register.simple_tag
def outcome(entry: Any) -> SafeString:
    return _mark(*OUTCOME_ICONS[Outcome(entry.outcome)], entry.get_outcome_display())


# --- The two slots ---------------------------------------------------------------------------------


def _slot_class(secret: Secret | None) -> str:
    if secret is None:
        return "free"
    if secret.expires_at and secret.expires_at <= timezone.now():
        return "end"
    if secret.state == SecretState.RETIRING or (
        secret.expires_at and secret.expires_at <= timezone.now() + timedelta(days=30)
    ):
        return "due"
    return {SecretState.CURRENT: "on"}.get(SecretState(secret.state), "new")


@register.simple_tag
def slots(secrets: list[Secret], big: bool = False) -> SafeString:
    """Cognito holds at most two secrets: every client is drawn as two bars."""
    held = [*secrets[:2], None, None][:2]
    words = " and ".join(s.get_state_display().lower() for s in held if s) or "no secret"
    return format_html(
        '<svg class="slots{}" viewBox="0 0 14 14" role="img" aria-label="{} of 2 slots: {}">'
        '<rect class="{}" x="1.5" y=".5" width="4" height="13" rx="1.25"/>'
        '<rect class="{}" x="8.5" y=".5" width="4" height="13" rx="1.25"/></svg>',
        " big" if big else "", sum(s is not None for s in held), words, _slot_class(held[0]), _slot_class(held[1]),
    )  # fmt: skip


@register.simple_tag
def last_four(secret: Secret) -> SafeString:
    return format_html('<span class="ends">{}</span>', secret.ending)


MOST = 1_000  # a page counts no further; whatever lists them all counts them


@register.filter
def capped(count: int, most: int = 0) -> str:
    most = most or MOST
    return f"{most:,}+" if count > most else f"{count:,}"


@register.filter
def living(app_client: AppClient) -> list[Secret]:
    """The secrets that take a slot, from those already fetched."""
    return [s for s in app_client.secrets.all() if s.state != SecretState.RETIRED]


@register.filter
def shorten_id(client_id: str) -> str:
    return f"{client_id[:8]}…{client_id[-4:]}" if len(client_id) > 14 else client_id


@register.filter
def as_typed(value: Any) -> str:
    """An attribute's value the way people type it."""
    return as_text(value)


# --- Buttons and times -----------------------------------------------------------------------------


@register.simple_tag
def copy(value: str, what: str) -> SafeString:
    """A button named for what it copies."""
    return format_html(
        '<button class="copy" type="button" data-copy="{}" aria-label="Copy {}">{}</button>', value, what, icon("copy")
    )


def _distance(seconds: float) -> str:
    for size, unit in UNITS:
        if abs(seconds) >= size:
            count = int(abs(seconds) // size)
            return f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}"
    return "less than a minute"


@register.simple_tag
def ago(moment: datetime | None, never: str = "Never") -> SafeString | str:
    """Relative words; the absolute time in UTC appears above them on hover and on focus."""
    if moment is None:
        return never
    moment = moment.astimezone(timezone.get_default_timezone())
    seconds = (moment - timezone.now()).total_seconds()
    words = f"in {_distance(seconds)}" if seconds > 0 else f"{_distance(seconds)} ago"
    if -60 < seconds <= 0:
        words = "just now"
    return format_html(
        '<span class="when" tabindex="0"><time datetime="{}">{}</time><span class="tip"> {}</span></span>',
        moment.isoformat(timespec="seconds"), words, _exactly(moment),
    )  # fmt: skip


@register.simple_tag
def last_token(app_client: AppClient) -> SafeString | str:
    """When it was last used, as far as anybody knows: use is reported by the portal's trigger alone."""
    pool = app_client.pool
    if app_client.client_id is None:
        return "—"
    if app_client.last_token_at or (pool.reports_use and not pool.is_use_stale):
        return ago(app_client.last_token_at, "Never used")
    why = "use cannot be read at present" if pool.reports_use else "no trigger reports it"
    return format_html('Not available <span class="sub">{}</span>', why)


@register.simple_tag
def utc(moment: datetime | None, never: str = "Never") -> SafeString | str:
    """The absolute time as text, for where it is agreed upon."""
    if moment is None:
        return never
    words = moment.astimezone(timezone.get_default_timezone()).strftime("%-d %b %Y, %H:%M UTC")
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(timespec="seconds"), words)


@register.simple_tag
def life(secret: Secret) -> SafeString:
    """A secret's age and ending, and below them how much of its lifetime is used: no bar for one without an end. Above
    them, on hover and on focus, from when until when."""
    made, ends = secret.created_at, secret.expires_at
    age = max((timezone.now() - made).total_seconds(), 0)
    until = format_html("<br>{} {}", "Ends" if ends > timezone.now() else "Ended", _exactly(ends)) if ends else ""
    return format_html(
        '<span class="when lived" tabindex="0"><span><time datetime="{}">{}</time> {}</span>{}'
        '<span class="tip"> Made {}{}</span></span>',
        made.isoformat(timespec="seconds"), _distance(age) if age >= 60 else "just now", last_four(secret),
        _life_bar(secret, age, (ends - made).total_seconds()) if ends else "", _exactly(made), until,
    )  # fmt: skip


def _life_bar(secret: Secret, age: float, whole: float) -> SafeString:
    used = round(100 * age / whole) if age < whole else 100
    words = f"{used}% of its lifetime used" if age < whole else "Its lifetime is over"
    return format_html(
        '<svg class="life {}" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="track" width="100" height="4"/><rect class="used" width="{}" height="4"/></svg>',
        LIFE_TONES.get(_slot_class(secret), ""), words, used,
    )  # fmt: skip


def _exactly(moment: datetime) -> str:
    return moment.astimezone(timezone.get_default_timezone()).strftime("%-d %b %Y, %H:%M:%S UTC")


# --- Figures ---------------------------------------------------------------------------------------


@register.simple_tag
def spark(values: list[int], what: str) -> SafeString:
    """A line over the days, today last; what it says stands in words too. Geometry in attributes: no inline style."""
    words = f"{what} on each of {len(values)} days: {values[-1]} today, at most {max(values)}"
    top = max([*values, 1])
    points = [(96 * n / max(len(values) - 1, 1), 30 - 27 * value / top) for n, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return format_html(
        '<svg class="spark" viewBox="0 0 96 32" role="img" aria-label="{}">'
        '<polygon class="area" points="0,32 {} 96,32"/><polyline class="line" points="{}"/>'
        '<circle class="dot" cx="96" cy="{}" r="2"/></svg>',
        words, line, line, f"{points[-1][1]:.1f}",
    )  # fmt: skip


@register.simple_tag
def bars(values: list[int], words: str) -> SafeString:
    """A bar for each day, today last and darker. What they say stands in `words` for those who do not see them."""
    width, top = 600 / len(values), max([*values, 1])
    rects = (
        ("today" if n == len(values) - 1 else "", f"{n * width + 1.5:.1f}", f"{72 - 66 * value / top:.1f}",
         f"{width - 3:.1f}", f"{66 * value / top:.1f}")
        for n, value in enumerate(values)
    )  # fmt: skip
    drawn = format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', rects)
    return format_html(
        '<svg class="bars" viewBox="0 0 600 72" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<line x1="0" y1="71.5" x2="600" y2="71.5"/>{}</svg>', words, drawn,
    )  # fmt: skip


# --- Addresses -------------------------------------------------------------------------------------


def tab_address(app_client: AppClient, tab: str, as_member_of: str = "") -> str:
    """A tab of a client's page; with a tenant's slug as its members see it."""
    if as_member_of:
        return reverse("customer-client-as", args=[as_member_of, app_client.public_id, tab])
    return reverse(f"client-{tab}", args=[app_client.public_id])


@register.simple_tag(takes_context=True)
def client_url(context: template.Context, app_client: AppClient, tab: str = "overview") -> str:
    """Staff who look at a tenant's pages as its members see them stay there."""
    acting = context["shell"].acting
    return tab_address(app_client, tab, acting.tenant.slug if acting else "")


# --- Fields ----------------------------------------------------------------------------------------


@register.inclusion_tag("_field.html")
def field(bound: BoundField, css: str = "", label: str = "", is_filter: bool = False) -> dict[str, Any]:
    """Every field of every form goes through `_field.html`. All filters are optional, so none says so."""
    widget = bound.field.widget
    attributes = bound.build_widget_attrs({"id": bound.auto_id})
    attributes.pop("aria-describedby", None)
    parts = widget.get_context(bound.html_name, bound.value(), attributes)["widget"]
    described = [f"{bound.auto_id}-hint"] if bound.help_text else []
    described += [f"{bound.auto_id}-error"] if bound.errors else []
    kind = "select" if "optgroups" in parts else getattr(widget, "input_type", "textarea")
    return {
        "bound": bound, "parts": parts, "kind": kind, "css": css, "label": label or bound.label,
        "described": " ".join(described), "says_optional": not bound.field.required and not is_filter,
    }  # fmt: skip


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The present address's query with these parameters changed; an empty value takes one away."""
    params = context["request"].GET.copy()
    for name, value in changes.items():
        params.pop(name, None)
        if value not in (None, ""):
            params[name] = value
    return f"?{params.urlencode()}" if params else "?"
