"""Whose is this: what the page tells of a pasted text, whom it lets ask, and that no value is in any answer or row."""

import base64
import re
import sys

import pytest
from django.core.cache import cache
from django.core.signals import got_request_exception
from django.urls import reverse
from django.views.debug import ExceptionReporter

from clients import sealing
from clients.forms.leaks import MOST
from clients.models import AuditEntry, SecretState
from clients.services.secrets import open_for_cognito
from clients.snippets import scanners
from tests.conftest import ConfirmedClient
from tests.views.test_canary import database, holds, logs  # noqa: F401

PAGE = "/whose/"


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()


@pytest.fixture
def value(app_client):
    return open_for_cognito(app_client.secrets.get()).reveal()


def ask(world, text, who="support"):
    browser = ConfirmedClient()
    browser.force_login(world.people[who])
    return browser.post(PAGE, {"text": text})


def page_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def damaged(value):
    return value[:-1] + ("a" if value[-1] != "a" else "b")


def entries():
    return AuditEntry.objects.filter(action="secret:find")


# --- What it tells -----------------------------------------------------------------------------------


def test_found_secret_leads_to_its_client(world, app_client, value):
    page = page_of(
        ask(world, f"first\nAuthorization: Basic {base64.b64encode(f'id:{value}'.encode()).decode()}\n{value}")
    )
    assert f'<span class="ends">{value[-4:]}</span>' in page and "Current secret" in page
    assert f'href="{reverse("client-overview", args=[app_client.public_id])}">{app_client.name}</a>' in page
    assert "Northwind Logistics" in page and '<span class="tag">prod</span>' in page
    assert "Lines 2, 3" in page and "2 times" in page
    emergency = reverse("secret-revoke", args=[app_client.public_id, app_client.secrets.get().public_id])
    assert f'href="{emergency}" aria-label="Revoke secret ending {value[-4:]} of {app_client.name}"' in page
    assert "1 secret in this text can get tokens" in page and "Revoke it," in page


@pytest.mark.parametrize("state", [SecretState.CURRENT, SecretState.NEW, SecretState.RETIRING, SecretState.RETIRED])
def test_found_secret_says_its_state_and_one_thing_to_do(world, app_client, value, state):
    app_client.secrets.update(state=state)
    page = page_of(ask(world, value))
    is_retired = state == SecretState.RETIRED
    assert state.label in page
    assert ("nothing works with it any more." in page) is is_retired and ("Revoke secret" in page) is not is_retired


def test_found_secret_that_is_being_created_goes_with_its_rotation(world, app_client, value):
    app_client.secrets.update(state=SecretState.PENDING)
    page = page_of(ask(world, value))
    assert f'href="{reverse("client-secrets", args=[app_client.public_id])}" aria-label="Cancel the rotation' in page
    assert "Being created" in page and "Revoke secret" not in page


def test_unknown_secret_is_told_from_a_mistyped_one(world, value):
    stranger = sealing.generate("prod").reveal()
    page = page_of(ask(world, f"{stranger}\n{damaged(value)}\n{stranger[:30]}"))
    assert page.count("A portal secret, but of no client this portal knows.") == 1
    assert page.count("Looks like a portal secret, but is not whole or has a typo.") == 2
    assert "Revoke secret" not in page and "Not removed yet" not in page


def test_several_secrets_have_a_row_each_the_living_first(world, app_client, value):
    other = world.create(name="other", tenant=world.tenants["acme-robotics"])
    theirs = open_for_cognito(other.secrets.get()).reveal()
    app_client.secrets.update(state=SecretState.RETIRED)
    page = page_of(ask(world, f"{sealing.generate('prod').reveal()} {value} {theirs}"))
    rows = re.findall(r'<span class="ends">(\w{4})</span>', page)
    assert len(rows) == 3 and rows[:2] == [theirs[-4:], value[-4:]] and "Acme Robotics" in page


def test_more_than_a_page_of_them_says_how_many_there_are(world, monkeypatch):
    monkeypatch.setattr("clients.views.leaks.SHOWN", 2)
    page = page_of(ask(world, " ".join(sealing.generate("prod").reveal() for _ in range(3))))
    assert "The first 2 of 3 are shown." in page and page.count('class="ends"') == 2


def test_nothing_found_says_what_is_looked_for(world):
    page = page_of(ask(world, "no secret of ours"))
    assert "No portal secret in it" in page and "49 letters and digits" in page and "Authorization: Basic" in page


def test_page_without_a_question_answers_none(world, client):
    client.force_login(world.people["support"])
    page = page_of(client.get(PAGE))
    assert "What you found" in page and "No portal secret in it" not in page and "What is in it" not in page


@pytest.mark.parametrize(("text", "said"), [
    ("", "This field is required."), ("x" * (MOST + 1), "This is longer than 200,000 characters."),
], ids=["nothing", "too much"])  # fmt: skip
def test_too_much_or_nothing_is_refused_beside_the_field(world, text, said):
    answer = ask(world, text)
    assert answer.status_code == 422 and said in page_of(answer) and 'aria-invalid="true"' in page_of(answer)
    assert "xxxx" not in page_of(answer) and not entries().exists()


def test_as_much_as_is_allowed_is_taken_ends_of_lines_counted_once(world, value):
    answer = ask(world, "\r\n" * (MOST - len(value)) + value)
    assert answer.status_code == 200 and f"Line {MOST - len(value) + 1}" in page_of(answer)


def test_text_of_wide_characters_fits_through_the_door(world, value):
    """Sent as a form with parts: percent-encoded it would be twelve times as long and not be read."""
    form = page_of(ask(world, "x"))
    answer = ask(world, "\U0001f511" * (MOST - len(value)) + value)
    assert 'enctype="multipart/form-data"' in form and answer.status_code == 200 and value[-4:] in page_of(answer)


