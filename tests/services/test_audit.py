"""The trail: complete, chained, and refused to be changed by the database itself."""

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from clients.models import AuditEntry, Outcome, Role, User
from clients.services import audit
from clients.services.anchors import read_anchors
from tests.support import drop_audit_triggers, make_audit_triggers


@pytest.fixture
def trail(db):
    make_audit_triggers(connection)
    actor = User.objects.create_user("a@portal.example", "x", role=Role.OPERATOR)
    for number in range(5):
        with transaction.atomic():
            audit.append("test:act", Outcome.OK, actor=actor, via="web", detail={"number": number})
    return list(AuditEntry.objects.order_by("sequence"))


def run(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_untouched_trail_verifies(trail, capsys):
    call_command("verify_audit")
    assert "5 entries" in capsys.readouterr().out


STATEMENTS = [
    "UPDATE clients_auditentry SET reason = 'nothing' WHERE sequence = 3",
    "DELETE FROM clients_auditentry WHERE sequence = 3",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_database_refuses_to_change_the_trail(trail, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(statement)
    assert audit.first_broken_entry() is None


def test_sqlite_refuses_to_replace_an_entry(trail):
    if connection.vendor != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    columns = ", ".join(f.column for f in AuditEntry._meta.concrete_fields)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(f"INSERT OR REPLACE INTO clients_auditentry ({columns}) SELECT {columns} FROM clients_auditentry LIMIT 1")


def test_postgres_refuses_to_truncate(trail):
    if connection.vendor != "postgresql":
        pytest.skip("TRUNCATE is PostgreSQL's")
    run("SET CONSTRAINTS ALL IMMEDIATE")  # else PostgreSQL refuses for the pending foreign keys, not for our trigger
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("TRUNCATE clients_auditentry CASCADE")


TAMPERED = {
    "edit": ["UPDATE clients_auditentry SET reason = 'nothing' WHERE sequence = 3"],
    "delete": ["DELETE FROM clients_auditentry WHERE sequence = 3"],
    "reorder": [
        "UPDATE clients_auditentry SET sequence = 99 WHERE sequence = 2",
        "UPDATE clients_auditentry SET sequence = 2 WHERE sequence = 3",
        "UPDATE clients_auditentry SET sequence = 3 WHERE sequence = 99",
    ],
}


@pytest.fixture
def anchors(tmp_path):
    return tmp_path / "anchors.jsonl"


def cut_tail(trail):
    run("DELETE FROM clients_auditentry WHERE sequence > 3")


def insert_forged(trail):
    """In the middle, with the ones behind it moved on, and a hash that fits what it says."""
    for sequence in (5, 4, 3):
        run("UPDATE clients_auditentry SET sequence = %s WHERE sequence = %s", sequence + 1, sequence)
    forged = AuditEntry.objects.get(sequence=2)
    forged.pk, forged.sequence, forged.reason, forged.previous_hash = None, 3, "forged", forged.hash
    forged.hash = audit._hash(forged)
    forged.save(force_insert=True)


def by(kind):
    def tamper(trail):
        for statement in TAMPERED[kind]:
            run(statement)

    return tamper


KINDS = {kind: by(kind) for kind in TAMPERED} | {"insert": insert_forged, "cut tail": cut_tail}


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_behind_the_triggers_is_named(trail, anchors, kind, capsys):
    """Five kinds, by SQL after the triggers were dropped; the last shows beside the anchor alone."""
    call_command("anchor_audit", to=str(anchors))
    call_command("verify_audit", anchors=str(anchors))
    assert "1 anchor, every one holds" in capsys.readouterr().out
    drop_audit_triggers(connection)

    KINDS[kind](trail)

    with pytest.raises(CommandError, match=r"Entry (5, anchored at|[234] )"):
        call_command("verify_audit", anchors=str(anchors))
    if kind == "cut tail":
        call_command("verify_audit")  # nothing else sees it
    else:
        with pytest.raises(CommandError, match=r"Entry [234] "):
            call_command("verify_audit")
    before = anchors.read_text()
    with pytest.raises(CommandError, match="Nothing was anchored"):
        call_command("anchor_audit", to=str(anchors))
    assert anchors.read_text() == before


def test_a_trail_written_anew_shows_beside_the_anchor(trail, anchors):
    """Every hash computed again, so that the chain fits."""
    call_command("anchor_audit", to=str(anchors))
    drop_audit_triggers(connection)
    previous = audit.GENESIS
    for entry in trail:
        entry.reason, entry.previous_hash = "as if", previous
        entry.hash = previous = audit._hash(entry)
        entry.save()
    assert audit.first_broken_entry() is None
    with pytest.raises(CommandError, match="Entry 5 is not the one anchored"):
        call_command("verify_audit", anchors=str(anchors))


def test_anchors_grow_line_by_line_and_belong_to_one_person(trail, anchors):
    call_command("anchor_audit", to=str(anchors))
    with transaction.atomic():
        audit.append("test:act", Outcome.OK, actor=None, via="web")
    call_command("anchor_audit", to=str(anchors))
    assert [anchor.sequence for anchor in read_anchors(anchors)] == [5, 6]
    assert anchors.stat().st_mode & 0o777 == 0o600
    call_command("verify_audit", anchors=str(anchors))


@pytest.mark.parametrize("line", ["", "7", "{}", '{"sequence": "1", "hash": "x", "at": ""}', "[1, 2]"])
def test_a_line_that_is_no_anchor_is_named(trail, anchors, line):
    call_command("anchor_audit", to=str(anchors))
    anchors.write_text(f"{anchors.read_text()}{line}\n")
    for command, option in (("verify_audit", "anchors"), ("anchor_audit", "to")):
        with pytest.raises(CommandError, match="Line 2 of .* is no anchor"):
            call_command(command, **{option: str(anchors)})


def test_anchoring_says_what_is_missing(db, tmp_path, settings, capsys):
    settings.AUDIT_ANCHORS = ""
    with pytest.raises(CommandError, match="PORTAL_AUDIT_ANCHORS"):
        call_command("anchor_audit")
    with pytest.raises(CommandError, match="cannot be written"):
        with_entry = tmp_path / "nowhere" / "anchors"
        with transaction.atomic():
            audit.append("test:act", Outcome.OK, actor=None, via="web")
        call_command("anchor_audit", to=str(with_entry))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_audit", anchors=str(tmp_path / "none"))


def test_append_outside_a_transaction_is_refused(transactional_db):
    drop_audit_triggers(connection)  # for the flush afterwards
    with pytest.raises(RuntimeError, match="transaction of its act"):
        audit.append("test:act", Outcome.OK, actor=None, via="web")
