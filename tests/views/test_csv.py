"""What leaves as CSV, read back as a spreadsheet of any locale would: no cell of it is a formula."""

import csv
import io
import re

import pytest

from clients.models import AuditOrigin

COMMAND = "cmd|' /C calc'!A0"
HOSTILE = [
    f"={COMMAND}", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0b1",
    f"x;={COMMAND};y", "x, @SUM(A1)", "x;\u200b=1", f"x\t={COMMAND}", "x\r\n\r\n=1", "x; =1;;+1;\t-1",
    f'x;"={COMMAND}"', f'";={COMMAND}', f'x";"={COMMAND}";"', '"=1', 'x;""=1', "x;", '";"',
]  # fmt: skip
STRIPPED = re.compile(r'^[\s"\u200b]+')


def alive(text):
    """The cells that are formulas where cells end at a comma, at a semicolon or at a TAB."""
    read = (csv.reader(io.StringIO(text, newline=""), delimiter=sign) for sign in ",;\t")
    cells = [cell for table in read for row in table for cell in row]
    return [cell for cell in cells if STRIPPED.sub("", cell).startswith(("=", "+", "-", "@", "\uff1d", "\uff0b"))]


def taken(client, address):
    text = b"".join(client.get(address).streaming_content).decode()
    assert text.startswith("\ufeff")
    return text.removeprefix("\ufeff")


@pytest.mark.parametrize("plain", ["a,=1", '"x";"=1"', "x;=1", "a\t+1", '"a","x;=1"'])
def test_a_formula_planted_in_a_file_is_found(plain):
    assert alive(plain)


def test_clients_list_is_no_formula_where_cells_end_elsewhere(client, operator, make):
    for name in HOSTILE:
        make(name, contact=operator)
    text = taken(client, "/clients/export.csv")
    assert alive(text) == [] and len(list(csv.DictReader(io.StringIO(text, newline="")))) == len(HOSTILE)


def test_activity_is_no_formula_where_cells_end_elsewhere(world, client, app_client):
    """A tenant's manager chooses what their browser is called; staff open the file."""
    client.force_login(world.people["auditor"])
    entry = app_client.audit_entries.first()
    for agent in HOSTILE:
        AuditOrigin.objects.update_or_create(entry=entry, defaults={"address": None, "agent": agent})
        text = taken(client, "/activity/export.csv")
        (row,) = [
            row for row in csv.DictReader(io.StringIO(text, newline="")) if row["sequence"] == str(entry.sequence)
        ]
        assert alive(text) == [] and row["agent"].replace("'", "") == agent.replace("'", "")


def test_a_cell_that_could_be_no_formula_is_as_it_was(client, operator, make):
    names = {'say "hi", you', "two\nlines", "two\r\n\r\nlines", "semi;colon", "a=b", "a - b", "mail@x", "Straße 🚢"}
    for name in names:
        make(name)
    text = taken(client, "/clients/export.csv")
    assert {row["Name"] for row in csv.DictReader(io.StringIO(text, newline=""))} == names
