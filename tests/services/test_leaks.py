"""Whose is this: what is recognised, whom it leads to, what is written down of it, and how many steps that takes."""

import base64
import json
import sys
from urllib.parse import quote

import pytest
from django.conf import settings as configured
from django.views.debug import ExceptionReporter

from clients import sealing
from clients.errors import AuditUnavailable
from clients.models import AuditEntry, Rotation, Secret, SecretState
from clients.models.ids import new_ulid
from clients.sealing import SecretValue
from clients.services import client_states, leaks
from clients.services.secrets import open_for_cognito
from tests.environment import random_keys
from tests.services.test_revocations import revoke
from tests.services.test_rotations import cancel, deliver, finish, start


def value_of(secret):
    return open_for_cognito(secret).reveal()


@pytest.fixture
def owned(world):
    """(its client, its value)"""
    app_client = world.create()
    return app_client, value_of(app_client.secrets.get())


def ask(world, text, who="support"):
    return leaks.find_owners(text, actor=world.people[who])


def damaged(value):
    return value[:-1] + ("a" if value[-1] != "a" else "b")


def basic(value):
    return base64.b64encode(f"7r1ad4fu2d2bs2uexamp1e:{value}".encode()).decode()


# --- Recognised --------------------------------------------------------------------------------------

SPELLINGS = {
    "alone": lambda v: v,
    "url": lambda v: f"https://api.example/token?client_secret={v}&grant_type=client_credentials",
    "json": lambda v: json.dumps({"secret": v, "n": 1}),
    "json in json": lambda v: json.dumps({"body": json.dumps({"line": f"a\n{v}\n"})}),
    "quotes": lambda v: f"export CLIENT_SECRET='{v}';",
    "followed by letters": lambda v: f"{v}and so on",
    "preceded by letters": lambda v: f"client_secret_is{v}.",
    "after what only begins like one": lambda v: f"cps_prod_ABCDEFGHIJKLM{v}",
    "after a torn one": lambda v: f"{v[:50]} {v}",
    "percent-encoded": lambda v: quote(f"secret={v}&x=1", safe=""),
    "each character encoded": lambda v: "".join(f"%{ord(c):02X}" for c in v),
    "encoded twice": lambda v: quote(f"'{v.replace('_', '%5F')}'", safe=""),
    "basic header": lambda v: f"Authorization: Basic {basic(v)}",
    "basic header in json": lambda v: json.dumps({"headers": {"authorization": f"Basic {basic(v)}"}}),
    "basic header, encoded": lambda v: f"Authorization%3A%20Basic%20{quote(basic(v), safe='')}",
    "basic header, glued": lambda v: f"auth=Basic+{basic(v)}",
    "base64 of letters before it": lambda v: "x" + base64.urlsafe_b64encode(f"??>>{v}".encode()).decode().rstrip("="),
    "form-encoded inside": lambda v: "Basic " + base64.b64encode(f"id:{v.replace('_', '%5F')}".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_secret_is_recognised_in_whatever_it_stands_in(spelling):
    value = sealing.generate("prod").reveal()
    sightings = [each for each in leaks.read(f"first\r\n{spelling(value)}\nlast") if each.is_whole]
    assert [each.value.reveal() for each in sightings] == [value]
    assert sightings[0].lines == [2] and sightings[0].count == 1


def test_lines_and_times_are_counted_for_each():
    one, two = (sealing.generate(name).reveal() for name in ("prod", "staging1"))
    text = f"{one}\r\n\r\n{one} {two} {one}\rBasic {basic(two)} {two}\n"
    found = {each.value.reveal(): (each.lines, each.count) for each in leaks.read(text)}
    assert found == {one: ([1, 3], 3), two: ([3, 4], 3)}


@pytest.mark.parametrize("change", [damaged, lambda v: v[:-5], lambda v: v[:25], lambda v: v[:30] + "-" + v[31:]])
def test_secret_that_is_torn_or_mistyped_is_told_as_such(change):
    (found,) = leaks.read(f"secret: {change(sealing.generate('prod').reveal())}")
    assert not found.is_whole


@pytest.mark.parametrize("text", [
    "", "cps_", "cps_prod_", "cps_max_retries_count", "CPS_PROD_" + "A" * 49, "cps_environment_" + "A" * 49, "cps_***",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "%%%zz%",
])  # fmt: skip
def test_what_is_none_is_not_found(text):
    assert leaks.read(text) == []


# --- Whose -------------------------------------------------------------------------------------------


def test_find_owners_leads_from_the_value_to_its_client(world, owned):
    app_client, value = owned
    (found,) = ask(world, f"line\n{value}")
    assert found.secret.app_client == app_client and found.is_living and found.ending == value[-4:]
    assert found.lines == [2] and found.count == 1 and found.secret.state == SecretState.CURRENT


def test_find_owners_knows_secrets_marked_with_a_key_of_before(world, owned, settings):
    _, value = owned
    settings.FINGERPRINT_KEYS = f"{random_keys('newer')},{configured.FINGERPRINT_KEYS}"
    later = world.create(name="later")
    found = ask(world, f"{value} {value_of(later.secrets.get())}")
    assert {each.secret.fingerprint_key_id for each in found} == {"test", "newer"}
    settings.FINGERPRINT_KEYS = random_keys("other")
    assert [each.secret for each in ask(world, value)] == [None]


def test_fingerprints_are_one_for_each_key_and_begin_with_the_first(settings):
    settings.FINGERPRINT_KEYS = f"{random_keys('a')},{random_keys('b')}"
    value = sealing.generate("prod")
    marks = sealing.fingerprints(value)
    assert [key_id for key_id, _ in marks] == ["a", "b"] and len({mark for _, mark in marks}) == 2
    assert marks[0] == sealing.fingerprint(value)


def test_find_owners_tells_living_removed_unknown_and_torn_apart(world, owned):
    app_client, value = owned
    old = world.create(name="old")
    gone = value_of(old.secrets.get())
    old.secrets.update(state=SecretState.RETIRED)
    stranger = sealing.generate("prod").reveal()
    found = ask(world, "\n".join([damaged(value), stranger[:30], stranger, gone, value]))
    told = [(each.secret and each.secret.app_client, each.is_whole, each.is_living, each.ending) for each in found]
    assert told == [
        (app_client, True, True, value[-4:]), (old, True, False, gone[-4:]), (None, True, False, stranger[-4:]),
        (None, False, False, damaged(value)[-4:]), (None, False, False, ""),
    ]  # fmt: skip


def removed_at(world, value):
    return ask(world, value)[0].removed_at


@pytest.mark.parametrize("how", ["finish", "cancel", "revoke", "delete"])
def test_removed_secret_says_since_when(world, owned, how):
    app_client, old = owned
    if how == "revoke":
        rotation = revoke(world, app_client.secrets.get())
    else:
        start(world, app_client)
        rotation = Rotation.objects.get()
    new = value_of(Secret.objects.get(pk=rotation.new_secret_id))
    if how == "finish":
        deliver(world, rotation)
        finish(world, rotation, typed=rotation.old_secret.ending, reason="x")
    elif how == "cancel":
        cancel(world, rotation)
    elif how == "delete":
        said = {"actor": world.people["operator"], "operation_id": new_ulid(), "reason": "x"}
        client_states.delete_client(app_client, **said)
    rotation.refresh_from_db()
    deleted = AuditEntry.objects.filter(action="client:delete", outcome="ok").order_by("sequence").first()
    wanted = {
        "finish": (rotation.removed_at, None), "cancel": (None, rotation.removed_at),
        "revoke": (rotation.removed_at, None), "delete": (deleted and deleted.at, deleted and deleted.at),
    }[how]  # fmt: skip
    assert any(wanted) and (removed_at(world, old), removed_at(world, new)) == wanted


# --- Written down ------------------------------------------------------------------------------------


def test_find_owners_writes_one_entry_with_counts_and_endings(world, owned):
    app_client, value = owned
    other = world.create(name="other", tenant=world.tenants["acme-robotics"])
    theirs = value_of(other.secrets.get())
    ask(world, f"canary {value} {theirs} {damaged(value)} {sealing.generate('prod').reveal()}", who="operator")
    entry = AuditEntry.objects.get(action="secret:find")
    assert entry.actor == world.people["operator"] and entry.outcome == "ok" and entry.via == "web"
    assert entry.app_client is None and entry.tenant is None, "members would read of one another"
    named = [{"client": c.public_id, "ending": v[-4:]} for c, v in ((app_client, value), (other, theirs))]
    assert entry.detail == {"known": 2, "unknown": 1, "not_whole": 1, "found": named}
    assert "canary" not in str(entry.detail) and "cps_" not in str(entry.detail)


def test_find_owners_of_one_client_is_in_its_activity(world, owned):
    app_client, value = owned
    ask(world, value)
    entry = AuditEntry.objects.get(action="secret:find", app_client=app_client)
    assert entry.detail["ending"] == value[-4:] and entry.tenant == app_client.tenant


def test_find_owners_of_nothing_is_written_down_too(world):
    assert ask(world, "nothing") == []
    entry = AuditEntry.objects.get(action="secret:find")
    assert entry.detail == {"known": 0, "unknown": 0, "not_whole": 0, "found": []}


def test_find_owners_tells_nothing_when_it_cannot_be_recorded(world, owned, monkeypatch):
    monkeypatch.setattr(leaks.audit, "append", lambda *a, **k: (_ for _ in ()).throw(AuditUnavailable))
    with pytest.raises(AuditUnavailable):
        ask(world, owned[1])


def test_entry_names_no_more_than_it_has_room_for(world, owned, monkeypatch):
    monkeypatch.setattr(leaks, "NAMED", 1)
    ask(world, f"{owned[1]} {value_of(world.create(name='second').secrets.get())}")
    detail = AuditEntry.objects.get(action="secret:find").detail
    assert detail["known"] == 2 and len(detail["found"]) == 1


def test_many_are_looked_up_in_parts(world, owned, monkeypatch):
    monkeypatch.setattr(leaks, "LOOKED_UP_AT_ONCE", 2)
    strangers = " ".join(sealing.generate("prod").reveal() for _ in range(5))
    found = ask(world, f"{strangers} {owned[1]}")
    assert len(found) == 6 and found[0].secret is not None and [each.secret for each in found[1:]] == [None] * 5


# --- Steps -------------------------------------------------------------------------------------------

WHOLE = sealing.generate("a").reveal()
HOSTILE = {
    "prefixes": "cps_", "prefixes and environments": "cps_a_", "environments": "cps_aaaaaaaa_", "shapes": damaged(WHOLE),
    "whole": WHOLE, "torn": WHOLE[:40] + " ", "percents": "%", "encoded percents": "%25", "encoded": "%63ps_" + WHOLE[4:],
    "runs": "A" * 40 + " ", "base64": base64.b64encode(b"cps_" * 60).decode(), "lines": "\n", "short lines": "cps_\n",
}  # fmt: skip
MOST = 200_000


class Counting:
    """In place of a pattern or a function: how often it is asked, and of how many characters."""

    def __init__(self, usual):
        self.usual, self.calls, self.characters = usual, 0, 0

    def __call__(self, text):
        self.calls, self.characters = self.calls + 1, self.characters + len(text)
        return self.usual(text)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_steps_are_bounded_by_the_length_of_the_text(monkeypatch, unit):
    """Each scan goes once from prefix to prefix, and looks from each at no more than a secret's length."""
    scan, check = Counting(leaks._scan), Counting(sealing.is_well_formed)
    monkeypatch.setattr(leaks, "_scan", scan)
    monkeypatch.setattr(sealing, "is_well_formed", check)
    leaks.read((unit * MOST)[:MOST])
    assert scan.characters <= 3 * (1 + 4 * 3 / 4) * MOST
    assert check.calls <= scan.characters / len("cps_a_" + "A" * 40), "candidates do not overlap by more than a few"


def test_steps_that_are_not_bounded_would_be_counted(monkeypatch):
    """The plainest way to do it, a look from each character to the end, is far over the bound."""
    scan = Counting(leaks._scan)
    for n in range(0, MOST, 1000):
        scan("x" * (MOST - n))
    assert scan.characters > 3 * (1 + 4 * 3 / 4) * MOST


def test_sighting_prints_no_value():
    (found,) = leaks.read(WHOLE)
    assert WHOLE not in repr(found) and isinstance(found.value, SecretValue)


@pytest.mark.parametrize("frame", ["read", "_read_line", "_scan", "_spellings", "_decoded"])
def test_report_of_a_mistake_shows_no_value_whoever_called(world, monkeypatch, frame):
    hidden, usual = sealing.generate("prod"), getattr(leaks, frame)

    def breaks(text):
        usual(text)
        raise RuntimeError("planted")

    monkeypatch.setattr(leaks, frame, breaks)
    try:
        leaks.find_owners(hidden.reveal(), actor=world.people["support"])
    except RuntimeError:
        reporter = ExceptionReporter(None, *sys.exc_info())
    report = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert "planted" in report and frame in report and hidden.reveal() not in report
