"""A secret and the code of a link are followed through a whole hand-over: they stand in the one answer that shows them,
and in nothing else that is kept, written down or sent."""

import io
import logging
import os
import pkgutil
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest
from django.core import mail
from django.core.signals import got_request_exception
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter

from clients import sealing
from clients.models import Handover, Secret, Tenant
from clients.services import handovers
from portal.logs import ScrubSecrets
from tests.conftest import ConfirmedClient

LINK = "/hand-over/"


@pytest.fixture
def planted(monkeypatch):
    """Every secret that is made, as it is made."""
    made, generate = [], sealing.generate

    def noting(environment):
        value = generate(environment)
        made.append(value.reveal())
        return value

    monkeypatch.setattr(sealing, "generate", noting)
    return made


@pytest.fixture
def logs():
    """All that the process logs, botocore's bodies too, through the filter of production."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ScrubSecrets())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def database():
    """Every column of every table but the sealed one: sessions, cache and the library's tables as well."""
    kept = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                told = dict(zip(columns, row, strict=True))
                kept.append(" ".join(_text(value) for name, value in told.items() if name != "sealed_value"))
    return "\n".join(kept)


def _text(value):
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def mails():
    return "\n".join(letter.message().as_string() for letter in mail.outbox)


def files_since(moment, but):
    """Temporary files written meanwhile; what stands below the folder `but` is AWS's."""
    found = []
    for folder, below, names in os.walk(tempfile.gettempdir()):
        below[:] = [name for name in below if (Path(folder) / name) != but and name not in (".venv", "node_modules")]
        for path in (Path(folder) / name for name in names):
            try:
                if path.is_file() and path.stat().st_mtime >= moment and path.stat().st_size < 50_000_000:
                    found.append((str(path), path.read_bytes()))
            except OSError:  # gone meanwhile, or no file to read
                continue
    return found


def holds(text, canaries):
    return [canary for canary in canaries if canary in text]


def hand_over(world, app_client):
    """By the pages; returns (the code, every address asked for)."""
    staff, visitor = ConfirmedClient(), Client()
    staff.force_login(world.people["operator"])
    made = staff.post(reverse("handover-create", args=[app_client.public_id]), {"to": "link", "hours": "24"})
    code = re.search(r"#([\w-]{43})<", made.content.decode()).group(1)
    row = Handover.objects.get()
    visitor.get(LINK)
    visitor.post(LINK, {"code": code})
    panel = visitor.post(LINK, {"code": code, "show": "1"})
    later = [visitor.post(LINK, {"code": code, act: "1"}) for act in ("stored", "show", "alarm", "ask")]
    later += [staff.get(reverse(name, args=[row.public_id])) for name in ("handover-page",)]
    later += [staff.get(reverse(name, args=[app_client.public_id])) for name in ("client-secrets", "client-activity")]
    return code, panel, later


def test_secret_and_code_stand_in_the_answer_that_shows_them_and_nowhere_else(world, planted, logs):
    began = time.time()
    app_client = world.create()
    code, panel, later = hand_over(world, app_client)
    (value,) = planted

    assert panel.content.decode().count(value) >= 2, "the answer itself"
    assert [holds(answer.content.decode() + str(answer.items()), [value]) for answer in later] == [[]] * len(later)
    said = logs.getvalue()
    assert "ClientSecret" in said and "botocore" in said, "the log is deep enough to hold one"
    assert holds(said, [value, code]) == []
    assert holds(database(), [value, code]) == []
    assert holds(mails(), [value, code]) == [] and len(mail.outbox) == 2
    own = world.sandbox.state_dir
    assert [path for path, content in files_since(began, own) if holds(content, [value.encode(), code.encode()])] == []
    assert Secret.objects.get().sealed_value is None


def test_sweep_finds_what_is_planted(world, planted, logs, tmp_path):
    began = time.time() - 1
    app_client = world.create()
    (value,) = planted
    code = "a code that is not shaped like a secret"
    logging.getLogger("anybody").debug("the code is %s", code)
    app_client.notes = value
    app_client.save(update_fields=["notes"])
    mail.send_mail("Yours", value, None, ["a@example.org"])
    Path(tempfile.mkdtemp()).joinpath("left").write_text(value)

    assert holds(logs.getvalue(), [code]) and holds(database(), [value]) and holds(mails(), [value])
    found = [path for path, content in files_since(began, tmp_path / "none") if value.encode() in content]
    assert any(path.endswith("left") for path in found)
    for path in found:
        if path.endswith("left"):
            Path(path).unlink()


# Where the value passes on its way from the row to the page.
FRAMES = [
    "clients.services.handovers.reveal_secret", "clients.services.secrets.audit.append", "clients.views.handover_link.handovers.reveal_by_link",
    "clients.views.secrets.kit_context", "clients.views.secrets.render_curl", "clients.views.secrets.render_env",
    "clients.views.secrets._data_link", "clients.views.secrets.render", "clients.views.secrets._panel",
]  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_mistake_at_each_frame_on_the_way_tells_no_value(world, planted, logs, monkeypatch, frame):
    """After the frame has done its work, with the value in hand: the page, the log, and the report that would be mailed."""
    app_client = world.create()
    code = handovers.offer_by_link(
        app_client.secrets.get(), hours=24, with_pin=False, actor=world.people["operator"]
    ).token
    visitor = Client(raise_request_exception=False)
    answer, report = mistake(monkeypatch, frame, lambda: visitor.post(LINK, {"code": code, "show": "1"}))
    tells_nothing(answer, report, logs, planted)