def test_browser_is_not_told_to_cut_the_text_silently(world):
    assert not re.search(r"<textarea[^>]*maxlength", page_of(ask(world, "x")))


# --- Who may -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["administrator", "operator", "support", "auditor", "manager", "developer"])
def test_roles_that_may_ask_are_shown_the_way(world, client, app_client, address, who):
    client.force_login(world.people[who])
    may = who in ("administrator", "operator", "support")
    link = f'href="{PAGE}"'
    pages = {name: page_of(client.get(address(name))) for name in ("home", "client-secrets")}
    pages["client-list"] = page_of(client.get("/clients/?q=nothing-like-this"))
    assert {name: link in page for name, page in pages.items()} == dict.fromkeys(pages, may)
    assert ask(world, "x", who).status_code == (200 if may else 403)
    assert entries().exists() is may


def test_guessing_is_limited_for_a_person(world):
    browser = ConfirmedClient()
    browser.force_login(world.people["support"])
    statuses = [browser.post(PAGE, {"text": f"guess {n}"}).status_code for n in range(22)]
    assert statuses == [200] * 20 + [429] * 2
    assert ask(world, "x", "operator").status_code == 200


# --- No value anywhere -------------------------------------------------------------------------------


def pasted(value):
    """Every kind at once, with a word that stands for the rest of the text."""
    return f"canary-words {value}\n{damaged(value)}\n{sealing.generate('prod').reveal()}\n{value[:30]}"


def secrets_in(text):
    """Whatever of the text must not be anywhere else, and its longer parts."""
    found = re.findall(r"cps_\w+", text)
    return [*found, *(each[9:25] for each in found), "canary-words"]


@pytest.mark.parametrize("is_refused", [False, True])
def test_no_value_is_in_the_answer_or_in_any_row_or_log(world, value, logs, is_refused):  # noqa: F811
    text = pasted(value) + "x" * (MOST if is_refused else 0)
    answer = ask(world, text)
    assert answer.status_code == (422 if is_refused else 200) and "no-store" in answer["Cache-Control"]
    for kept in (answer.content.decode(), str(answer.items()), database(), logs.getvalue()):
        assert holds(kept, secrets_in(text)) == []
    assert entries().exists() is not is_refused


def test_search_for_the_value_would_find_it(world, app_client, value, logs):  # noqa: F811
    text = pasted(value)
    app_client.notes = text
    app_client.save(update_fields=["notes"])
    assert set(secrets_in(text)) == set(holds(database(), secrets_in(text)))


FRAMES = [
    "clients.services.leaks.read", "clients.services.leaks._read_line", "clients.services.leaks._scan", "clients.services.leaks._spellings",
    "clients.services.leaks._decoded", "clients.services.leaks._owners", "clients.services.leaks._removals",
    "clients.services.leaks._found", "clients.services.leaks._record", "clients.services.leaks.audit.append", "clients.sealing.fingerprints",
    "clients.sealing.is_well_formed", "clients.views.leaks.find_owners", "clients.views.leaks.emergency_address",
    "clients.views.leaks._page", "clients.views.leaks.render",
]  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_mistake_on_the_way_tells_nothing_of_the_text(world, value, logs, monkeypatch, frame):  # noqa: F811
    """The page, the log, and the report that would be mailed."""
    reports = []

    def breaks(*args, **kwargs):
        raise RuntimeError("planted")

    def report(request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_text() + reporter.get_traceback_html())

    browser = ConfirmedClient(raise_request_exception=False)
    browser.force_login(world.people["support"])
    monkeypatch.setattr(frame, breaks)
    got_request_exception.connect(report)
    try:
        answer = browser.post(PAGE, {"text": pasted(value)})
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500 and len(reports) == 1 and "planted" in reports[0]
    for kept in (answer.content.decode(), reports[0], logs.getvalue(), database()):
        assert holds(kept, secrets_in(pasted(value))) == []


def test_what_cannot_be_recorded_is_not_told(world, app_client, value, no_entries):
    answer = ask(world, value)
    assert (
        answer.status_code == 503 and "This was not done" in page_of(answer) and app_client.name not in page_of(answer)
    )


def test_entry_reads_well_in_the_trail(world, client, app_client, value):
    ask(world, value)
    client.force_login(world.people["auditor"])
    page = page_of(client.get(reverse("activity-entry", args=[entries().get().sequence])))
    assert "Ask whose a secret is" in page and f"secret ending …{value[-4:]}" in page and value not in page


# --- Rules for scanners ------------------------------------------------------------------------------


@pytest.mark.parametrize("scanner", scanners.SCANNERS, ids=lambda scanner: scanner.name)
def test_rules_are_shown_and_downloaded_as_they_are(world, client, scanner):
    client.force_login(world.people["support"])
    address = reverse("scanner-rules", args=[scanner.name])
    page, file = client.get(PAGE), client.get(address)
    assert file.content.decode() == scanner.text and file["Content-Type"] == "text/plain; charset=utf-8"
    assert file["Content-Disposition"] == f'attachment; filename="{scanner.file_name}"'
    assert f'href="{address}"' in page_of(page) and f'data-copy-from="#rules-{scanner.name}"' in page_of(page)
    assert f'id="rules-{scanner.name}"' in page_of(page) and scanners.SECRET in page_of(page)


def test_rules_of_another_scanner_are_not_there(world, client):
    client.force_login(world.people["support"])
    assert client.get(f"{PAGE}rules/other/").status_code == 404
