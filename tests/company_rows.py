"""The rows of the small company, made once a process by our own services and laid again as they were for each later
test: making them anew took half of the suite's time."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction

# What migrations fill; the company adds nothing there.
STANDING = {"contenttypes", "auth", "sites"}


@dataclass
class Rows:
    """(table, columns, rows) of every table that holds any, and the words in them that name what Cognito has."""

    tables: list[tuple[str, list[str], list[tuple[Any, ...]]]]
    names: dict[str, str]


def keep(names: dict[str, str]) -> Rows:
    """Everything that stands in the database. `names` are the words each later copy has others for."""
    models = [m for m in apps.get_models(include_auto_created=True) if m._meta.app_label not in STANDING]
    found = []
    for table in sorted({model._meta.db_table for model in models}):
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')  # PostgreSQL moves what was updated
            rows = cursor.fetchall()
            if rows:
                found.append((table, [column[0] for column in cursor.description], rows))
    return Rows(found, names)


def lay(kept: Rows, names: dict[str, str]) -> None:
    """The same rows with their numbers, in a database that holds none of them. The pool's own row gets the new names;
    the trail keeps the old ones, for a changed entry would break its chain."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table, columns, rows in kept.tables:
            if table == "clients_userpool":
                rows = [tuple(_renamed(value, kept.names, names) for value in row) for row in rows]
            marks = ", ".join(["%s"] * len(columns))
            titles = ", ".join(f'"{column}"' for column in columns)
            cursor.executemany(f'INSERT INTO "{table}" ({titles}) VALUES ({marks})', rows)
        laid = {table for table, *_ in kept.tables}
        models = [m for m in apps.get_models(include_auto_created=True) if m._meta.db_table in laid]
        # PostgreSQL counts on by itself: without this the next row would get a number that is taken.
        if counting := connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(" ".join(counting))


def _renamed(value: Any, old: dict[str, str], new: dict[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    for key, name in old.items():
        value = value.replace(name, new[key])
    return value
