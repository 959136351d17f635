"""The larger pieces pages repeat, as block tags: panels, callouts, sections, empty states, tables that scroll."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.forms import Form
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from clients.templatetags.portal import icon

register = template.Library()
ICONS = {"ok": "ok", "warn": "warn", "bad": "bad", "move": "sync", "": "help"}


@register.filter
def in_days(hours: int) -> str:
    """As people say it: whole days where they are some."""
    count, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{count} {unit}{'s' * (count != 1)}"


@register.simple_tag
def to_correct(form: Form, scope_problems: Any = (), scopes_at: str = "", lines: Iterable[Any] = ()) -> SafeString:
    """What is marked, by name, each a way there: fields, scopes, lines of attributes."""
    found = [(bound.auto_id, bound.label) for bound in form.visible_fields() if bound.errors]
    found += [(scopes_at, "Scopes")] if scope_problems else []
    found += [(line.name, line.claim_name) for line in lines if line.problems]
    links = format_html_join(", ", '<a href="#{}">{}</a>', found)
    return format_html("Correct what is marked below{}{}.", ": " if found else "", links)


@register.simple_block_tag
def callout(content: SafeString, title: str, tone: str = "", sign: str = "", role: str = "") -> SafeString:
    """What somebody should know before going on. `tone`: ok, warn, bad, move or none; an alert only where asked."""
    return format_html(
        '<div class="callout {}"{}>{}<div><b>{}</b>{}</div></div>',
        tone, format_html(' role="{}"', role) if role else "", icon(sign or ICONS[tone], tone or "off"), title, content,
    )  # fmt: skip


@register.simple_block_tag
def panel(content: SafeString, title: str, name: str, aside: str = "") -> SafeString:
    """One object with a border; `name` is its heading's id."""
    return format_html(
        '<section class="panel" aria-labelledby="{0}"><header><h2 id="{0}">{1}</h2>{2}</header>'
        '<div class="body">{3}</div></section>',
        name, title, format_html('<span class="aside">{}</span>', aside) if aside != "" else "", content,
    )  # fmt: skip


@register.simple_block_tag
def section(content: SafeString, title: str, name: str, count: object = "", css: str = "") -> SafeString:
    """A part of a page under its heading, with how many there are."""
    return format_html(
        '<section class="section {0}" aria-labelledby="{1}"><header><h2 id="{1}">{2}</h2>{3}</header>{4}</section>',
        css, name, title, format_html('<span class="count">{}</span>', count) if count != "" else "", content,
    )  # fmt: skip


@register.simple_block_tag
def nothing(content: SafeString, title: str, sign: str = "") -> SafeString:
    """Nothing here yet: what it is for and the next step."""
    return format_html('<div class="empty">{}<h2>{}</h2>{}</div>', icon(sign, "off") if sign else "", title, content)


@register.simple_block_tag
def scroll(content: SafeString, label: str) -> SafeString:
    """A table that may be wider than the window: a region of its own that the keyboard reaches and scrolls."""
    return format_html('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>', label, content)


@register.simple_block_tag
def ledger(content: SafeString, tight: bool = False) -> SafeString:
    """Names and values; inside: `{% entry "Name" %}value{% endentry %}`."""
    return format_html('<dl class="ledger{}">{}</dl>', " tight" if tight else "", content)


@register.simple_block_tag
def entry(content: SafeString, term: str) -> SafeString:
    return format_html("<div><dt>{}</dt><dd>{}</dd></div>", term, content)


@register.simple_block_tag
def stages(content: SafeString) -> SafeString:
    """Steps in their order; inside: `{% stage "Name" "done" %}detail{% endstage %}`."""
    return format_html('<ol class="steps">{}</ol>', content)


@register.simple_block_tag
def stage(content: SafeString, title: str, state: str = "") -> SafeString:
    """`state`: done, now or still to come."""
    said = {"done": ' class="done"', "now": ' aria-current="step"', "": ""}[state]
    return format_html("<li{}><b>{}</b><small>{}</small></li>", SafeString(said), title, content)
