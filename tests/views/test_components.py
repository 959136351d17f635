"""The page of components, and the block tags it is made of."""

import re

import pytest
from django.template import Context, Template

from clients.models import Status

COMPONENTS = (
    "status", "slots", "life", "copy", "id", "tag", "when", "spark", "btn", "callout", "table", "panel", "ledger", "empty",
    "steps", "field", "tick", "tabs", "chips", "chip", "seg", "pager", "bulkbar", "attn", "checks", "timeline", "claims",
    "code", "cred", "panel reveal",
)  # fmt: skip


def rendered(text, **context):
    return Template("{% load blocks %}" + text).render(Context(context))


@pytest.mark.parametrize(
    "text",
    [
        "{% callout title %}x{% endcallout %}",
        "{% panel title name='n' aside=title %}x{% endpanel %}",
        "{% section title name='n' count=title %}x{% endsection %}",
        "{% nothing title %}x{% endnothing %}",
        "{% scroll title %}x{% endscroll %}",
        "{% ledger %}{% entry title %}x{% endentry %}{% endledger %}",
        "{% stages %}{% stage title state='now' %}x{% endstage %}{% endstages %}",
    ],
)
def test_titles_are_escaped_and_content_stands_inside(text):
    html = rendered(text, title='<b onmouseover="x">')
    assert "<b onmouseover" not in html and "&lt;b onmouseover" in html and "x" in html


def test_content_from_a_variable_is_escaped_too():
    assert "<script>" not in rendered("{% callout 'a' %}{{ v }}{% endcallout %}", v="<script>")


def test_component_page_shows_both_themes_in_development_only(world, client, settings):
    client.force_login(world.people["operator"])
    settings.DEMO = True
    page = client.get("/components/").content.decode()
    assert page.count('data-theme="light"') == 1 and page.count('data-theme="dark"') == 1
    for status in Status:
        assert page.count(f"</svg>{status.label}</span>") >= 2, status
    for said in (
        "13% of its lifetime used",
        "Its lifetime is over",
        "Out of sync",
        "Attributes not published",
        "Not yet delivered",
        "Expiring soon",
        'class="slots',
        'class="callout bad"',
    ):
        assert said in page, said
    light, dark = page.split('data-theme="dark"')
    for sheet in (light, dark):
        missing = [name for name in COMPONENTS if not re.search(rf'class="{name}[ "]', sheet)]
        assert missing == [] and 'aria-invalid="true"' in sheet
    settings.DEMO = settings.DEBUG = False
    assert client.get("/components/").status_code == 404
