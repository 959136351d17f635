"""The trail: complete, chained, and refused to be changed by the database itself."""

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from clients.models import AuditEntry, Outcome, Role, User
from clients.services import audit
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


@pytest.mark.parametrize("kind", TAMPERED)
def test_tampering_behind_the_triggers_is_named(trail, kind):
    drop_audit_triggers(connection)
    for statement in TAMPERED[kind]:
        run(statement)
    with pytest.raises(CommandError, match=r"Entry [23]"):
        call_command("verify_audit")


def test_inserted_entry_is_named(trail):
    drop_audit_triggers(connection)
    forged = trail[2]
    forged.pk, forged.sequence, forged.hash = None, 6, "f" * 64
    forged.save(force_insert=True)
    with pytest.raises(CommandError, match="Entry 6 does not follow"):
        call_command("verify_audit")


def test_append_outside_a_transaction_is_refused(transactional_db):
    drop_audit_triggers(connection)  # for the flush afterwards
    with pytest.raises(RuntimeError, match="transaction of its act"):
        audit.append("test:act", Outcome.OK, actor=None, via="web")
