"""Who may what: the table people review against product.md, read row by row against `permissions.py`."""

import csv
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from clients import permissions
from clients.models import Role

ROLES = {"A": Role.ADMINISTRATOR, "O": Role.OPERATOR, "S": Role.SUPPORT, "U": Role.AUDITOR, "M": Role.MANAGER,
         "D": Role.DEVELOPER}  # fmt: skip
TABLE = list(csv.DictReader((Path(__file__).parent / "permissions.csv").read_text().splitlines()))
PREDICATES = {name: can for name, can in inspect.getmembers(permissions, inspect.isfunction) if name.startswith("can_")}


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("row", TABLE, ids=[row["act"][:40] for row in TABLE])
def test_an_act_is_for_the_roles_of_the_table(row):
    wanted = {letter for letter in ROLES if row[letter] == "yes"}
    assert all(row[letter] in ("yes", "") for letter in ROLES)
    for name in row["predicates"].split():
        allowed = {letter for letter, role in ROLES.items() if PREDICATES[name](one_who_is(role))}
        assert allowed == wanted, name


def one_who_is(role, *, members_may_rotate=False):
    tenant = SimpleNamespace(members_may_rotate=members_may_rotate)
    return SimpleNamespace(role=role, is_active=True, tenant=tenant)


def test_managers_start_a_rotation_where_their_tenant_lets_them():
    may = {role for role in Role if permissions.can_rotate_secret(one_who_is(role, members_may_rotate=True))}
    assert may == {Role.ADMINISTRATOR, Role.OPERATOR, Role.SUPPORT, Role.MANAGER}


def test_the_table_has_every_predicate_once():
    told = [name for row in TABLE for name in row["predicates"].split()]
    assert sorted(told) == sorted(PREDICATES)


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize(("role", "is_active"), [("", True), *((role, False) for role in Role)])
def test_without_a_role_or_an_open_account_nobody_may_anything(role, is_active):
    person = SimpleNamespace(role=role, is_active=is_active)
    assert [name for name, can in PREDICATES.items() if can(person)] == []