# The other ways a value goes: (way, frame).
OTHERS = [
    *(("staff", f"clients.views.secrets.{name}") for name in ("reveal_secret", "render_curl", "render")),
    ("member", "clients.services.handovers.reveal_secret"), ("member", "clients.views.secrets.render_env"),
    ("member", "clients.views.handovers.reveal_panel"), ("member", "clients.views.secrets.render"),
    *(("token", f"clients.{name}") for name in (
        "services.tokens.check_secret", "services.tokens.token_endpoint.ask_for_token", "services.tokens.audit.append",
        "views.tokens.get_token", "views.tokens.client_page",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("way", "frame"), OTHERS)
def test_mistake_on_the_other_ways_tells_no_value(world, planted, logs, monkeypatch, way, frame):
    app_client, operator = world.create(), world.people["operator"]
    secret = app_client.secrets.get()
    browser, (value,) = ConfirmedClient(raise_request_exception=False), planted
    browser.force_login(world.people["manager"] if way == "member" else operator)
    if way == "member":
        offer = handovers.offer_to_member(secret, world.people["manager"], hours=24, actor=operator)
        address, sent = reverse("handover-show", args=[offer.public_id]), {}
    elif way == "staff":
        address, sent = reverse("secret-show", args=[app_client.public_id, secret.public_id]), {}
    else:
        address, sent = reverse("client-token", args=[app_client.public_id]), {"secret": value, "scopes": "orders/read"}
    answer, report = mistake(monkeypatch, frame, lambda: browser.post(address, sent))
    tells_nothing(answer, report, logs, planted)


def mistake(monkeypatch, frame, act):
    """The answer to what is done while this frame breaks once it has done its work, and the report of it."""
    module, _, name = frame.rpartition(".")
    owner = _resolve(module)
    usual, calls, reports = getattr(owner, name), [], []

    def breaks(*args, **kwargs):
        done = usual(*args, **kwargs)
        calls.append(done)
        if frame in REHEARSED and len(calls) <= REHEARSED[frame]:
            return done
        raise RuntimeError("planted")

    def report(request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_text() + reporter.get_traceback_html())

    monkeypatch.setattr(owner, name, breaks)
    got_request_exception.connect(report)
    try:
        answer = act()
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500 and len(reports) == 1 and "planted" in reports[0]
    return answer, reports[0]


def tells_nothing(answer, report, logs, planted):
    (value,) = planted
    assert holds(answer.content.decode(), [value]) == []
    assert holds(logs.getvalue(), [value]) == [] and holds(report, [value]) == []
    assert holds(database(), [value]) == []


# Called this often before the value is there: twice for the two data links of the rehearsal.
REHEARSED = {"clients.views.secrets._data_link": 2, "clients.views.handovers.reveal_panel": 1} | {
    f"clients.views.secrets.{name}": 1 for name in ("kit_context", "render_curl", "render_env", "render", "_panel")
}


def _resolve(module):
    parts = module.split(".")
    for cut in range(len(parts), 0, -1):
        found = sys.modules.get(".".join(parts[:cut]))
        if found:
            for part in parts[cut:]:
                found = getattr(found, part)
            return found
    raise AssertionError(module)


@pytest.mark.parametrize("broken", [
    "clients.views.handovers.render", "clients.services.mail.send_mail", "django.template.backends.django.make_context",
])  # fmt: skip
def test_mistake_while_the_sender_is_answered_tells_neither_link_nor_pin(world, monkeypatch, broken):
    """The page, and the report that would be mailed."""
    app_client, reports, made = world.create(), [], []
    Tenant.objects.update(contact_email="it@northwind.example")
    staff, offer_by_link = ConfirmedClient(raise_request_exception=False), handovers.offer_by_link
    staff.force_login(world.people["operator"])
    monkeypatch.setattr(handovers, "offer_by_link", lambda *a, **k: made.append(offer_by_link(*a, **k)) or made[0])
    usual = pkgutil.resolve_name(broken)

    def breaks(*args, **kwargs):
        if reports:  # the page that says so is made
            return usual(*args, **kwargs)
        raise RuntimeError("planted")

    def report(request, **kwargs):
        reports.append("")
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports[0] = reporter.get_traceback_text() + reporter.get_traceback_html()

    monkeypatch.setattr(broken, breaks)
    got_request_exception.connect(report)
    try:
        form = {"to": "mail", "hours": "24", "with_pin": "on"}
        answer = staff.post(reverse("handover-create", args=[app_client.public_id]), form)
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500 and "planted" in reports[0] and "in _made" in reports[0]
    assert holds(answer.content.decode() + reports[0], [made[0].token, made[0].pin]) == []
