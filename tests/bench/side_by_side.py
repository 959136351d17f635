"""Pages at several sizes of the same database, measured in turns: whatever else slows the machine slows all of them."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.bench.__main__ import p95, stopwatch

ROUNDS, SAMPLES = 60, 5


@dataclass
class Measured:
    """Seconds per request, and how many queries one makes."""

    queries: int = 0
    samples: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        return p95(self.samples)


def measure(
    browser: Client, paths: list[str], sizes: tuple[int, ...], grow: Callable[[int], None]
) -> dict[tuple[str, int], Measured]:
    """`grow` fills the database up to a size; a copy of it is kept at each."""
    copies = {}
    for size in sizes:
        grow(size)
        copies[size] = _copy(size)
    found = {(path, size): Measured() for path in paths for size in sizes}
    gc.collect()
    gc.freeze()  # what filling left behind would else be walked now and then in the middle of a request
    for _ in range(ROUNDS):
        for size, name in copies.items():
            with _database(name):
                for path in paths:
                    _visit(browser, path, found[path, size])
    gc.unfreeze()
    for size in sizes:
        connection.creation.destroy_test_db(suffix=str(size), verbosity=0)
    return found


def _visit(browser: Client, path: str, found: Measured) -> None:
    with CaptureQueriesContext(connection) as captured:  # warms up, too
        assert browser.get(path).status_code == 200
    found.queries = min(found.queries or len(captured), len(captured))  # one in a minute notes that somebody is there
    for _ in range(SAMPLES):
        with stopwatch() as seconds:
            browser.get(path)
            found.samples.append(seconds())


def _copy(size: int) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Autovacuum does it within a minute: without statistics the plans are those for empty tables.
            cursor.execute("VACUUM ANALYZE")
    connection.close()
    connection.creation.clone_test_db(str(size), verbosity=0)
    return str(connection.creation.get_test_db_clone_settings(str(size))["NAME"])


@contextmanager
def _database(name: str) -> Iterator[None]:
    usual = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual
